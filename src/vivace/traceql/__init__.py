"""TraceQL, the query language: text to syntax tree and back, and every rule that needs no data. Nothing runs here."""
