"""The parts of the dashboard, in the order in which they are read; each is absent when nothing of it was measured."""
