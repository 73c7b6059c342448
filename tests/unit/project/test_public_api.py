"""The public API: what it names, what it costs, what the manual says about it, and that nobody has another door."""

from __future__ import annotations

import ast
import builtins
import importlib
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import sara
from sara import SaraError
from tests.patience import patience
from tests.rows import each_row

ROOT = Path(__file__).parents[3]
MANUAL = ROOT / "plugins" / "README.md"
PLUGINS = sorted((ROOT / "plugins").glob("*/**/*.py"))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def homes() -> dict[str, str]:
    """Name → the module from which `sara` says that it comes."""
    stated = [node for node in tree(ROOT / "sara" / "__init__.py").body if isinstance(node, ast.If)]
    imports = [node for block in stated for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: str(node.module) for node in imports for alias in node.names}


def defined_in(path: Path) -> set[str]:
    """The names that a module makes itself."""
    names: set[str] = set()
    for node in tree(path).body:
        match node:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                names.add(node.name)
            case ast.Assign():
                names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
    return names


# ── what it names ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_public_name_says_where_it_comes_from() -> None:
    assert sorted(homes()) == sorted(sara.__all__)
    assert len(sara.__all__) == len(set(sara.__all__))


@each_row("name", sara.__all__)
def test_a_public_name_is_what_its_home_defines(name: str) -> None:
    home = homes()[name]
    assert getattr(sara, name) is getattr(importlib.import_module(home), name)
    assert name in defined_in(ROOT / (home.replace(".", "/") + ".py"))


def test_names_that_are_not_public_are_not_there() -> None:
    for name in ("Daemon", "Plugins", "_HOMES_", "hookspec"):
        with pytest.raises(AttributeError, match=f"module 'sara' has no attribute '{name}'"):
            getattr(sara, name)


def test_the_public_names_are_listed_for_the_curious() -> None:
    assert set(dir(sara)) >= set(sara.__all__)


CONTRACTS = {
    "base": "PluginObject",
    "channel": "Channel",
    "responder": "Responder",
    "tool": "Tool",
    "store": "Store",
    "queue": "Queue",
    "simulator": "Simulator",
    "context": "Context",
    "checks": "CheckResult",
}
"""The contract in each module of the plugin boundary."""

PUBLIC = ("sara", "sara.helpers", "sara.engines")


def public_names() -> set[str]:
    return {name for module in PUBLIC for name in importlib.import_module(module).__all__}


def signature_names() -> Iterator[tuple[str, str]]:
    """(method, name) for each name in the annotations of what plugins extend or are given."""
    for node in [node for module in CONTRACTS for node in tree(ROOT / "sara" / "plugins" / f"{module}.py").body]:
        if not isinstance(node, ast.ClassDef) or node.name not in CONTRACTS.values():
            continue
        for member in node.body:
            annotations: list[ast.expr | None] = []
            if isinstance(member, ast.AnnAssign):
                where = f"{node.name}.{ast.unparse(member.target)}"
                annotations = [member.annotation]
            elif isinstance(member, (ast.FunctionDef, ast.AsyncFunctionDef)):
                where = f"{node.name}.{member.name}"
                arguments = [*member.args.args, *member.args.kwonlyargs]
                annotations = [member.returns, *(argument.annotation for argument in arguments)]
            for annotation in filter(None, annotations):
                literals = {id(inner) for outer in ast.walk(annotation) if _literal(outer) for inner in ast.walk(outer)}
                for inner in ast.walk(annotation):
                    if isinstance(inner, ast.Name) and id(inner) not in literals:
                        yield where, inner.id


def _literal(node: ast.AST) -> bool:
    return isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == "Literal"


def test_a_plugin_can_write_every_signature_of_its_contract_with_public_names() -> None:
    """A class that extends a contract repeats its signatures; a type that only the core can import would shut others out."""
    imported: set[str] = set()
    for node in [node for module in CONTRACTS for node in ast.walk(tree(ROOT / "sara" / "plugins" / f"{module}.py"))]:
        if isinstance(node, ast.Import) or (isinstance(node, ast.ImportFrom) and not str(node.module).startswith("sara")):
            imported |= {alias.name for alias in node.names}
    at_hand = {*imported, *vars(builtins), *public_names(), "T"}
    assert sorted({f"{where}: {name}" for where, name in signature_names() if name not in at_hand}) == []


# ── what it costs ─────────────────────────────────────────────────────────────────────────────────────────────────────────


IMPORTS = (
    "import sara",
    "from sara import Rejected, OutboundMessage, split_text, Channel, Responder, Tool, Context, hookimpl",
    "import sara_whatsapp",
    "import sara_openai",
    "import sara_sqlite",
)
HEAVY = {"aiohttp", "openai", "pydantic"}


@cache
def imported() -> dict[str, set[str]]:
    """The modules that a fresh interpreter has after each of the statements, one after the other."""
    code = "import json, sys\nfor each in sys.argv[1:]:\n    exec(each)\n    print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, *IMPORTS], capture_output=True, text=True, check=True, timeout=patience(60)
    )
    return {statement: set(json.loads(line)) for statement, line in zip(IMPORTS, done.stdout.splitlines(), strict=True)}


@each_row("statement", IMPORTS)
def test_importing_sara_or_a_bundled_plugin_imports_nothing_heavy(statement: str) -> None:
    """Nor do they all together: what the first of the rows that fail names has brought it."""
    assert imported()[statement] & {*HEAVY, "aiosqlite"} == set()


def test_import_sara_alone_imports_none_of_its_own_modules() -> None:
    assert {name for name in imported()["import sara"] if name.startswith("sara")} == {"sara"}


# ── what the manual says ──────────────────────────────────────────────────────────────────────────────────────────────────


def hooks() -> list[tuple[str, str]]:
    """Each hook's signature and its sentence, in order."""
    found = []
    for node in tree(ROOT / "sara" / "plugins" / "hookspecs.py").body:
        if isinstance(node, ast.FunctionDef) and any(ast.unparse(each) == "hookspec" for each in node.decorator_list):
            assert node.returns is not None
            found.append((f"{node.name}({ast.unparse(node.args)}) -> {ast.unparse(node.returns)}", ast.get_docstring(node) or ""))
    return found


def test_the_manual_has_a_heading_for_each_hook_with_its_signature_and_its_sentence() -> None:
    section = re.search(r"^## Hooks\n(.*?)^## ", MANUAL.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert section is not None
    assert re.findall(r"^### `(.+)`\n\n(.+)$", section[1], re.MULTILINE) == hooks()


def test_each_hook_is_one_sentence() -> None:
    for signature, sentence in hooks():
        assert re.fullmatch(r"[A-Z`][^\n]+[^.]\.", sentence), signature


def test_the_manual_names_every_error_that_a_plugin_can_raise() -> None:
    manual = MANUAL.read_text(encoding="utf-8")
    known = vars(importlib.import_module("sara.domain.errors"))
    errors = [
        name for name in public_names() if name in known and isinstance(known[name], type) and issubclass(known[name], SaraError)
    ]
    explained = {name for name in errors if re.search(rf"^\| .* \| `{name}\b", manual, re.MULTILINE)}
    assert explained == set(errors) - {"SaraError", "ConfigError", "PluginError"}


def test_what_the_manual_imports_from_sara_is_public() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", MANUAL.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    imports = [
        node for block in blocks for node in ast.walk(ast.parse(block)) if isinstance(node, ast.ImportFrom)
        if (node.module or "").partition(".")[0] == "sara"
    ]  # fmt: skip
    assert {str(node.module) for node in imports} <= {*PUBLIC, "sara.testing"}
    for node in imports:
        assert {alias.name for alias in node.names} <= set(importlib.import_module(str(node.module)).__all__)


def test_the_readme_is_right_about_how_long_a_channel_of_ones_own_is() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", MANUAL.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    [channel] = [block for block in blocks if "(Channel)" in block]
    said = re.search(r"one file of less than (\d+) lines", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert said is not None
    assert channel.count("\n") < int(said[1])


# ── nobody has another door ───────────────────────────────────────────────────────────────────────────────────────────────


@cache
def imports(path: Path) -> list[ast.Import | ast.ImportFrom]:
    return [node for node in ast.walk(tree(path)) if isinstance(node, (ast.Import, ast.ImportFrom))]


def modules_imported(path: Path) -> Iterator[str]:
    for node in imports(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        else:
            yield "." * node.level + (node.module or "")


@each_row("path", PLUGINS)
def test_a_plugin_imports_of_the_core_only_sara_itself_and_no_other_plugin(path: Path) -> None:
    own = path.relative_to(ROOT / "plugins").parts[0]
    strange = [
        name for name in modules_imported(path)
        if name.startswith(("sara.", "sara_")) and name.partition(".")[0] != own and name not in PUBLIC
    ]  # fmt: skip
    assert strange == []


@each_row("path", PLUGINS)
def test_a_plugin_uses_only_public_names_of_sara(path: Path) -> None:
    for node in imports(path):
        if isinstance(node, ast.ImportFrom) and node.module in PUBLIC:
            assert {alias.name for alias in node.names} <= set(importlib.import_module(str(node.module)).__all__)


def test_the_architectures_own_list_names_every_module_of_the_core() -> None:
    """What `lint-imports` forbids to plugins and exams cannot go stale."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = {each["name"]: each for each in project["tool"]["importlinter"]["contracts"]}
    listed = contracts["Plugins and the exams use the public API alone"]["forbidden_modules"]
    there = {f"sara.{each.name.removesuffix('.py')}" for each in (ROOT / "sara").iterdir() if _is_module(each)}
    assert sorted(listed) == sorted(there - {"sara.testing", "sara.helpers", "sara.engines"})


def _is_module(path: Path) -> bool:
    return (path / "__init__.py").is_file() or (path.suffix == ".py" and not path.name.startswith("_"))


def test_everything_that_is_installed_with_sara_is_used() -> None:
    """A dependency that nothing imports is only somebody else's door."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = {re.split(r"[\[<>=!~ ]", each)[0] for each in project["dependencies"]}
    modules = {"prometheus-client": "prometheus_client", "pyyaml": "yaml", "markdown-it-py": "markdown_it", "tzdata": "zoneinfo"}
    unused = {modules.get(name, name) for name in named}
    for path in [*PLUGINS, *(ROOT / "sara").glob("**/*.py")]:
        if any(name in path.read_text(encoding="utf-8") for name in unused):  # others need not be parsed
            unused -= {name.partition(".")[0] for name in modules_imported(path)}
    assert unused == set()
    assert "optional-dependencies" not in project


def test_the_exams_use_only_the_public_api_and_pytest() -> None:
    for path in (ROOT / "sara" / "testing").rglob("*.py"):
        core = {name for name in modules_imported(path) if name.partition(".")[0] == "sara"}
        assert {name for name in core if not name.startswith("sara.testing")} <= set(PUBLIC)
        strange = {name.partition(".")[0] for name in modules_imported(path)} - {*sys.stdlib_module_names, "sara", "pytest"}
        assert strange == set()
