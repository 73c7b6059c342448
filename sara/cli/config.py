"""`sara check` and `sara schema`"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sara.cli import doctor_checks, plugin_checks
from sara.cli.context import plugins_beside, read
from sara.cli.cross_checks import cross_checks
from sara.cli.output import print_json
from sara.config.diagnostics import Diagnostic
from sara.config.json_schema import schema as schema_of
from sara.config.loader import Loaded
from sara.config.tags import SECRETS
from sara.domain.errors import PluginError
from sara.plugins.loader import REGISTER_HOOKS, Kind

if TYPE_CHECKING:
    from sara.domain.options import Options


def check(config: Path, *, strict: bool, as_json: bool) -> int:
    """Print every finding; 0 where the file is right. Unknown keys and missing plugins count: the file is not what it seems. So does
    what the daemon takes and what cannot work. What could be had better is a warning, which counts with `strict`."""
    loaded, plugins = read(config)
    brought = plugin_checks.findings(loaded, plugins)
    compared = [*loaded.cautions, *loaded.advice, *brought, *cross_checks(loaded, plugins), *_warnings(loaded, config)]
    wrong = [*loaded.findings, *(each for each in compared if each.severity == "error")]
    warnings = [each for each in compared if each.severity == "warning"]
    if as_json:
        bad = bool(wrong or (strict and warnings))
        print_json({"ok": not bad, "findings": [finding.as_json() for finding in [*wrong, *warnings]]})
    else:
        for finding in sorted(wrong, key=_order):
            print(finding.render())
        for finding in sorted(warnings, key=_order):
            print(f"warning: {finding.render()}")
        print(f"{config}: {_verdict(len(wrong), len(warnings))}")
    return 1 if wrong or (strict and warnings) else 0


def _order(finding: Diagnostic) -> tuple[bool, Path, int, int]:
    """Sort by place in the file; findings about other files come last."""
    return finding.file.name == SECRETS, finding.file, finding.line, finding.column


def _verdict(errors: int, warnings: int) -> str:
    counted = [f"{count} {word}{'s' if count > 1 else ''}" for count, word in ((errors, "error"), (warnings, "warning")) if count]
    return ", ".join(counted) or "all is well"


def _warnings(loaded: Loaded, file: Path) -> Iterator[Diagnostic]:
    """Yield warnings about settings that work and should be changed."""
    config = loaded.config or loaded.partial
    if config is None:
        return
    if (admin := doctor_checks.of_admin(config)).state != "good" and loaded.positions is not None:
        place = loaded.positions.nearest("admin", "listen")
        yield loaded.positions.finding("value", f"admin.listen: {admin.message}", place, admin.remedy, warning=True)
    secrets = file.resolve().parent / SECRETS
    try:
        mode = secrets.stat().st_mode
    except OSError:
        return
    if mode & 0o077:
        message = "other users of this machine may read the secrets"
        yield Diagnostic("file", message, secrets, severity="warning", hint=f"chmod 600 {secrets}")


def schema(config: Path) -> int:
    """Print the JSON Schema over all plugins found."""
    plugins = plugins_beside(config)
    models: dict[str, dict[str, type[Options]]] = {kind: {} for kind in REGISTER_HOOKS}
    kinds: list[Kind] = ["channel", "responder", "store", "queue"]
    for name in plugins.available():
        for kind in kinds:
            try:
                models[kind][name] = plugins.options_of(kind, name)
            except PluginError:
                continue  # it does not bring this kind
    print_json(schema_of(models))
    return 0
