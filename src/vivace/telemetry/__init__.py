"""What to send: topology -> traces -> templates on disk, and the requests that are made from them."""
