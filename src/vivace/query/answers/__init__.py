"""Reads what a target answered, kind by kind, and refuses what no correct backend answers."""
