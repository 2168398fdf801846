"""An HTTP/1.1 client for one target and many users: nothing but what a query needs, and so little of a core."""
