"""Where blocks are kept for good: the data folder, or an object store of which the data folder holds local copies."""
