"""The command line: one file per command; heavy libraries are imported when a command runs."""
