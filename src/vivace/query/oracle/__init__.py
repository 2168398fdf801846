"""Compares answers with what was sent: computes the sent traces again, and asks them the same query."""
