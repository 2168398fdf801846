"""Asks a backend what its users ask: TraceQL searches over time buckets, and traces opened from their results."""
