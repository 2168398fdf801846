"""Conducts a run: prepares, starts the target, sends, asks, probes, measures, judges and reports."""
