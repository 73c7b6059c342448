"""The request loop: ask the model, leave out what the server refuses, call the tools that the model asks for, ask again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import structlog

from sara import Context, GiveUp, ToolCaller
from sara_openai.alerts import ResponderAlerts
from sara_openai.api.capabilities import ServerCapabilities
from sara_openai.api.chat_completions import ChatCompletionsApi
from sara_openai.api.error_kinds import OPTION_OF_PARAMETER
from sara_openai.api.errors import CallFailure, Scope, SentRequest, as_setup_error, classify_exception, classify_response
from sara_openai.api.excerpts import redact_excerpt
from sara_openai.api.protocol import ModelApi
from sara_openai.api.responses import ResponsesApi
from sara_openai.api.result import Answer, add_usage, extract_calls
from sara_openai.options import OpenAIOptions
from sara_openai.prompt.request import ModelRequest

if TYPE_CHECKING:
    from openai import AsyncOpenAI

log = structlog.get_logger("sara_openai")

UNSTATED_ERROR_STATUS = 502
"""The status of an error that came with a 200 and states none."""


@dataclass(frozen=True, slots=True)
class FallbackStep:
    """A refused request, the refusal, and the reduced request that followed it."""

    before: ModelRequest
    failed: CallFailure
    after: ModelRequest


class ModelSession:
    """Requests to one model on one server, with a memory of what the server refuses."""

    def __init__(self, options: OpenAIOptions, context: Context, alerts: ResponderAlerts) -> None:
        self._options = options
        self._context = context
        self._alerts = alerts
        self._api: ModelApi = ResponsesApi() if options.api == "responses" else ChatCompletionsApi()
        self._capabilities = ServerCapabilities(context.clock)

    async def ask(self, client: AsyncOpenAI, model_request: ModelRequest, tools: ToolCaller | None = None) -> Answer:
        """Return the model's answer after at most `tool_rounds` rounds of tool calls, with the usage of all requests.

        Exceptions of tools pass through unchanged.
        """
        model_request = self._capabilities.adapt(replace(model_request, tools=tuple(tools.specs) if tools is not None else ()))
        usage = None
        rounds = 0
        while True:
            model_request, answer = await self._ask_with_fallbacks(client, model_request)
            usage = add_usage(usage, answer.usage)
            answer = extract_calls(answer, model_request.tools)
            if tools is None or not answer.calls or not model_request.tools or model_request.final_round:
                return replace(answer, usage=usage)
            results = [
                self._api.format_result(call, call.error or await tools.call(call.name, call.arguments)) for call in answer.calls
            ]
            echo = answer.echo or self._api.format_calls(answer.calls)
            rounds += 1
            model_request = replace(
                model_request,
                tool_messages=(*model_request.tool_messages, *echo, *results),
                final_round=rounds >= self._options.tool_rounds,
            )

    async def _ask_with_fallbacks(self, client: AsyncOpenAI, model_request: ModelRequest) -> tuple[ModelRequest, Answer]:
        """Return an answer and the request that led to it, reduced by what the server refused."""
        asked = model_request
        steps: list[FallbackStep] = []
        while isinstance(answered := await self._call(client, asked), CallFailure):
            degraded = asked.degrade(answered)
            if degraded is None:
                raise self._alerts.report_failure(await self._find_cause(client, asked, answered, steps))
            if answered.kind == "length" and not degraded.tool_messages and degraded.size < asked.size:
                self._capabilities.set_token_limit(
                    degraded.size
                )  # stored at once: after a time-out the next attempt continues from here
            steps.append(FallbackStep(asked, answered, degraded))
            asked = degraded
        self._capabilities.record_answer()
        self._learn(asked, steps)
        return asked, answered

    async def _call(self, client: AsyncOpenAI, model_request: ModelRequest) -> Answer | CallFailure:
        """Send one request and return the answer or the failure.

        The exception itself is dropped here, because it holds the request with its key.
        """
        from aiohttp import ClientError
        from openai import OpenAIError

        host, now = self._options.host, self._context.clock()
        request = self._api.build_request(model_request, self._options)
        options = frozenset(request.keys() & OPTION_OF_PARAMETER.keys())
        sent = SentRequest(
            bool(model_request.tools), bool(model_request.shown_images), options, lambda said: self._excerpt(said, model_request)
        )
        try:
            answered = await self._api.send(client, request)
        except (OpenAIError, ClientError, OSError, ValueError) as error:
            # ValueError is invalid JSON; ClientError an exception that the client does not translate.
            return classify_exception(error, host, now, sent)
        read = self._api.parse_response(answered, self._options.model)
        if isinstance(read, Answer):
            return read
        # An interrupted answer, or an error without a status, may concern this conversation only.
        scope: Scope = "conversation" if read.status is None else "responder"
        return classify_response(read.status or UNSTATED_ERROR_STATUS, read, {}, host, now, sent, scope=scope)

    def _excerpt(self, said: str, model_request: ModelRequest) -> str:
        lines = (*model_request.history, *model_request.messages)
        texts = [model_request.transcripts.get(line.id, "") + " " + line.text for line in lines]
        return redact_excerpt(said, [self._options.key], [model_request.private_text, *texts], model_request.names)

    async def _find_cause(
        self, client: AsyncOpenAI, asked: ModelRequest, last: CallFailure, steps: Sequence[FallbackStep]
    ) -> CallFailure:
        """Return the failure to raise for a request that was refused in every form: the fault of the message or of a setting."""
        if not isinstance(last.outcome, GiveUp):
            return last
        first = steps[0].failed if steps else last
        if last.kind == "length" and asked.keep_whole:
            return last
        if last.kind == "length":
            self._capabilities.set_token_limit(None)
            what = "even a short message: the instructions alone are longer than the model accepts"
            return as_setup_error(
                last, self._options.host, what, "Shorten `instructions`, or choose a `model` with a larger context."
            )
        probed = await self._call(client, asked.probe())
        remedy = "Read the server's message, and check `model`, `base_url`, `api`, `temperature` and `instructions`; then reload."
        if isinstance(probed, CallFailure):
            if not isinstance(probed.outcome, GiveUp):
                return probed
            return as_setup_error(first, self._options.host, "requests of every conversation", remedy)
        if first.kind != "filter" and self._capabilities.record_refusal(asked.conversation_id, f"{first.status} {first.detail}"):
            return as_setup_error(first, self._options.host, "several conversations in a row with the same error", remedy)
        return first if isinstance(first.outcome, GiveUp) else last

    # server capabilities

    def _learn(self, answered: ModelRequest, steps: Sequence[FallbackStep]) -> None:
        """Store what the server refused, so that it is not sent again."""
        for number, step in enumerate(steps, start=1):
            # If the refusal stayed the same, the part left out in between was not its cause.
            if number == len(steps) or not step.failed.is_same_as(steps[number].failed):
                self._learn_from(step)
        if answered.tools and not answered.final_round:
            self._alerts.clear_unsupported("tools")
        if answered.shown_images:
            self._alerts.clear_unsupported("pictures")
        for option in list_sent_options(self._options) - answered.omitted_options:
            self._alerts.clear_refused_option(option)

    def _learn_from(self, step: FallbackStep) -> None:
        """Store what one effective step shows.

        Whether the server accepts tools is judged by the first request of a turn only: a later one may be refused for what the
        model wrote, and the final one because it forbids further calls.
        """
        before, failed, after = step.before, step.failed, step.after
        name, model = self._context.name, self._options.model
        if before.encrypted_reasoning and not after.encrypted_reasoning:
            self._capabilities.add_limitations("no_encrypted_reasoning")
        if after.merge_roles and not before.merge_roles:
            self._capabilities.add_limitations("merged_roles")
            log.info("roles_joined", responder=name, model=model)
        if after.fold_system and not before.fold_system:
            self._capabilities.add_limitations("folded_system")
            log.info("system_message_folded", responder=name, model=model)
        if before.tools and not after.tools and failed.kind == "tools" and not before.tool_messages:
            self._capabilities.add_limitations("no_tools")
            log.warning("tools_rejected", responder=name, model=model)
            self._alerts.report_unsupported("tools", self._options.host, failed.detail)
        if after.swap_limit_name and not before.swap_limit_name:
            self._capabilities.add_limitations("other_limit_name")
            log.info("token_limit_renamed", responder=name, model=model)
        for option in sorted(after.omitted_options - before.omitted_options):
            self._capabilities.omit_option(option)
            log.warning("option_rejected", responder=name, model=model, option=option)
            self._alerts.report_refused_option(option, self._options.host, failed.detail)
        if before.shown_images != after.shown_images:
            self._learn_images(before, failed, after)
        if failed.kind in ("filter", "unknown") and before.history and not after.history:
            self._capabilities.omit_messages(before.conversation_id, [line.id for line in before.history])
            log.warning("history_rejected", responder=name, conversation=before.conversation_id, kind=failed.kind)

    def _learn_images(self, before: ModelRequest, failed: CallFailure, after: ModelRequest) -> None:
        name = self._context.name
        if failed.kind == "no_pictures":
            self._capabilities.add_limitations("no_pictures")
            log.warning("images_rejected", responder=name, model=self._options.model)
            self._alerts.report_unsupported("pictures", self._options.host, failed.detail)
        elif failed.kind in ("picture", "unknown", "filter"):
            self._capabilities.omit_messages(before.conversation_id, after.hidden_image_ids)
            log.warning("image_rejected", responder=name, conversation=before.conversation_id, status=failed.status)
            self._alerts.report_refused_image(self._options.host, failed.detail)


def list_sent_options(options: OpenAIOptions) -> frozenset[str]:
    """Return the options of sara.yaml that are part of a request and that a model may refuse."""
    return frozenset(name for name in OPTION_OF_PARAMETER.values() if getattr(options, name) is not None)
