"""The command line: `postroom` and its commands, a file per group."""

import os

# gRPC's core writes lines of its own beside ours, and reads this when it is first imported.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

from postroom_server.cli.root import main

__all__ = ["main"]
