"""sara.yaml → Config, or every reason at once why not."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeAlias

from sara.config.diagnostics import Diagnostic
from sara.config.introspection import SecretMap, scalars
from sara.config.nodes import Entry, ListNode, MapNode, Node, Place, Scalar, every_node, merge
from sara.config.positions import Positions
from sara.config.redaction import Lines
from sara.config.references import check_references, note_stand_ins, place_of
from sara.config.renamed_keys import rename_keys, rename_options
from sara.config.settings import Config, CoreSettings
from sara.config.tags import SECRETS, Document, read_document
from sara.config.validation import Checker, Subject
from sara.domain.errors import PluginError
from sara.domain.options import Options
from sara.domain.redaction import Redactor
from sara.domain.suggestions import make_key_printable, make_printable, suggest
from sara.plugins.file_permissions import find_all_writable
from sara.plugins.section import Section
from sara.policy.settings import ConversationSettings

SectionKind: TypeAlias = Literal["channel", "responder", "store", "queue"]
OptionsOf: TypeAlias = Callable[[str, str], type[Options]]
"""(kind, plugin) → that plugin's options model; raises PluginError if it cannot be had."""

_EXAMPLES = {
    "channel": "channels: {whatsapp: {plugin: whatsapp, …}}",
    "responder": "responders: {assistant: {plugin: openai, …}}",
}
_MOST_FINDINGS = 200
WEBHOOK_KEYS = ("webhook", "path")
"""What options call the path of their webhook, for when there is no plugin to ask."""

_SECTIONS = ("store", "queue", "channels", "responders")


@dataclass(frozen=True, slots=True)
class Skipped:
    """A channel or responder that is left out because its plugin cannot be had: a problem, no refusal. `webhook` is the path at which
    its events arrive, where the section says so."""

    kind: SectionKind
    name: str
    plugin: str
    reason: str
    webhook: str | None = None


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of the file. `config` is there exactly if there are no `errors`; `partial` is as much of it as can be had with
    errors, enough for looking at data.

    `findings` are all that keeps the file from being understood as it was meant, in its order; `errors` those that stop `sara run`.
    `cautions` are what works, and is not as it should be. `advice` is about values that are accepted: errors where they cannot
    work, warnings where they are probably not meant; the daemon does not concern itself with it. `positions` say where things stand.
    """

    config: Config | None
    findings: tuple[Diagnostic, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    partial: Config | None = None
    cautions: tuple[Diagnostic, ...] = ()
    advice: tuple[Diagnostic, ...] = ()
    positions: Positions | None = field(default=None, repr=False, compare=False)

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The findings with which the daemon cannot start."""
        return tuple(finding for finding in self.findings if finding.severity == "error")


def load(path: Path, options_of: OptionsOf, *, environ: Mapping[str, str] = os.environ) -> Loaded:
    """Read the configuration. Never raises for anything that a file can hold; reads nothing but files and `environ`."""
    document = read_document(path, environ)
    cautions = _written_by_others(path, document, root=os.geteuid() == 0)
    if any(each.severity == "error" for each in cautions):  # and then no plugin is even imported
        return Loaded(None, cautions)
    checker = Checker(document.findings, SecretMap(secrets=document.secrets))
    config: Config | None = None
    skipped: list[Skipped] = []
    root = document.root
    if isinstance(root, Scalar) and root.value is None and root.origin == "file":
        root = MapNode(root.place)
    if isinstance(root, MapNode):
        root = rename_keys(root, checker)
        config = _Reading(path, root, checker, options_of, environ, skipped).config()
    elif root is not None and not (isinstance(root, Scalar) and root.origin == "broken"):
        checker.note("value", "the configuration must be keys and values, such as `server:`", root.place)
    if isinstance(root, MapNode):
        note_stand_ins(root, checker)
    positions = Positions(path, root, {file: Lines(source, checker.revealed) for file, source in document.sources.items()})
    findings = _finish(path, checker.findings, checker, positions)
    advice = _finish(path, checker.advice + document.advice, checker, positions)
    cautions = (*cautions, *_finish(path, checker.cautions, checker, positions))
    loaded = Loaded(config, findings, tuple(skipped), config, cautions, advice, positions)
    return replace(loaded, config=None) if loaded.errors else loaded


def _written_by_others(path: Path, document: Document, *, root: bool) -> tuple[Diagnostic, ...]:
    """Report which configuration files other users may write. Root does not obey such files: their writers would command root."""
    home = path.resolve().parent
    places = (path, *document.sources, home / SECRETS, home / "plugins")
    severity: Literal["error", "warning"] = "error" if root else "warning"
    danger = "root would run their code" if root else "they can control SARA"
    return tuple(
        Diagnostic("file", f"{found}: {danger}", found.path, severity=severity, hint=found.mend)
        for found in find_all_writable(dict.fromkeys(places), root=root)
    )


def _finish(path: Path, found: list[Diagnostic], checker: Checker, positions: Positions) -> tuple[Diagnostic, ...]:
    """Return findings in the order of the file, each once, with their lines."""

    def order(finding: Diagnostic) -> tuple[bool, Path, int, int]:
        return finding.file != path, finding.file, finding.line, finding.column

    redact = Redactor(checker.revealed.secrets)
    told = (replace(each, message=redact(each.message)) if each.kind == "plugin" else each for each in found)
    findings = sorted(dict.fromkeys(told), key=order)
    if (more := len(findings) - _MOST_FINDINGS) > 0:
        kept = sorted(findings, key=lambda finding: finding.severity)[:_MOST_FINDINGS]  # errors before warnings
        findings = [
            *sorted(kept, key=order),
            Diagnostic("file", f"{more} more findings are not listed", path, severity="warning"),
        ]
    return tuple(map(positions.attach, findings))


class _Reading:
    """One pass over the tree."""

    def __init__(
        self,
        path: Path,
        root: MapNode,
        checker: Checker,
        options_of: OptionsOf,
        environ: Mapping[str, str],
        skipped: list[Skipped],
    ) -> None:
        self.path = path
        self.start = Place(path, 0, 0)  # the file as a whole
        # A block of which every line is commented out is the same as no block.
        self.entries = {key: entry for key, entry in root.entries.items() if not _empty(entry.node)}
        self.root = root
        self.checker = checker
        self.options_of = options_of
        self.environ = environ
        self.skipped = skipped
        self.responders: tuple[str, ...] = ()
        self.reported_missing_responder = False

    def config(self) -> Config | None:
        """Return the configuration, as far as it can be read."""
        responders = self._sections("responder")
        self.responders = tuple(self._block("responders"))
        core = MapNode(self.root.place, {key: entry for key, entry in self.entries.items() if key not in _SECTIONS})
        basics = self.checker.check(CoreSettings, Subject(core, self.start, "", also=_SECTIONS))
        common = self._conversation(basics)
        channels = self._sections("channel", common)
        store, queue = self._single("store"), self._single("queue")
        check_references(self.entries, self.checker, self.start)
        if basics is None or store is None or queue is None:
            return None
        listen = basics.admin.listen
        if listen == basics.server.listen and listen.port:
            place = place_of(self.entries, "admin", "listen") or place_of(self.entries, "server", "listen") or self.start
            self.checker.note("value", f"server and admin cannot both listen on {listen}", place, "give one of them another port")
        return Config(
            state=self._state(basics.state),
            store=store,
            queue=queue,
            channels=MappingProxyType(channels),
            responders=MappingProxyType(responders),
            plugins=basics.plugins,
            server=basics.server,
            admin=basics.admin,
            conversation=common,
            retry=basics.retry,
            media=basics.media,
            retention=basics.retention,
            budget=basics.budget,
            words=basics.words,
            texts=basics.texts,
        )

    def _state(self, written: str | None) -> Path:
        """Return the state directory, absolute."""
        given = written or self.environ.get("STATE_DIRECTORY", "").split(":")[0] or "state"
        home = self.environ.get("HOME")
        if home and given.startswith("~/"):
            given = str(Path(home, given[2:]))
        return Path(os.path.abspath(self.path.parent / given))

    # ── sections ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _block(self, key: str) -> Mapping[str, Entry]:
        entry = self.entries.get(key)
        return entry.node.entries if entry and isinstance(entry.node, MapNode) else {}

    def _sections(self, kind: Literal["channel", "responder"], common: ConversationSettings | None = None) -> dict[str, Section]:
        key = f"{kind}s"
        entry, block = self.entries.get(key), self._block(key)
        if entry and not isinstance(entry.node, MapNode):
            if not _broken(entry.node):
                self.checker.note("value", f"{key} must be a block of names, each with its options", entry.place, _EXAMPLES[kind])
        elif not block:
            place = entry.place if entry else self.start
            self.checker.note("missing", f"there is no {kind}; at least one is needed", place, f"add {_EXAMPLES[kind]}")
        sections: dict[str, Section] = {}
        for name, inner in block.items():
            section = self._section(kind, name, f"{key}.{make_key_printable(name)}", inner)
            conversation = self._channel_conversation(name, inner.node, common) if common else None
            if section:
                sections[name] = replace(section, conversation=conversation)
        return sections

    def _single(self, kind: Literal["store", "queue"]) -> Section | None:
        entry = self.entries.get(kind)
        return self._section(kind, kind, kind, entry or Entry(self.start, MapNode(self.start)))

    def _section(self, kind: SectionKind, name: str, path: str, entry: Entry) -> Section | None:
        node = entry.node
        if not isinstance(node, MapNode):
            if not _broken(node):
                self.checker.note("value", f"{path} must be a block of keys and values", entry.place, "begin with plugin: NAME")
            return None
        default = "sqlite" if kind in ("store", "queue") else None
        plugin = self._plugin(node, default, path, entry.place)
        if plugin is None:
            return None
        place = node.entries["plugin"].node.place if "plugin" in node.entries else entry.place
        try:
            model = self.options_of(kind, plugin)
        except PluginError as error:
            self._no_plugin(Skipped(kind, name, plugin, "", _webhook_in(node)), path, place, error)
            return None
        if kind == "channel":
            node = rename_options(node, ("channels", name), model, self.checker)
        also = ("plugin", "conversation") if kind == "channel" else ("plugin",)
        own = {key: inner for key, inner in node.entries.items() if key not in also or key in model.model_fields}
        owner = f"the {make_printable(plugin)} plugin"
        options = self.checker.check(model, Subject(MapNode(node.place, own), entry.place, path, owner, also))
        found = (scalar for scalar in scalars(node) if scalar.origin in ("secret", "env") and isinstance(scalar.value, str))
        looked_up = frozenset(scalar.text for scalar in found)
        return Section(name, plugin, options, looked_up=looked_up) if options is not None else None

    def _plugin(self, node: MapNode, default: str | None, path: str, place: Place) -> str | None:
        entry = node.entries.get("plugin")
        if entry is None or _empty(entry.node):
            if default is None:
                place = entry.place if entry else place
                self.checker.note("missing", f"{path}.plugin is missing", place, "say which plugin it is")
            return default
        plugin = entry.node
        if isinstance(plugin, Scalar) and plugin.text and plugin.origin != "secret":
            self.checker.revealed.shown.add(plugin)
            return plugin.text if plugin.origin != "broken" else None
        if not _broken(plugin):
            self.checker.note("value", f"{path}.plugin must be the name of a plugin", entry.place)
        return None

    def _no_plugin(self, skipped: Skipped, path: str, place: Place, error: PluginError) -> None:
        reason = make_printable(" ".join(str(error).split()), 400)
        optional = skipped.kind in ("channel", "responder")
        if optional:
            self.skipped.append(replace(skipped, reason=reason))
        self.checker.note("plugin", f"{path}: {reason}", place, warning=optional)

    # ── conversations ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _conversation(self, basics: CoreSettings | None) -> ConversationSettings:
        """Return the common policy; the default one if the file's cannot be used."""
        entry = self.entries.get("conversation")
        if entry and isinstance(entry.node, MapNode):
            self._names_exist(entry.node, "conversation")
        return self._settled(basics.conversation) if basics else ConversationSettings()

    def _channel_conversation(self, name: str, section: Node, common: ConversationSettings) -> ConversationSettings:
        """Return the common policy with a channel's overrides."""
        entry = section.entries.get("conversation") if isinstance(section, MapNode) else None
        path = f"channels.{make_key_printable(name)}.conversation"
        result: ConversationSettings | None = common
        if entry and isinstance(entry.node, MapNode):
            base = self.entries["conversation"].node if "conversation" in self.entries else None
            inherited = frozenset(every_node(base)) if base else frozenset()
            merged = merge(base, entry.node) if isinstance(base, MapNode) else entry.node
            result = self.checker.check(ConversationSettings, Subject(merged, entry.place, path, inherited=inherited))
            self._names_exist(entry.node, path)
        elif entry and not _empty(entry.node) and not _broken(entry.node):
            self.checker.note("value", f"{path} must be a block of keys and values", entry.place)
        result = self._settled(result) if result else common
        if result.responder is None and len(self.responders) > 1:
            place = place_of(self.entries, "conversation") or self.start
            names = ", ".join(map(make_key_printable, self.responders))
            message = f"there are several responders ({names}) and nothing says which one answers"
            hint = "add conversation: {responder: NAME}"
            if not self.reported_missing_responder:  # once, not for each channel
                self.checker.note("missing", message, place, hint)
            self.reported_missing_responder = True
        return result

    def _settled(self, conversation: ConversationSettings) -> ConversationSettings:
        """Return the policy with the only responder there is, if none is named, and without repeated fallbacks."""
        responder = conversation.responder
        if responder is None and len(self.responders) == 1:
            responder = self.responders[0]
        fallback = tuple(name for name in dict.fromkeys(conversation.fallback) if name != responder)
        return conversation.model_copy(update={"responder": responder, "fallback": fallback})

    def _names_exist(self, node: MapNode, path: str) -> None:
        """Report named responders that do not exist."""
        if not self.responders:  # that is said elsewhere
            return
        for key in ("responder", "fallback"):
            entry = node.entries.get(key)
            if entry is None:
                continue
            named = entry.node.items if isinstance(entry.node, ListNode) else (entry.node,)
            for scalar in named:
                if not isinstance(scalar, Scalar) or scalar.value is None or scalar.text in self.responders or _broken(scalar):
                    continue
                hint = suggest(scalar.text, self.responders) if scalar.origin == "file" else ""
                name = make_printable(scalar.text) if scalar.origin == "file" else "what it names"
                listed = f"there is {', '.join(map(make_key_printable, self.responders[:15]))}"
                self.checker.note("value", f"{path}.{key}: {name} is not one of the responders", scalar.place, hint or listed)


def _webhook_in(node: MapNode) -> str | None:
    """Return the path that a section names for its webhook."""
    for key in WEBHOOK_KEYS:
        entry = node.entries.get(key)
        if entry is not None and isinstance(entry.node, Scalar) and entry.node.text and entry.node.origin != "broken":
            return f"/{entry.node.text.lstrip('/')}"
    return None


def _empty(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None and node.origin != "broken"


def _broken(node: Node) -> bool:
    return isinstance(node, Scalar) and node.origin == "broken"
