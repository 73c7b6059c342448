"""The checks of `sara doctor` for one responder."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sara import CheckResult, Context, GiveUp, HistoryMessage, RetryLater
from sara.helpers import ProblemRegistry
from sara_openai.alerts import ResponderAlerts
from sara_openai.api.errors import CallFailure, SentRequest, classify_exception
from sara_openai.api.excerpts import redact_excerpt
from sara_openai.api.result import answer_text
from sara_openai.api.tool_loop import ModelSession
from sara_openai.options import OpenAIOptions
from sara_openai.prompt.request import ModelRequest

if TYPE_CHECKING:
    from openai import AsyncOpenAI

TEST_QUESTION = "Answer with the one word OK."

_REACH_REMEDY = "Check `base_url`, that the server runs, and that this machine can reach it."
_SLOW_REMEDY = "Raise the responder's `timeout`, choose a faster `model`, or check the load of the server."


async def run_checks(client: AsyncOpenAI, options: OpenAIOptions, context: Context) -> list[CheckResult]:
    """Check the server, the key, the model and the instructions: list the models and ask for one short answer."""
    listed = await _list_models(client, options, context)
    if isinstance(listed, CallFailure) and listed.setup_error is not None and listed.setup_error.kind in ("credentials", "quota"):
        results = [
            CheckResult(
                listed.setup_error.kind, "bad", f"{listed.setup_error.message}{_quote_server(listed)}.", listed.setup_error.remedy
            )
        ]
    elif isinstance(listed, CallFailure) and listed.status is None:
        results = [CheckResult("server", "bad", f"{listed.outcome}.", _REACH_REMEDY)]
    else:
        # A server that lists no models may still have them: only an answer shows it.
        results = await _check_answer(client, options, context, set() if isinstance(listed, CallFailure) else listed)
    if not options.instructions.strip():
        results.append(
            CheckResult(
                "instructions",
                "warning",
                "`instructions` is empty: the model knows nothing about the business and will guess.",
                "Write opening hours, prices and other facts into a file and include it: `instructions: !include instructions.md`.",
            )
        )
    return results


async def _list_models(client: AsyncOpenAI, options: OpenAIOptions, context: Context) -> set[str] | CallFailure:
    """Return the names of the models that the server lists."""
    from aiohttp import ClientError
    from openai import OpenAIError

    try:
        async with asyncio.timeout(options.timeout / 1_000):
            page = await client.models.list()
    except (OpenAIError, ClientError, OSError, ValueError) as error:
        sent = SentRequest(excerpt=lambda said: redact_excerpt(said, [options.key], []))
        return classify_exception(error, options.host, context.clock(), sent)
    models = getattr(page, "data", None)
    names = {getattr(model, "id", None) for model in models} if isinstance(models, list) else set()
    return {name for name in names if isinstance(name, str)}


async def _check_answer(client: AsyncOpenAI, options: OpenAIOptions, context: Context, listed: set[str]) -> list[CheckResult]:
    """Check that the model answers, with alerts of its own, so that problems of a running daemon stay unchanged."""
    isolated = Context(name=context.name, state=context.state, clock=context.clock, problems=ProblemRegistry(context.clock))
    session = ModelSession(options, isolated, ResponderAlerts(isolated))
    try:
        async with asyncio.timeout(options.timeout / 1_000):
            answer = await session.ask(
                client, ModelRequest("", [HistoryMessage("doctor", "customer", TEST_QUESTION, context.clock())])
            )
            answer_text(answer)
    except TimeoutError:
        message = f"{options.host} did not answer within {options.timeout / 1_000:g} s."
        return [CheckResult("answer", "bad", message, _SLOW_REMEDY)]
    except (RetryLater, GiveUp) as error:
        problem = next(iter(isolated.problems), None)
        kind = problem.key.rpartition(":")[2] if problem is not None else "answer"
        remedy = problem.remedy if problem is not None else _REACH_REMEDY
        said = f' (it said: "{error.detail}")' if error.detail else ""
        return [CheckResult(kind, "bad", f"{error}{said}.", remedy)]
    return [CheckResult("server", "good", f"{options.host} answers and accepts the key."), _check_model(listed, options)]


def _check_model(listed: set[str], options: OpenAIOptions) -> CheckResult:
    """Check that the server lists the model that answered."""
    if not listed or _normalise_model(options.model) in {_normalise_model(name) for name in listed}:
        return CheckResult("model", "good", f"{options.model} answers.")
    remedy = "Check `model`: for an unknown name a server may answer with another model."
    return CheckResult("model", "warning", f"{options.host} answers but does not list {options.model}.", remedy)


def _normalise_model(name: str) -> str:
    """Return a model's name without a server's additions: Gemini lists `models/…`, Ollama `…:latest`."""
    return name.strip().lower().removeprefix("models/").removesuffix(":latest")


def _quote_server(failed: CallFailure) -> str:
    return f' (it said: "{failed.detail}")' if failed.detail else ""
