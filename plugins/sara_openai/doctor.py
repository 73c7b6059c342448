"""The live checks of `sara doctor`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sara import CheckResult, Context, GiveUp, HistoryMessage, RetryLater
from sara.helpers import ProblemRegistry
from sara_openai.alerts import ResponderAlerts
from sara_openai.api.errors import Failed, Sent, understand
from sara_openai.api.excerpts import excerpt
from sara_openai.api.result import words
from sara_openai.api.tool_loop import ModelSession
from sara_openai.options import OpenAIOptions
from sara_openai.prompt.request import ModelRequest

if TYPE_CHECKING:
    from openai import AsyncOpenAI

ASKED = "Answer with the one word OK."

_REACH = "Check `base_url`, that the server runs and that this machine may reach it."
_SLOW = "Raise `timeout` of the responder, choose a faster `model`, or see what keeps the server busy."


async def examine(client: AsyncOpenAI, options: OpenAIOptions, context: Context) -> list[CheckResult]:
    """Look at the server, the key, the model and the instructions: the models are listed, and one short answer is asked for."""
    listed = await _listed(client, options, context)
    if isinstance(listed, Failed) and listed.trouble is not None and listed.trouble.kind in ("credentials", "quota"):
        findings = [CheckResult(listed.trouble.kind, "bad", f"{listed.trouble.message}{_quoted(listed)}.", listed.trouble.remedy)]
    elif isinstance(listed, Failed) and listed.status is None:
        findings = [CheckResult("server", "bad", f"{listed.outcome}.", _REACH)]
    else:
        # A server that lists no models may well have them: only an answer tells.
        findings = await _answered(client, options, context, set() if isinstance(listed, Failed) else listed)
    if not options.instructions.strip():
        findings.append(
            CheckResult(
                "instructions",
                "warning",
                "The model is told nothing about the business, so it will guess.",
                "Write opening hours, prices and the like into a file and name it: `instructions: !include instructions.md`.",
            )
        )
    return findings


async def _listed(client: AsyncOpenAI, options: OpenAIOptions, context: Context) -> set[str] | Failed:
    """The names of the models that the server lists."""
    from aiohttp import ClientError
    from openai import OpenAIError

    try:
        async with asyncio.timeout(options.timeout / 1_000):
            page = await client.models.list()
    except (OpenAIError, ClientError, OSError, ValueError) as error:
        sent = Sent(excerpt=lambda said: excerpt(said, [options.key], []))
        return understand(error, options.host, context.clock(), sent)
    models = getattr(page, "data", None)
    names = {getattr(model, "id", None) for model in models} if isinstance(models, list) else set()
    return {name for name in names if isinstance(name, str)}


async def _answered(client: AsyncOpenAI, options: OpenAIOptions, context: Context, listed: set[str]) -> list[CheckResult]:
    """Whether the model answers; a problem that a daemon reported is neither made nor cleared by that."""
    aside = Context(name=context.name, state=context.state, clock=context.clock, problems=ProblemRegistry(context.clock))
    asker = ModelSession(options, aside, ResponderAlerts(aside))
    try:
        async with asyncio.timeout(options.timeout / 1_000):
            answer = await asker.ask(client, ModelRequest("", [HistoryMessage("doctor", "customer", ASKED, context.clock())]))
            words(answer)
    except TimeoutError:
        message = f"{options.host} did not answer within {options.timeout / 1_000:g} s."
        return [CheckResult("answer", "bad", message, _SLOW)]
    except (RetryLater, GiveUp) as error:
        problem = next(iter(aside.problems), None)
        kind = problem.key.rpartition(":")[2] if problem is not None else "answer"
        remedy = problem.remedy if problem is not None else _REACH
        said = f' (it said: "{error.detail}")' if error.detail else ""
        return [CheckResult(kind, "bad", f"{error}{said}.", remedy)]
    return [CheckResult("server", "good", f"{options.host} answers and takes the key."), _model(listed, options)]


def _model(listed: set[str], options: OpenAIOptions) -> CheckResult:
    """Whether the model that answered is listed by its name."""
    if not listed or _plain(options.model) in {_plain(name) for name in listed}:
        return CheckResult("model", "good", f"{options.model} answers.")
    remedy = "Look at `model`: the server may answer with another model for a name that it does not know."
    return CheckResult("model", "warning", f"{options.host} answers, and does not list {options.model}.", remedy)


def _plain(name: str) -> str:
    """A model's name without what servers write around it: Gemini lists `models/…`, Ollama `…:latest`."""
    return name.strip().lower().removeprefix("models/").removesuffix(":latest")


def _quoted(failed: Failed) -> str:
    return f' (it said: "{failed.detail}")' if failed.detail else ""
