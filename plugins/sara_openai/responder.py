"""The OpenAI responder.

The official client, on its aiohttp transport, is imported only when it is needed.
"""

from __future__ import annotations

import asyncio
import secrets
import ssl
import urllib.request
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from sara import (
    Attachment,
    CheckResult,
    Contact,
    Context,
    HistoryMessage,
    Instant,
    OutgoingContent,
    Reply,
    Responder,
    RetryLater,
    Summary,
    ToolCaller,
    Turn,
)
from sara_openai.alerts import ResponderAlerts
from sara_openai.api.errors import SetupError, TooLong
from sara_openai.api.result import OutputTokensExhausted, add_usage, answer_text
from sara_openai.api.tool_loop import ModelSession
from sara_openai.api.visibility import list_newest_images
from sara_openai.media.image_files import EncodedImage
from sara_openai.media.images import load_images
from sara_openai.media.transcription import Transcriber, list_audio_attachments
from sara_openai.options import OpenAIOptions
from sara_openai.prompt.request import ModelRequest
from sara_openai.prompt.summary import SUMMARY_INSTRUCTIONS, format_conversation, halve_message, read_summary
from sara_openai.prompt.system import compose_system_prompt, fill_instructions

if TYPE_CHECKING:
    from openai import AsyncOpenAI

CONNECT_TIMEOUT_S = 10.0

SLOW_REMEDY = (
    "Raise the responder's `timeout`, choose a faster `model`, or check the load of the server. Waiting messages are answered "
    "automatically afterwards."
)


class OpenAIResponder(Responder):
    """Answers a turn with one request, or with several if the model calls tools."""

    Options = OpenAIOptions

    def __init__(self, options: OpenAIOptions, context: Context) -> None:
        self.options = options
        self.context = context
        self.timeout = options.timeout
        self._client: AsyncOpenAI | None = None
        self._client_lock = asyncio.Lock()
        self._alerts = ResponderAlerts(context)
        self._transcriber = Transcriber(options, context)
        self._session = ModelSession(options, context, self._alerts)

    async def open(self) -> None:
        """Import and build the client, so that the first customer does not wait for it."""
        await self._get_client()

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def checks(self, fix: bool = False) -> Sequence[CheckResult]:
        """Check the server, the key and the model: list the models and ask for one short answer."""
        from sara_openai.doctor import run_checks

        return await run_checks(await self._get_client(), self.options, self.context)

    def select_attachments(self, turn: Turn) -> Sequence[Attachment]:
        """Return the images to show and the voice messages to transcribe.

        Images of the history that have not been downloaded yet are not waited for.
        """
        images = list_newest_images([*turn.history, *turn.messages]) if self.options.shows_images else []
        sounds = list_audio_attachments(turn.messages) if self.options.transcribe_with is not None else []
        asked = {line.id for line in turn.messages}
        return [each for line, each in (*images, *sounds) if line.id in asked]

    async def answer(self, turn: Turn, tools: ToolCaller | None = None) -> Reply:
        """Ask the model, and again after each round of tool calls.

        Parts that the server refuses (history, images, tools) are left out.
        """
        async with self._open_client() as client:
            transcripts = await self._transcriber.transcribe_messages(client, turn.messages)
            images = await load_images([*turn.history, *turn.messages]) if self.options.shows_images else {}
            answer = await self._session.ask(client, self._build_request(turn, images, transcripts), tools)
            return Reply(parts=(OutgoingContent(text=answer_text(answer)),), usage=answer.usage, transcripts=transcripts)

    async def summarise(self, lines: Sequence[HistoryMessage], former: str, now: Instant) -> Summary:
        """Summarise messages without tools, in several requests if they are too long for one."""
        async with self._open_client() as client:
            return await self._summarise(client, lines, former, now)

    async def _summarise(self, client: AsyncOpenAI, lines: Sequence[HistoryMessage], former: str, now: Instant) -> Summary:
        """Summarise all messages at once; if they are too long, by halves, and a single one without its middle."""
        instructions = self.options.summary_instructions or SUMMARY_INSTRUCTIONS
        asked = HistoryMessage(
            "", "customer", format_conversation(lines, former, now, self.options.zone(self.context.timezone)), now
        )
        try:
            answer = await self._session.ask(client, ModelRequest(instructions, [asked], keep_whole=True))
        except TooLong:
            if len(lines) == 1 and (less := halve_message(lines[0])) is not None:
                return await self._summarise(client, [less], former, now)
            if len(lines) < 2:
                raise
            half = len(lines) // 2
            first = await self._summarise(client, lines[:half], former, now)
            second = await self._summarise(client, lines[half:], first.text, now)
            return Summary(second.text, add_usage(first.usage, second.usage))
        return Summary(read_summary(answer), answer.usage)

    def _build_request(self, turn: Turn, images: dict[str, list[EncodedImage]], transcripts: dict[str, str]) -> ModelRequest:
        contact, code = turn.contact, secrets.token_hex(8)
        anonymous = replace(turn, contact=Contact(contact.id), summary="")
        return ModelRequest(
            self._compose_prompt(turn, code, facts=self.options.facts),
            turn.messages,
            turn.history,
            images,
            transcripts,
            can_see=self.options.shows_images,
            can_hear=self.options.transcribe_with is not None,
            code=code,
            conversation_id=turn.conversation,
            generic_prompt=self._compose_prompt(anonymous, code, facts=False),
            private_text=" ".join(each for each in (contact.notes, turn.summary) if each),
            names=[each for each in (contact.name, contact.username) if each],
        )

    def _compose_prompt(self, turn: Turn, code: str, *, facts: bool) -> str:
        """Return the system prompt of a turn."""
        instructions, zone = self.options.instructions, self.options.zone(turn.timezone, self.context.timezone)
        return compose_system_prompt(
            fill_instructions(instructions, turn, zone, facts=facts), instructions, turn, code, facts=facts
        )

    @asynccontextmanager
    async def _open_client(self) -> AsyncIterator[AsyncOpenAI]:
        """Provide the client for the duration of one answer, report a time-out, and clear alerts after a success."""
        try:
            async with asyncio.timeout(self.options.timeout / 1_000) as bound:
                yield await self._get_client()
        except TimeoutError:
            if not bound.expired():
                raise  # a tool's own time-out
            message = f"{self.options.host} did not answer within {self.options.timeout / 1_000:g} s"
            self._alerts.report(SetupError("timeout", message, SLOW_REMEDY))
            raise RetryLater(message, scope="responder") from None
        except OutputTokensExhausted as error:
            if self.options.max_output_tokens is not None:
                self._alerts.report(SetupError("settings", str(error), "Raise `max_output_tokens`, or remove it."))
            raise
        self._alerts.clear()

    # the client

    async def _get_client(self) -> AsyncOpenAI:
        async with self._client_lock:
            if self._client is None:
                # Importing takes a third of a second or more, reading the certificates some more.
                self._client = await asyncio.to_thread(_make_client, self.options)
            return self._client


def _choose_tls(url: str) -> ssl.SSLContext | bool:
    """Return the TLS setting of the client: the machine's certificates, or none for plain HTTP.

    Reading the certificates takes longer than the rest of the start, so it is skipped where no TLS connection is made.
    """
    proxies = urllib.request.getproxies().values()
    if url.startswith("http://") and not any(proxy.startswith("https://") for proxy in proxies):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return True


def _make_client(options: OpenAIOptions) -> AsyncOpenAI:
    import openai

    client = openai.AsyncOpenAI(
        api_key=options.key,
        base_url=options.url,
        timeout=openai.Timeout(None, connect=CONNECT_TIMEOUT_S),  # the caller limits the whole call
        max_retries=0,  # SARA decides about retries
        # The client would read these from the environment; only sara.yaml decides.
        default_headers={"OpenAI-Organization": openai.omit, "OpenAI-Project": openai.omit},  # type: ignore[dict-item]  # typed for single calls only
        http_client=openai.DefaultAioHttpClient(follow_redirects=False, verify=_choose_tls(options.url)),
    )
    _ = client.responses if options.api == "responses" else client.chat.completions  # imports the modules that a call needs
    return client
