"""What runs in the process that reads acknowledged traces back: draws, polls, compares."""
