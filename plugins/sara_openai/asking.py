"""The loop behind every answer: ask, leave out what the server does not take, call the tools that the model wants, ask again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from sara import Context, Toolbox
from sara_openai.answer import Answer, added, interpreted
from sara_openai.completions import Completions
from sara_openai.dialect import Dialect
from sara_openai.failures import Failed, understand
from sara_openai.options import OpenAIOptions
from sara_openai.question import Question
from sara_openai.responses import Responses
from sara_openai.troubles import Troubles

if TYPE_CHECKING:
    from openai import AsyncOpenAI

log = structlog.get_logger("sara_openai")


class Asker:
    """Asks one model on one server, and remembers what it does not take."""

    def __init__(self, options: OpenAIOptions, context: Context, troubles: Troubles) -> None:
        self._options = options
        self._context = context
        self._troubles = troubles
        self._dialect: Dialect = Responses() if options.api == "responses" else Completions()
        self._takes_tools = True
        self._seals = True

    async def ask(self, client: AsyncOpenAI, question: Question, tools: Toolbox | None = None) -> Answer:
        """The model's answer, after at most `tool_rounds` rounds of calls to `tools`; its usage is that of all requests.

        Whatever a tool raises goes through untouched.
        """
        offered = tools.specs if tools is not None and self._takes_tools else ()
        question = replace(question, tools=tuple(offered), sealed=self._seals)
        usage = None
        rounds = 0
        while True:
            question, answer = await self._reach(client, question)
            usage = added(usage, answer.usage)
            answer = interpreted(answer, question.tools)
            if tools is None or not answer.calls or not question.tools or question.closing:
                return replace(answer, usage=usage)
            results = [
                self._dialect.result(call, call.fault or await tools.call(call.name, call.arguments)) for call in answer.calls
            ]
            echo = answer.echo or self._dialect.echo(answer.calls)
            rounds += 1
            question = replace(question, since=(*question.since, *echo, *results), closing=rounds >= self._options.tool_rounds)

    async def _reach(self, client: AsyncOpenAI, question: Question) -> tuple[Question, Answer]:
        """An answer, and the question that got it: what the server did not take is left out of it."""
        asked = question
        told: Failed | None = None
        while isinstance(answered := await self._call(client, asked), Failed):
            simpler = asked.simpler(answered)
            if simpler is None:
                raise self._troubles.outcome(told or answered)
            if asked.pictures and not simpler.pictures:
                told = answered  # that it is the pictures is only a guess: if it is wrong, this was the reason
            asked = simpler
        if told is not None:
            log.warning("pictures_refused", responder=self._context.name, error=str(told.outcome))
        self._learn(question, asked)
        return asked, answered

    async def _call(self, client: AsyncOpenAI, question: Question) -> Answer | Failed:
        """The answer to one request, or what its failure means. The failure itself ends here: it holds the request, key and all."""
        from aiohttp import ClientError
        from openai import OpenAIError

        request = self._dialect.request(question, self._options)
        try:
            answered = await self._dialect.endpoint(client)(**request)
        except (OpenAIError, ClientError, OSError, ValueError) as error:
            # ValueError is JSON that cannot be read; ClientError what the transport forgets to translate.
            return understand(error, self._options.host, self._context.clock(), tools=bool(question.tools))
        return self._dialect.read(answered, self._options.model)

    def _learn(self, question: Question, answered: Question) -> None:
        """Remember what the server did not take, so that it is not tried each time. A closing question may have been refused for
        saying that no more tools may be called: nothing is learnt from that."""
        if question.sealed and not answered.sealed:
            self._seals = False
        if question.closing or not question.tools:
            return
        key = f"responder:{self._context.name}:tools"
        if answered.tools:
            self._context.problems.clear(key)
            return
        self._takes_tools = False
        log.warning("tools_refused", responder=self._context.name, model=self._options.model)
        self._context.problems.report(
            key,
            f"{self._options.host} refuses requests with tools, so the responder {self._context.name} answers without them: "
            "it can hand over to nobody and look nothing up.",
            "Choose a `model` that can call tools, let the server allow it (vLLM: `--enable-auto-tool-choice`, llama.cpp: "
            "`--jinja`), or take the tools out of `conversation.tools`; then reload.",
            severity="warning",
            count=1,
        )
