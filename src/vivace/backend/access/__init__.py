"""Who may speak with the backend's servers, and how: TLS, bearer tokens, and bounds on what a connection may do."""
