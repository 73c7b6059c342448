"""The command line: one file per group of commands, imported when its command is used."""

from __future__ import annotations

import sys


def main() -> None:
    """The entry point of the command `sara`."""
    from sara.cli.app import app_for

    try:
        app_for(sys.argv[1:])()
    except BrokenPipeError:
        # The reader of our output has gone, e.g. `sara export | head`.
        sys.stderr.close()
        sys.exit(0)
