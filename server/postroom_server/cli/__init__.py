"""The command line: `postroom` and its commands, a file per group."""

from postroom_server.cli.root import main

__all__ = ["main"]
