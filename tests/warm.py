"""What a process has behind it from which `sara` commands are forked: every import, and what a start computes the same way each time.

Importing this module does it. What is there by then is excluded from the forks' garbage collections: they would look through all of
it, and copy each page of memory that it is in.
"""

from __future__ import annotations

import gc
from importlib import import_module
from pathlib import Path

from openai.types.chat import ChatCompletion
from sara_sqlite import damage

from sara.plugins.loader import Plugins
from sara.policy.keywords import KeywordMatcher

MODULES = (
    *("sara.cli.app", "sara.cli.context", "sara.cli.run", "sara.runtime.daemon"),
    *("sara_openai.responder", "sara_sqlite.store", "sara_sqlite.queue", "sara_whatsapp.channel", "sara_simulators.whatsapp"),
    *("openai.resources.chat.chat", "openai.resources.chat.completions.completions", "openai.resources.responses"),
    *("aiohttp.web", "anyio.streams.tls", "h11", "httpcore2", "jiter", "markdown_it", "truststore"),
    *("encodings.ascii", "encodings.utf_8_sig", "faulthandler", "importlib.readers", "importlib.resources.readers"),
    *("openai.lib.streaming.chat", "typer._adapters", "typer._click.decorators"),
)
"""What `sara run` has imported in the end."""

COMMANDS = [f"sara.cli.{path.stem}" for path in (Path(__file__).parents[1] / "sara" / "cli").glob("[!_]*.py")]
"""The modules of all commands."""

ANSWER = {
    "id": "1",
    "object": "chat.completion",
    "created": 1,
    "model": "model",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}

for name in (*MODULES, *COMMANDS):
    import_module(name)
# What does not change from one command to the next: the languages' words, the installed plugins, the schema of the database.
KeywordMatcher()
Plugins(None).available()
damage.tables()
ChatCompletion.construct(**ANSWER)  # the client builds its models only when the first answer is read
gc.collect()
gc.freeze()
