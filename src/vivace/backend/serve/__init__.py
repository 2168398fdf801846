"""Runs the processes of the backend, watches over them and stops them."""
