"""Replay: a template's requests, patched and exported when they are due, and one ledger row for each."""

import os

os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # read when grpc is imported; what fails is in the ledger, in one line
