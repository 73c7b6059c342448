"""A responder whose checks go wrong in the way that its option says."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from sara import (Context, CheckResult, Options, Reply, Responder, Secret, ToolCaller, Turn, hookimpl)


class AilingOptions(Options):
    """What is wrong."""

    ails: str = ""
    key: Secret = Secret("")


class AilingResponder(Responder):
    Options = AilingOptions

    def __init__(self, options: AilingOptions, context: Context) -> None:
        self.options = options
        self.context = context

    async def answer(self, turn: Turn, tools: ToolCaller | None = None) -> Reply:
        return Reply(())

    async def close(self) -> None:
        if self.options.ails == "close":
            raise RuntimeError(self.options.key.reveal())

    async def checks(self, fix: bool = False) -> Sequence[CheckResult]:
        match self.options.ails:
            case "raises":
                raise RuntimeError(self.options.key.reveal())
            case "talks":
                return [CheckResult("key", "bad", f"{self.options.key.reveal()} is wrong.", f"Not {self.options.key.reveal()}.")]
            case "rubbish":
                rubbish: Any = ["fine"]
                return rubbish
            case "hangs":
                await asyncio.Event().wait()
            case "clings":
                while True:
                    try:
                        await asyncio.sleep(3_600)
                    except asyncio.CancelledError:
                        continue
        told = f"{self.context.public_url} {self.context.read_only} {fix}"
        return [] if self.options.ails == "nothing" else [CheckResult("told", "good", told), CheckResult("note", "note", "by the way")]


@hookimpl
def register_responders() -> Sequence[type[Responder]]:
    return [AilingResponder]
