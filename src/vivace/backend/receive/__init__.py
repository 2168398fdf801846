"""Takes OTLP over gRPC and HTTP, checks it, and acknowledges it once it is in the write-ahead log."""
