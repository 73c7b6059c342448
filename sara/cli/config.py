"""`sara check` and `sara schema`"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sara.cli.opening import plugins_beside, read
from sara.cli.output import print_json
from sara.config import schema as schema_of
from sara.errors import PluginError
from sara.plugins import REGISTERS, Kind

if TYPE_CHECKING:
    from sara.config.options import Options


def check(config: Path, *, strict: bool, as_json: bool) -> int:
    """Print every finding; 0 where the file is right. Unknown keys and missing plugins count: the file is not what it seems."""
    loaded, _ = read(config)
    findings = loaded.findings
    if as_json:
        print_json({"ok": not findings, "findings": [finding.as_json() for finding in findings]})
    else:
        for finding in findings:
            print(finding.render())
        print(f"{config}: {_verdict(len(findings))}")
    return 1 if findings else 0


def _verdict(count: int) -> str:
    return "all is well" if not count else f"{count} error{'s' if count > 1 else ''}"


def schema(config: Path) -> int:
    """Print the JSON Schema over all plugins found."""
    plugins = plugins_beside(config)
    models: dict[str, dict[str, type[Options]]] = {kind: {} for kind in REGISTERS}
    kinds: list[Kind] = ["channel", "responder", "store", "queue"]
    for name in plugins.available():
        for kind in kinds:
            try:
                models[kind][name] = plugins.options_of(kind, name)
            except PluginError:
                continue  # it does not bring this kind
    print_json(schema_of(models))
    return 0
