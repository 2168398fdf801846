"""The embedded backend: receive -> store -> query, supervised by serve. Its processes share files and nothing else."""
