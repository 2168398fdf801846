"""HTTP/1.1 as OTLP needs it: requests with a length, over connections that are kept."""
