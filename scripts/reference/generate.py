"""The pages of docs/reference/ and their titles."""

from __future__ import annotations

from scripts.reference import running
from scripts.reference.pages import hooks, http, log_events, metrics, problems
from scripts.reference.source import ROOT, Source

FOLDER = ROOT / "docs" / "reference"

TITLES = {
    "configuration.md": "Configuration keys",
    "commands.md": "Commands",
    "http.md": "HTTP endpoints",
    "hooks.md": "Hooks",
    "metrics.md": "Metrics",
    "problems.md": "Problems",
    "log-events.md": "Log events",
}


def pages() -> dict[str, str]:
    """Return file name → text of every page."""
    source = Source("sara", "plugins")
    bodies = {
        "configuration.md": running.configuration(),
        "commands.md": running.commands(),
        "http.md": http(source),
        "hooks.md": hooks(source),
        "metrics.md": metrics(source),
        "problems.md": problems(source),
        "log-events.md": log_events(source),
    }
    return {
        name: f"<!-- Written by `make reference` from the code; do not edit. -->\n\n# {TITLES[name]}\n\n{body}"
        for name, body in bodies.items()
    }
