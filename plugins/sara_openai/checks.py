"""The live checks of `sara doctor`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sara import Finding, Instant
from sara_openai.failures import understand
from sara_openai.options import OpenAIOptions

if TYPE_CHECKING:
    from openai import AsyncOpenAI


async def examine(client: AsyncOpenAI, options: OpenAIOptions, now: Instant) -> list[Finding]:
    """Look at the server, the key, the model and the instructions; a list of models is asked for, no answer."""
    findings = await _server(client, options, now)
    if not options.instructions.strip():
        findings.append(
            Finding(
                "instructions",
                "warning",
                "The model is told nothing about the business, so it will guess.",
                "Write opening hours, prices and the like into a file and name it: `instructions: !include instructions.md`.",
            )
        )
    return findings


async def _server(client: AsyncOpenAI, options: OpenAIOptions, now: Instant) -> list[Finding]:
    from aiohttp import ClientError
    from openai import OpenAIError

    try:
        async with asyncio.timeout(options.timeout / 1_000):
            page = await client.models.list()
    except (OpenAIError, ClientError, OSError, ValueError) as error:
        failed = understand(error, options.host, now)
        if failed.trouble is None:
            remedy = "Check `base_url`, that the server runs and that this machine may reach it."
            return [Finding("server", "bad", f"{failed.outcome}.", remedy)]
        return [Finding(failed.trouble.kind, "bad", f"{failed.trouble.message}.", failed.trouble.remedy)]
    return [Finding("server", "good", f"{options.host} answers and takes the key."), _model(page, options)]


def _model(page: object, options: OpenAIOptions) -> Finding:
    listed = getattr(page, "data", None)
    names = {getattr(model, "id", None) for model in listed} if isinstance(listed, list) else set()
    if options.model in names:
        return Finding("model", "good", f"{options.model} is there.")
    if not names:
        message = f"{options.host} lists no models, so whether {options.model} is there shows at the first answer."
        return Finding("model", "warning", message)
    remedy = "Check `model` for a name that this server has for this key."
    return Finding("model", "bad", f"{options.host} does not list {options.model}.", remedy)
