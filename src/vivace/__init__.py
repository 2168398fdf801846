"""Vivace finds out what a tracing backend can take, and can be believed."""

__version__ = "0.1.0"
