"""From a run's folder to what people read: terminal, text, JSON and HTML. Shows figures, computes none."""
