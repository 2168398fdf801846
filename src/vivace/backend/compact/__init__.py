"""Compaction: makes many blocks few, and lets those go that are older than is wanted."""
