"""HTTP/2 as far as one kind of unary gRPC call needs it, on one thread and without copying what is sent."""
