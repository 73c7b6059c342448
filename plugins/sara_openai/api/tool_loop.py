"""The loop behind every answer: ask, leave out what the server does not take, call the tools that the model wants, ask again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import structlog

from sara import Context, GiveUp, ToolCaller
from sara_openai.alerts import ResponderAlerts
from sara_openai.api.capabilities import Learnt
from sara_openai.api.chat_completions import Completions
from sara_openai.api.error_kinds import OWN_PARAMETERS
from sara_openai.api.errors import Extent, Failed, Sent, refusal, understand, unsettled
from sara_openai.api.excerpts import excerpt
from sara_openai.api.protocol import ModelApi
from sara_openai.api.responses import Responses
from sara_openai.api.result import Answer, added, interpreted
from sara_openai.options import OpenAIOptions
from sara_openai.prompt.request import ModelRequest

if TYPE_CHECKING:
    from openai import AsyncOpenAI

log = structlog.get_logger("sara_openai")

ANSWERED_BADLY = 502
"""The status of an error that came with a 200 and names none."""


@dataclass(frozen=True, slots=True)
class Step:
    """A refused question, the refusal, and the simpler question that was put after it."""

    before: ModelRequest
    failed: Failed
    after: ModelRequest


class ModelSession:
    """Asks one model on one server, and remembers for a while what it does not take."""

    def __init__(self, options: OpenAIOptions, context: Context, troubles: ResponderAlerts) -> None:
        self._options = options
        self._context = context
        self._troubles = troubles
        self._dialect: ModelApi = Responses() if options.api == "responses" else Completions()
        self._learnt = Learnt(context.clock)

    async def ask(self, client: AsyncOpenAI, question: ModelRequest, tools: ToolCaller | None = None) -> Answer:
        """The model's answer, after at most `tool_rounds` rounds of calls to `tools`; its usage is that of all requests.

        Whatever a tool raises goes through untouched.
        """
        question = self._learnt.applied(replace(question, tools=tuple(tools.specs) if tools is not None else ()))
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

    async def _reach(self, client: AsyncOpenAI, question: ModelRequest) -> tuple[ModelRequest, Answer]:
        """An answer, and the question that got it: what the server did not take is left out of it."""
        asked = question
        steps: list[Step] = []
        while isinstance(answered := await self._call(client, asked), Failed):
            simpler = asked.simpler(answered)
            if simpler is None:
                raise self._troubles.outcome(await self._verdict(client, asked, answered, steps))
            if answered.kind == "length" and not simpler.since and simpler.size < asked.size:
                self._learnt.fits(simpler.size)  # at once: should the time run out, the next try goes on from here
            steps.append(Step(asked, answered, simpler))
            asked = simpler
        self._learnt.answered()
        self._learn(asked, steps)
        return asked, answered

    async def _call(self, client: AsyncOpenAI, question: ModelRequest) -> Answer | Failed:
        """The answer to one request, or what its failure means. The failure itself ends here: it holds the request, key and all."""
        from aiohttp import ClientError
        from openai import OpenAIError

        host, now = self._options.host, self._context.clock()
        request = self._dialect.request(question, self._options)
        options = frozenset(request.keys() & OWN_PARAMETERS.keys())
        sent = Sent(bool(question.tools), bool(question.shown), options, lambda said: self._excerpt(said, question))
        try:
            answered = await self._dialect.send(client, request)
        except (OpenAIError, ClientError, OSError, ValueError) as error:
            # ValueError is JSON that cannot be read; ClientError what the transport forgets to translate.
            return understand(error, host, now, sent)
        read = self._dialect.read(answered, self._options.model)
        if isinstance(read, Answer):
            return read
        # An answer that broke off, or an error that names no status, may be of this conversation alone.
        scope: Extent = "conversation" if read.status is None else "responder"
        return refusal(read.status or ANSWERED_BADLY, read, {}, host, now, sent, scope=scope)

    def _excerpt(self, said: str, question: ModelRequest) -> str:
        lines = (*question.history, *question.messages)
        texts = [question.heard.get(line.id, "") + " " + line.text for line in lines]
        return excerpt(said, [self._options.key], [question.private, *texts], question.names)

    async def _verdict(self, client: AsyncOpenAI, asked: ModelRequest, last: Failed, steps: Sequence[Step]) -> Failed:
        """What to make of a question that was refused in every form: whether the message or a setting is at fault."""
        if not isinstance(last.outcome, GiveUp):
            return last
        first = steps[0].failed if steps else last
        if last.kind == "length" and asked.whole:
            return last
        if last.kind == "length":
            self._learnt.fits(None)
            what = "even a short message: the instructions alone are longer than the model takes"
            return unsettled(last, self._options.host, what, "Shorten `instructions`, or choose a `model` with a larger context.")
        probed = await self._call(client, asked.probe())
        remedy = "Read what the server said, and check `model`, `base_url`, `api`, `temperature` and `instructions`; then reload."
        if isinstance(probed, Failed):
            if not isinstance(probed.outcome, GiveUp):
                return probed
            return unsettled(first, self._options.host, "what is asked in every conversation", remedy)
        if first.kind != "filter" and self._learnt.refused(asked.conversation, f"{first.status} {first.detail}"):
            return unsettled(first, self._options.host, "one conversation after the other", remedy)
        return first if isinstance(first.outcome, GiveUp) else last

    # what is learnt

    def _learn(self, answered: ModelRequest, steps: Sequence[Step]) -> None:
        """Remember what the server did not take, so that it is not tried each time."""
        for number, step in enumerate(steps, start=1):
            # The same refusal once more says that what was left out in between was not what the server minded.
            if number == len(steps) or not step.failed.repeats(steps[number].failed):
                self._learn_from(step)
        if answered.tools and not answered.closing:
            self._troubles.has("tools")
        if answered.shown:
            self._troubles.has("pictures")
        for option in options_of(self._options) - answered.unset:
            self._troubles.takes(option)

    def _learn_from(self, step: Step) -> None:
        """A step that made a difference. That tools are taken is judged by the first request of a question alone: a later one may
        have been refused for what the model wrote, and a closing one for saying that no more tools may be called."""
        before, failed, after = step.before, step.failed, step.after
        name, model = self._context.name, self._options.model
        if before.sealed and not after.sealed:
            self._learnt.learn("unsealed")
        if after.joined and not before.joined:
            self._learnt.learn("joined")
            log.info("roles_joined", responder=name, model=model)
        if after.folded and not before.folded:
            self._learnt.learn("folded")
            log.info("system_message_folded", responder=name, model=model)
        if before.tools and not after.tools and failed.kind == "tools" and not before.since:
            self._learnt.learn("no_tools")
            log.warning("tools_rejected", responder=name, model=model)
            self._troubles.lacks("tools", self._options.host, failed.detail)
        if after.other_word and not before.other_word:
            self._learnt.learn("other_word")
            log.info("token_limit_renamed", responder=name, model=model)
        for option in sorted(after.unset - before.unset):
            self._learnt.unset(option)
            log.warning("option_rejected", responder=name, model=model, option=option)
            self._troubles.refuses(option, self._options.host, failed.detail)
        if before.shown != after.shown:
            self._learn_pictures(before, failed, after)
        if failed.kind in ("filter", "unknown") and before.history and not after.history:
            self._learnt.leave_out(before.conversation, [line.id for line in before.history])
            log.warning("history_rejected", responder=name, conversation=before.conversation, kind=failed.kind)

    def _learn_pictures(self, before: ModelRequest, failed: Failed, after: ModelRequest) -> None:
        name = self._context.name
        if failed.kind == "no_pictures":
            self._learnt.learn("no_pictures")
            log.warning("images_rejected", responder=name, model=self._options.model)
            self._troubles.lacks("pictures", self._options.host, failed.detail)
        elif failed.kind in ("picture", "unknown", "filter"):
            self._learnt.leave_out(before.conversation, after.hidden)
            log.warning("image_rejected", responder=name, conversation=before.conversation, status=failed.status)
            self._troubles.picture_refused(self._options.host, failed.detail)


def options_of(options: OpenAIOptions) -> frozenset[str]:
    """The options of the file that are part of a request, and that a model may not take."""
    return frozenset(name for name in OWN_PARAMETERS.values() if getattr(options, name) is not None)
