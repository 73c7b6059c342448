"""Nodes → checked options, with everything that is wrong said where it stands."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from sara.config.advice import advice_of, examples_in, fault_of_secret, is_stand_in, open_secrets
from sara.config.diagnostics import Diagnostic, Kind
from sara.config.error_messages import expectation, explain, mismatch
from sara.config.introspection import SecretMap, keys_of, models_at
from sara.config.nodes import Entry, ListNode, MapNode, Node, Place, Scalar
from sara.domain.options import FROM_FILE, Options
from sara.domain.suggestions import make_key_printable, make_printable, suggest
from sara.plugins.call_guard import describe_failure, guarded_call

AnOptions = TypeVar("AnOptions", bound=Options)

_MOST_ROUNDS = 20
_SHORTEST_SECRET, _LONG_SECRET = 4, 6
"""Secrets that are looked for in other words, and those that are looked for within a word, too: by their number of characters."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is being checked: a block of the file, how it is called, and whose options they are.

    `place` is where it begins, usually its key. `owner` is e.g. `the whatsapp plugin`, empty for SARA itself. `also` are keys
    of the block that somebody else reads. Faults in nodes of `inherited` are told elsewhere.
    """

    node: MapNode
    place: Place
    path: str
    owner: str = ""
    also: Sequence[str] = ()
    inherited: Collection[Node] = ()


@dataclass(frozen=True, slots=True, eq=False)
class _Spot:
    """The nearest node to where pydantic points. `branch` is set where it followed one branch of a union: the node at which
    the branches part, and pydantic's name for the branch."""

    node: Node
    place: Place
    steps: tuple[int | str, ...]
    branch: tuple[Node, str] | None


@dataclass(slots=True)
class Checker:
    """Checks blocks and gathers findings, and what of the file may be shown. `advice` are findings about values that are accepted."""

    findings: list[Diagnostic]
    revealed: SecretMap
    advice: list[Diagnostic] = field(default_factory=list)
    cautions: list[Diagnostic] = field(default_factory=list)

    def note(self, kind: Kind, message: str, place: Place, hint: str = "", *, warning: bool = False) -> None:
        """Add a finding."""
        severity = "warning" if warning else "error"
        self.findings.append(Diagnostic(kind, message, place.file, place.line, place.column, severity, hint))  # type: ignore[arg-type]

    def add_advice(self, kind: Kind, message: str, place: Place, hint: str = "", *, works: bool = True) -> None:
        """Add a finding about what can be used: a warning where it `works`."""
        severity = "warning" if works else "error"
        self.advice.append(Diagnostic(kind, message, place.file, place.line, place.column, severity, hint))  # type: ignore[arg-type]

    def add_caution(self, kind: Kind, message: str, place: Place, hint: str) -> None:
        """Add a warning about what works and should be changed."""
        self.cautions.append(Diagnostic(kind, message, place.file, place.line, place.column, "warning", hint))

    def check(self, model: type[AnOptions], subject: Subject) -> AnOptions | None:
        """Return the block as options, without its unknown keys; None if it cannot be used."""
        self.revealed.learn([model], subject.node)
        self._judge_texts(model, subject)
        options = self._validate(model, subject)
        if options is not None:
            self._advise(options, subject)
        return options

    def _validate(self, model: type[AnOptions], subject: Subject) -> AnOptions | None:
        as_text: set[Scalar] = set()
        dropped: set[Entry] = set()
        errors: list[ErrorDetails] = []
        for _ in range(_MOST_ROUNDS):
            try:
                value = _value(subject.node, as_text, dropped)
                return guarded_call(model.model_validate, value, context={FROM_FILE: True})
            except ValidationError as error:
                errors = error.errors(include_url=False)
            except Exception as error:  # a plugin's validator may raise anything; its text may hold anything
                what = f"{subject.path}: {subject.owner or 'SARA'} could not check its options: it {describe_failure(error)}"
                self.note("value", what, subject.place, "this is a fault of the plugin")
                return None
            # Try again without unknown keys, and with numbers as the text that was written where text is wanted.
            if not self._adapt(model, subject, errors, as_text, dropped):
                break
        self._report(model, subject, errors)
        return None

    def _judge_texts(self, model: type[AnOptions], subject: Subject) -> None:
        """Name examples that were left in the block, and secrets that are damaged or stand in the open."""
        for path, scalar, example in examples_in([model], subject.node):
            if scalar in subject.inherited:
                continue
            whole = scalar.text.strip() == example
            quoted = "" if whole else f": “{make_printable(example)}”"
            message = f"{_name(subject, path)} {'is' if whole else 'holds'} the example that SARA comes with{quoted}"
            self.add_advice("example", message, scalar.place, "write your own there", works=False)
        for path, scalar in open_secrets([model], subject.node):
            if scalar in subject.inherited:
                continue
            name = _name(subject, path)
            if fault := fault_of_secret(scalar.text):
                self.add_advice("example", f"{name} {fault}", scalar.place, "copy it again, and nothing else", works=False)
            elif is_stand_in(scalar.text):
                message = f"{name} is an example that stands for the real one"
                self.add_advice("example", message, scalar.place, "write the real one into secrets.yaml", works=False)
            else:
                hint = f"move it to secrets.yaml, and write {make_key_printable(path[-1])}: !secret NAME here"
                self.add_advice("secret", f"{name} is a secret, and stands in this file", scalar.place, hint)

    def _advise(self, options: Options, subject: Subject) -> None:
        """Pass on what options say about themselves."""
        try:
            advised = list(advice_of(options))
        except Exception as error:  # a plugin's own code may raise anything; its text may hold anything
            what = f"{subject.path}: {subject.owner or 'SARA'} could not judge its options ({type(error).__name__})"
            self.note("value", what, subject.place, "this is a fault of the plugin", warning=True)
            return
        for path, advice in advised:
            spot = _locate(subject, path)
            if spot.node in subject.inherited and spot.node is not subject.node:
                continue
            place = spot.node.place if isinstance(spot.node, Scalar) and spot.node.text else spot.place
            message, hint = (make_printable(self._without_secrets(each), 400) for each in (advice.message, advice.remedy))
            self.add_advice("advice", f"{_name(subject, path)} {message}", place, hint, works=advice.works)

    def _adapt(
        self, model: type[AnOptions], subject: Subject, errors: Iterable[ErrorDetails], as_text: set[Scalar], dropped: set[Entry]
    ) -> bool:
        before = len(as_text) + len(dropped)
        branches: defaultdict[Node, set[str]] = defaultdict(set)
        spots = [(error, _locate(subject, error["loc"])) for error in errors]
        for _, spot in spots:
            if spot.branch:
                branches[spot.branch[0]].add(spot.branch[1])
        for error, spot in spots:
            node = spot.node
            if error["type"] in ("string_type", "path_type") and isinstance(node, Scalar) and _is_number(node):
                as_text.add(node)
            one_branch = not spot.branch or len(branches[spot.branch[0]]) == 1
            if error["type"] == "extra_forbidden" and one_branch and (entry := _entry(subject.node, spot.steps)) not in dropped:
                if entry is None:
                    continue
                dropped.add(entry)
                if node not in subject.inherited:
                    self._unknown_key(model, subject, error, spot)
        return len(as_text) + len(dropped) > before

    def _unknown_key(self, model: type[AnOptions], subject: Subject, error: ErrorDetails, spot: _Spot) -> None:
        *above, key = spot.steps
        known = {name for inner in models_at(model, error["loc"][:-1]) for name in keys_of(inner)}
        known |= set() if above else set(subject.also)
        listed = f"known here: {', '.join(sorted(known))}" if 0 < len(known) <= 15 else ""
        owner = f" of {subject.owner}" if subject.owner else ""
        message = f"{_name(subject, spot.steps)} is not an option{owner}"
        self.note("unknown_key", message, spot.place, suggest(str(key), known) or listed, warning=True)

    def _report(self, model: type[AnOptions], subject: Subject, errors: Iterable[ErrorDetails]) -> None:
        groups: defaultdict[Node, list[tuple[ErrorDetails, _Spot]]] = defaultdict(list)
        for error in errors:
            if error["type"] == "missing":
                self._missing(model, subject, error)
                continue
            spot = _locate(subject, error["loc"])
            groups[spot.branch[0] if spot.branch else spot.node].append((error, spot))
        for base, group in groups.items():
            # Of a union's branches, the one that came furthest is the one that was meant.
            deeper = [item for item in group if item[1].node is not base]
            beside_type = [item for item in group if not expectation(item[0]["type"])]
            by_node: defaultdict[Node, list[tuple[ErrorDetails, _Spot]]] = defaultdict(list)
            for item in deeper or beside_type or group:
                by_node[item[1].node].append(item)
            for node, items in by_node.items():
                if node not in subject.inherited and not (isinstance(node, Scalar) and node.origin == "broken"):
                    self._value(model, subject, node, items)

    def _missing(self, model: type[AnOptions], subject: Subject, error: ErrorDetails) -> None:
        *above, key = error["loc"]
        spot = _locate(subject, above)
        if spot.node in subject.inherited:
            return
        self.note("missing", f"{_name(subject, (*spot.steps, key))} is missing", spot.place, _description(model, error))

    def _value(self, model: type[AnOptions], subject: Subject, node: Node, items: Sequence[tuple[ErrorDetails, _Spot]]) -> None:
        spot = items[0][1]
        name = _name(subject, spot.steps)
        place = node.place if isinstance(node, Scalar) and node.text else spot.place
        expected = [words for error, _ in items if (words := expectation(error["type"]))]
        tails = [mismatch(expected, node)] if expected else []
        for error, _ in items:
            if not expectation(error["type"]):
                tail, hint = explain(error, node)
                # A pattern tells few people what is wanted.
                tails.append((tail, hint or (_wanted(model, error) if error["type"] == "string_pattern_mismatch" else "")))
        for tail, hint in dict.fromkeys(tails):
            self.note("value", name + (self._without_secrets(tail) if subject.owner else tail), place, hint)

    def _without_secrets(self, text: str) -> str:
        """Remove secrets from a plugin's own words. A very short one would be found in words that hide nothing."""
        for secret in sorted((each for each in self.revealed.secrets if len(each) >= _SHORTEST_SECRET), key=len, reverse=True):
            text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)" if len(secret) < _LONG_SECRET else re.escape(secret), "***", text)
        return text


def _value(node: Node, as_text: Collection[Scalar], dropped: Collection[Entry]) -> Any:
    if isinstance(node, Scalar):
        return node.text if node in as_text or node.origin == "broken" else node.value
    if isinstance(node, ListNode):
        return [_value(item, as_text, dropped) for item in node.items]
    return {key: _value(entry.node, as_text, dropped) for key, entry in node.entries.items() if entry not in dropped}


def _fields(model: type[AnOptions], error: ErrorDetails) -> list[FieldInfo]:
    """Return the options that an error is about."""
    loc = error["loc"]
    while loc and isinstance(loc[-1], int):
        loc = loc[:-1]
    *above, key = loc or ("",)
    return [keys[str(key)] for keys in map(keys_of, models_at(model, above)) if str(key) in keys]


def _description(model: type[AnOptions], error: ErrorDetails) -> str:
    """Return the description of the option that an error is about."""
    return next((make_printable(info.description, 200) for info in _fields(model, error) if info.description), "")


def _wanted(model: type[AnOptions], error: ErrorDetails) -> str:
    """Return how the option that an error is about is written: its examples, and its description."""
    examples = [make_printable(str(each)) for info in _fields(model, error) for each in info.examples or ()]
    told = [f"for example {' or '.join(examples)}"] if examples else []
    return ". ".join([*told, *filter(None, [_description(model, error)])])


def _is_number(node: Scalar) -> bool:
    return isinstance(node.value, (int, float)) and not isinstance(node.value, bool)


def _locate(subject: Subject, location: Sequence[int | str]) -> _Spot:
    node: Node = subject.node
    place = subject.place
    steps: tuple[int | str, ...] = ()
    branch: tuple[Node, str] | None = None
    for step in location:
        if isinstance(node, MapNode) and str(step) in node.entries:
            entry = node.entries[str(step)]
            node, place, steps = entry.node, entry.place, (*steps, step)
        elif isinstance(node, ListNode) and isinstance(step, int) and step < len(node.items):
            node, steps = node.items[step], (*steps, step)
            place = node.place
        elif branch is None:
            branch = (node, str(step))
    return _Spot(node, place, steps, branch)


def _entry(root: MapNode, steps: Sequence[int | str]) -> Entry | None:
    """Return the entry at the end of known steps."""
    node: Node = root
    entry: Entry | None = None
    for step in steps:
        if isinstance(node, MapNode):
            entry = node.entries[str(step)]
            node = entry.node
        elif isinstance(node, ListNode) and isinstance(step, int):
            node, entry = node.items[step], None
    return entry


def _name(subject: Subject, steps: Sequence[int | str]) -> str:
    """Return the name of a value: `conversation.history.tokens`, `entry 2 of conversation.fallback`."""
    words = [make_printable(subject.path, 200)] if subject.path else []
    words += [make_key_printable(str(step)) for step in steps if not isinstance(step, int)]
    name = ".".join(words) or "this file"
    return f"entry {steps[-1] + 1} of {name}" if steps and isinstance(steps[-1], int) else name
