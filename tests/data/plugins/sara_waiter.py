"""A responder of a third party that takes orders by buttons and a list, and says what it was shown."""

from __future__ import annotations

import asyncio

from sara import (Context, OutgoingContent, Options, Reply, Responder, ToolCaller, Turn, hookimpl)

ready = asyncio.Event()
"""What an order waits for."""

CAKES = {
    "button": "See the cakes",
    "sections": [
        {
            "title": "Today",
            "rows": [
                {"id": "cake:apple", "title": "Apple cake", "description": "Still warm"},
                {"id": "cake:cheese", "title": "Cheese cake"},
            ],
        }
    ],
}
DRINK_OR_CAKE = {"buttons": [{"id": "go:drink", "title": "A drink"}, {"id": "go:cake", "title": "A cake"}]}


class WaiterOptions(Options):
    """Nothing to choose."""


class WaiterResponder(Responder):
    """Asks by buttons, then by a list, then takes the order once it is ready."""

    Options = WaiterOptions

    def __init__(self, options: WaiterOptions, context: Context) -> None:
        pass

    async def answer(self, turn: Turn, tools: ToolCaller | None = None) -> Reply:
        last = turn.messages[-1]
        if last.attachments:
            [file] = last.attachments
            return Reply((OutgoingContent(f"A {file.kind} of {file.size} bytes ({file.mime}): {last.text}"),))
        pressed = last.content.get("interactive", {})
        chosen = pressed.get(pressed.get("type"), {}).get("id")
        if chosen == "go:cake":
            return Reply((OutgoingContent("Which **cake**?", "list", CAKES),))
        if chosen:
            await ready.wait()
            return Reply((OutgoingContent(f"Coming: {last.text} ({chosen}), as you answered to “{last.quoted}”"),))
        return Reply((OutgoingContent("What would you *like*?", "buttons", DRINK_OR_CAKE),))


@hookimpl
def register_responders() -> list[type[Responder]]:
    """`plugin: waiter`."""
    return [WaiterResponder]
