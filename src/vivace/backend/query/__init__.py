"""Answers TraceQL and Tempo's APIs from the units of a store."""
