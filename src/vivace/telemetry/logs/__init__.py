"""Logs of requests, applications and systems, told about the spans of a template of traces; a template of their own."""
