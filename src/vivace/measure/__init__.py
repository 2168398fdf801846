"""From what happened to figures: ledgers -> figures, resources and the target's metrics, probes."""
