"""The command line: one file per group of commands, imported when its command is used."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command `sara`."""
    from sara.cli.renamed_commands import find_new_name

    words = sys.argv[1:]
    if (told := find_new_name(words)) is not None:
        print(f"sara: {told}", file=sys.stderr)
        sys.exit(2)
    from sara.cli.app import app
    from sara.cli.lazy_commands import app_for

    try:
        app_for(words, app)()
    except BrokenPipeError:
        # The reader of our output has gone, e.g. `sara export | head`.
        sys.stderr.close()
        sys.exit(0)
