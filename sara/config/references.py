"""Words of the file that have to fit others: languages, texts, channels that are named, and values that stand for real ones."""

from __future__ import annotations

from collections.abc import Mapping

from sara.config.advice import stand_ins
from sara.config.nodes import Entry, MapNode, Place, Scalar
from sara.config.validation import Checker
from sara.domain.phone_numbers import find_number_fault
from sara.domain.suggestions import make_key_printable, make_printable, suggest
from sara.i18n.catalog import validate_texts
from sara.i18n.data import LANGUAGES

Entries = Mapping[str, Entry]


def check_references(entries: Entries, checker: Checker, start: Place) -> None:
    """Report values that do not fit other parts. `start` is the file as a whole."""
    _check_texts(entries, checker, start)
    for above in (("conversation",), *(("channels", name, "conversation") for name in _block(entries, "channels"))):
        _check_notify(entries, checker, above)
        _check_language(entries, checker, above)


def note_stand_ins(root: MapNode, checker: Checker) -> None:
    """Name the values that stand for real ones, where nothing else is said about them."""
    known = {(each.file, each.line, each.column) for each in (*checker.findings, *checker.advice)}
    for path, scalar in stand_ins(root):
        place = scalar.place
        if (place.file, place.line, place.column) not in known:
            message = f"{'.'.join(path) or 'this'} is an example that stands for the real value"
            checker.add_advice("example", message, place, "write your own there", works=False)


def place_of(entries: Entries, *keys: str) -> Place | None:
    """Return where the value at a path of keys stands; None if there is none."""
    entry: Entry | None = None
    for key in keys:
        entry = entries.get(key)
        if entry is None:
            return None
        entries = entry.node.entries if isinstance(entry.node, MapNode) else {}
    return None if entry is None else entry.place if isinstance(entry.node, MapNode) else entry.node.place


def _check_texts(entries: Entries, checker: Checker, start: Place) -> None:
    """Report errors in changed texts."""
    changes = {
        language: {key: entry.node.text for key, entry in inner.node.entries.items() if isinstance(entry.node, Scalar)}
        for language, inner in _block(entries, "texts").items()
        if isinstance(inner.node, MapNode)
    }
    for fault in validate_texts(changes):
        language, _, key = fault.partition(" ")[0].partition(".")
        place = place_of(entries, "texts", language, key) or place_of(entries, "texts", language) or start
        checker.note("value", f"texts.{fault}", place)


def _check_notify(entries: Entries, checker: Checker, above: tuple[str, ...]) -> None:
    """Report an unknown channel, or a wrong number, of an operator to notify."""
    to = _scalar(entries, *above, "handoff", "notify", "to")
    if to is not None and (fault := find_number_fault(to.text)):
        path = ".".join((*map(make_key_printable, above), "handoff.notify.to"))
        checker.note("value", f"{path}: {make_printable(to.text)} {fault}", to.place, warning=True)
    named = _scalar(entries, *above, "handoff", "notify", "channel")
    channels = _block(entries, "channels")
    if named is None or not named.text or named.text in channels:
        return
    hint = suggest(named.text, tuple(channels)) or f"there is {', '.join(map(make_key_printable, list(channels)[:15])) or 'none'}"
    path = ".".join((*map(make_key_printable, above), "handoff.notify.channel"))
    checker.note("value", f"{path}: {make_printable(named.text)} is not one of the channels", named.place, hint)


def _check_language(entries: Entries, checker: Checker, above: tuple[str, ...]) -> None:
    """Report a language without texts."""
    named = _scalar(entries, *above, "language")
    known = {*LANGUAGES, *(each.lower().replace("_", "-") for each in _block(entries, "texts"))}
    if named is None or not isinstance(named.value, str) or not 2 <= len(named.text) <= 8:  # what else is wrong is said elsewhere
        return
    code = named.text.lower().replace("_", "-")
    if known.isdisjoint({code, code.partition("-")[0]}):
        path = ".".join((*map(make_key_printable, above), "language"))
        hint = f"there is {', '.join(sorted(LANGUAGES))}; another language needs its texts under `texts`"
        checker.note("value", f"{path}: SARA has no texts in {make_printable(named.text)}", named.place, hint)


def _block(entries: Entries, key: str) -> Entries:
    entry = entries.get(key)
    return entry.node.entries if entry is not None and isinstance(entry.node, MapNode) else {}


def _scalar(entries: Entries, *keys: str) -> Scalar | None:
    """Return the value at a path of keys, if one was written into the file itself."""
    for key in keys[:-1]:
        entries = _block(entries, key)
    entry = entries.get(keys[-1])
    return entry.node if entry is not None and isinstance(entry.node, Scalar) and entry.node.origin == "file" else None
