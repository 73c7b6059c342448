"""`!secret`, `!env` and `!include`: the tree of sara.yaml with everything looked up."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from sara.config.advice import fault_of_secret, is_stand_in
from sara.config.diagnostics import Diagnostic, Kind
from sara.config.nodes import Entry, ListNode, MapNode, Node, Place, Scalar, Source
from sara.config.yaml_parser import ABOUT_QUOTES, DEEPEST, LARGEST, meaning, parse, split_lines, whole_characters
from sara.domain.suggestions import make_printable

SECRETS = "secrets.yaml"
MOST_INCLUDES = 100

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


@dataclass(slots=True)
class Document:
    """sara.yaml with all that it includes. `root` is None if the main file could not be read or parsed.

    `sources` are the files of which lines may be shown; secrets.yaml is not among them. `secrets` are the texts that must
    never be shown. `advice` are findings about secrets that can be used and look wrong.
    """

    root: Node | None = None
    sources: dict[Path, Source] = field(default_factory=dict)
    findings: list[Diagnostic] = field(default_factory=list)
    advice: list[Diagnostic] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)


class Unreadable(Exception):
    """A file cannot be used; the text says why. `line` and `column` are 0 where it is the file as a whole."""

    def __init__(self, why: str, line: int = 0, column: int = 0) -> None:
        super().__init__(why)
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class Kept:
    """A secret, and where it is kept."""

    text: str
    place: Place


class Absent(Unreadable):
    """There is no such file."""


class Forbidden(Unreadable):
    """This user may not read the file."""


def read_text(path: Path) -> str:
    """Return a file's text. Raises Absent if there is none, Forbidden if this user may not read it, Unreadable if it is not a
    file, too large or not UTF-8."""
    try:
        if path.exists() and not path.is_file():  # a pipe would never end
            raise Unreadable("is not a file")
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise Absent("does not exist") from None
    except PermissionError:
        raise Forbidden("may not be read by this user") from None
    except (OSError, ValueError) as error:
        raise Unreadable(f"cannot be read: {getattr(error, 'strerror', None) or 'the name is not possible'}") from None
    if len(raw) > LARGEST:
        raise Unreadable(f"is larger than {LARGEST // 1024} KiB")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = split_lines(raw[: error.start].decode("utf-8-sig", "replace"))
        raise Unreadable("is not UTF-8 text; save it as UTF-8", len(before), len(before[-1]) + 1) from None


def read_document(path: Path, environ: Mapping[str, str]) -> Document:
    """Read sara.yaml and everything its tags point to. Never raises for what is in the files."""
    document = Document()
    try:
        text = read_text(path)
    except Unreadable as error:
        hint = "create one, or say where it is with --config FILE" if isinstance(error, Absent) else ""
        document.findings.append(Diagnostic("file", f"the configuration {error}", path, error.line, error.column, hint=hint))
        return document
    source = parse(text, path)
    document.sources[path] = source
    document.findings.extend(source.findings)
    if source.root is not None:
        document.root = _Resolver(document, path, environ).resolve(source.root, 1, (_real(path),))
    return document


def _real(path: Path) -> Path:
    """Return the path without symbolic links; the path itself where that cannot be found out."""
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):
        return path


class _Resolver:
    """Walks the tree once and replaces tagged values."""

    def __init__(self, document: Document, main: Path, environ: Mapping[str, str]) -> None:
        self.document = document
        self.home = main.parent
        self.environ = environ
        self.includes = 0
        credentials = environ.get("CREDENTIALS_DIRECTORY")
        self.credentials = Path(credentials) if credentials else None
        self.vaults: list[dict[str, Kept]] | None = None
        self.vault_unusable = False
        self.locked = False  # the file beside is not for this user, who is given its secrets as credentials

    def resolve(self, node: Node, depth: int, chain: tuple[Path, ...]) -> Node:
        """Return the node with its tags looked up. `chain` are the files that include one another down to here."""
        if isinstance(node, Scalar):
            if node.tag == "secret":
                return self._secret(node)
            if node.tag == "env":
                return self._env(node)
            return self._include(node, depth, chain) if node.tag == "include" else node
        if depth > DEEPEST:
            return self._broken(node.place, "include", f"with what it includes, this is nested more than {DEEPEST} levels deep")
        if isinstance(node, ListNode):
            return ListNode(node.place, tuple(self.resolve(item, depth + 1, chain) for item in node.items))
        entries = {key: Entry(entry.place, self.resolve(entry.node, depth + 1, chain)) for key, entry in node.entries.items()}
        return MapNode(node.place, MappingProxyType(entries))

    def _broken(self, place: Place, kind: Kind, message: str, hint: str = "") -> Scalar:
        self.document.findings.append(Diagnostic(kind, message, place.file, place.line, place.column, hint=hint))
        return Scalar(place, (place.line, place.column), "", "", origin="broken")

    # ── !env ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _env(self, node: Scalar) -> Scalar:
        name, *default = node.text.split(None, 1) or [""]
        if not _NAME.fullmatch(name):
            return self._broken(node.place, "env", "!env needs the name of an environment variable", "write !env NAME default")
        text = self.environ.get(name, default[0] if default else None)
        if text is None:
            hint = f"set it, or write a default behind it: !env {name} default"
            return self._broken(node.place, "env", f"the environment variable {name} is not set", hint)
        if whole_characters(text) != text:
            return self._broken(node.place, "env", f"the environment variable {name} does not hold plain text")
        return replace(node, value=meaning(text), text=text, tag="", origin="env")

    # ── !secret ───────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _secret(self, node: Scalar) -> Scalar:
        name = node.text
        if not _NAME.fullmatch(name):
            return self._broken(node.place, "secret", "!secret needs the name of a secret: letters, digits, _ . -")
        kept = self._find_secret(name, node.place)
        text = kept.text if kept else None
        if not text and self.vault_unusable:  # that is reported already; the contents of the file are unknown
            return replace(node, value="", text="", tag="", origin="broken")
        if not text:
            state = "is missing" if text is None else "is empty"
            variable = _variable(name)
            hint = (
                f'write `{name}: "…"` into {self.home / SECRETS}, or set the environment variable {variable}, '
                f"or give it as a systemd credential of that name"
            )
            if self.locked:
                hint = (
                    f"this user may not read {self.home / SECRETS} and is handed a copy when the service starts: write it there "
                    f"and restart, or set the environment variable {variable}"
                )
            return self._broken(node.place, "secret", f"the secret {name} {state}", hint)
        if whole_characters(text) != text:
            return self._broken(node.place, "secret", f"the secret {name} is not plain text")
        self.document.secrets.add(text)
        if kept:
            self._judge(name, kept)
        return replace(node, value=text, text=text, tag="", origin="secret")

    def _judge(self, name: str, kept: Kept) -> None:
        """Report faults of a secret that can be used. Its text is not repeated."""
        place = kept.place
        if fault := fault_of_secret(kept.text):
            message, hint = f"the secret {name} {fault}", "copy it again, and nothing else"
        elif is_stand_in(kept.text):
            message, hint = f"the secret {name} is an example that stands for the real one", "write the real one there"
        else:
            return
        self.document.advice.append(Diagnostic("example", message, place.file, place.line, place.column, hint=hint))

    def _find_secret(self, name: str, named_at: Place) -> Kept | None:
        """Return the first value that exists and is not empty: of the files, a credential of that name, the environment."""
        if self.vaults is None:
            folders = [self.home] + ([self.credentials] if self.credentials else [])
            self.vaults = [self._vault(folder / SECRETS) for folder in folders]
        found = [vault[name] for vault in self.vaults if name in vault]
        if self.credentials and not any(kept.text for kept in found):
            credential = self.credentials / name
            try:
                found.append(Kept(read_text(credential).rstrip("\r\n"), Place(credential, 1, 1)))
            except Absent:
                pass
            except Unreadable as error:
                self.document.findings.append(Diagnostic("file", f"this credential {error}", self.credentials / name))
        if _variable(name) in self.environ:
            found.append(Kept(self.environ[_variable(name)], named_at))
        return next((kept for kept in found if kept.text), found[0] if found else None)

    def _unusable(self, finding: Diagnostic) -> None:
        self.document.findings.append(finding)
        self.vault_unusable = True

    def _vault(self, path: Path) -> dict[str, Kept]:
        """Return the secrets in one file; none if it does not exist. Errors in it are reported without its own words."""
        try:
            source = parse(read_text(path), path)
        except Unreadable as error:
            if isinstance(error, Forbidden) and self.credentials and path.parent == self.home:
                self.locked = True
            elif not isinstance(error, Absent):
                self._unusable(Diagnostic("file", f"{path.name} {error}", path, error.line, error.column))
            return {}
        rule = 'write one `name: "value"` a line'
        for finding in source.findings:
            told = (
                finding
                if finding.message in ABOUT_QUOTES
                else replace(finding, message="this cannot be understood as a secret", hint=rule)
            )
            self.document.findings.append(told)
        root = source.root
        if not isinstance(root, MapNode):
            self.vault_unusable |= root is None
            if isinstance(root, ListNode) or (isinstance(root, Scalar) and root.text):
                self._unusable(Diagnostic("syntax", "secrets are names and values", path, 1, 1, hint=rule))
            return {}
        secrets: dict[str, Kept] = {}
        for name, entry in root.entries.items():
            node = entry.node
            if isinstance(node, Scalar) and not node.tag and node.origin == "file":
                secrets[name] = Kept("" if node.value is None else node.text, node.place)
            elif not isinstance(node, Scalar) or node.tag:
                place = entry.place
                self.document.findings.append(
                    Diagnostic("syntax", "a secret must be a single text", path, place.line, place.column, hint=rule)
                )
        return secrets

    # ── !include ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _include(self, node: Scalar, depth: int, chain: tuple[Path, ...]) -> Node:
        self.includes += 1
        name = make_printable(node.text)
        path = node.place.file.parent / node.text
        real = _real(path)
        if not node.text:
            return self._broken(node.place, "include", "!include needs the name of a file")
        if not real.is_relative_to(_real(self.home)):
            message = f"{name} is outside the folder of the configuration"
            return self._broken(node.place, "include", message, f"move it into {self.home}")
        if real in (_real(self.home / SECRETS), _real(self.home) / SECRETS):
            return self._broken(node.place, "include", f"{SECRETS} cannot be included", "use !secret NAME")
        if real in chain:
            return self._broken(node.place, "include", f"{name} includes itself")
        if self.includes > MOST_INCLUDES:
            return self._broken(node.place, "include", f"more than {MOST_INCLUDES} files are included")
        is_yaml = path.suffix.lower() in (".yaml", ".yml")
        try:
            known = self.document.sources.get(path)
            text = "" if known else read_text(path)
        except Unreadable as error:
            where = f" (line {error.line}, column {error.column})" if error.line else ""
            return self._broken(node.place, "include", f"{name} {error}{where}")
        if not is_yaml:
            if whole_characters(text) is None:
                return self._broken(node.place, "include", f"{name} is not a text file")
            return replace(node, value=text, text=text, tag="", origin="include")
        source = known or parse(text, path)
        if not known:
            self.document.sources[path] = source
            self.document.findings.extend(source.findings)
        if source.root is None:
            return Scalar(node.place, node.end, "", "", origin="broken")
        return self.resolve(source.root, depth, (*chain, real))


def _variable(name: str) -> str:
    """Return the environment variable that may hold a secret: `whatsapp_app_secret` → `WHATSAPP_APP_SECRET`."""
    return re.sub(r"[.-]", "_", name).upper()
