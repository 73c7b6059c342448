"""Commands and options that have a new name. They are not carried out under the old one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

RENAMED_COMMANDS: Mapping[tuple[str, ...], str] = {
    ("hand-over",): "handoff",
    ("hand-back",): "resume",
    ("plugins",): "plugin list",
    ("export", "--set-aside"): "export --unparsed",
}
"""Old command, with the option that has a new name, → new command."""


def find_new_name(words: Sequence[str]) -> str | None:
    """Return what to tell a user who typed an old command; None if the command has its present name."""
    for (command, *options), new in RENAMED_COMMANDS.items():
        if words[:1] == [command] and all(option in words[1:] for option in options):
            return f"`sara {' '.join((command, *options))}` is now `sara {new}`"
    return None
