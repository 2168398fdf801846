"""TraceQL metrics: spans that a pipeline selects -> series over time."""
