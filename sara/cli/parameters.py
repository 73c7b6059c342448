"""Options and arguments that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sara.cli.invocation import find_config

Config = Annotated[
    Path,
    typer.Option(
        "--config",
        "-c",
        help="Configuration file.",
        default_factory=find_config,
        show_default="$SARA_CONFIG, ./sara.yaml, /etc/sara/sara.yaml",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Limit = Annotated[int, typer.Option(help="Maximum number of rows.", min=1, max=100_000)]
Conversation = Annotated[str, typer.Argument(help="Id of the conversation, such as c7; see `sara conversations list`.")]
