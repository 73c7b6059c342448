"""A responder of a third party: says what it heard."""

from __future__ import annotations

from sara import (Context, OutgoingContent, Options, Reply, Responder, ToolCaller, Turn, hookimpl)


class ParrotOptions(Options):
    """How it speaks."""

    word: str = "parrot"


class ParrotResponder(Responder):
    """Repeats the unanswered messages."""

    Options = ParrotOptions

    def __init__(self, options: ParrotOptions, context: Context) -> None:
        self._word = options.word

    async def answer(self, turn: Turn, tools: ToolCaller | None = None) -> Reply:
        return Reply((OutgoingContent(f"{self._word}: {' | '.join(line.text for line in turn.messages)}"),))


@hookimpl
def register_responders() -> list[type[Responder]]:
    """`plugin: parrot`."""
    return [ParrotResponder]
