"""Whose data a request is about, and what each tenant may do."""
