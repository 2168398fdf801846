"""The data folder: the log, and segments and blocks of columnar tables behind a manifest."""
