"""Asks the model. The official client on its aiohttp transport, imported only when it is needed."""

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
from sara_openai.api.result import RanOut, added, words
from sara_openai.api.tool_loop import ModelSession
from sara_openai.api.visibility import newest_pictures
from sara_openai.media.image_files import Picture
from sara_openai.media.images import audio_attachments, load_images
from sara_openai.media.transcription import Transcriber
from sara_openai.options import OpenAIOptions
from sara_openai.prompt.request import ModelRequest
from sara_openai.prompt.summary import SUMMARY_INSTRUCTIONS, less_of, material, summed_up
from sara_openai.prompt.system import brief, preface

if TYPE_CHECKING:
    from openai import AsyncOpenAI

CONNECT_TIMEOUT_S = 10.0

SLOW = (
    "Raise `timeout` of the responder, choose a faster `model`, or see what keeps the server busy. Waiting messages are answered by "
    "themselves afterwards."
)


class OpenAIResponder(Responder):
    """Answers a turn with as many requests as the model needs for its tools, most often one."""

    Options = OpenAIOptions

    def __init__(self, options: OpenAIOptions, context: Context) -> None:
        self.options = options
        self.context = context
        self.timeout = options.timeout
        self._client: AsyncOpenAI | None = None
        self._making = asyncio.Lock()
        self._troubles = ResponderAlerts(context)
        self._listener = Transcriber(options, context)
        self._asker = ModelSession(options, context, self._troubles)

    async def open(self) -> None:
        """Import and build the client, so that the first customer need not wait for it."""
        await self._ready()

    async def close(self) -> None:
        """Let go of the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def checks(self, fix: bool = False) -> Sequence[CheckResult]:
        """Whether the server answers, takes the key and has the model: the models are listed, and one short answer is asked for."""
        from sara_openai.doctor import examine

        return await examine(await self._ready(), self.options, self.context)

    def select_attachments(self, turn: Turn) -> Sequence[Attachment]:
        """The pictures that the model is shown and the voice messages that are written down. A picture of the history that has not
        come by now is not waited for."""
        pictures = newest_pictures([*turn.history, *turn.messages]) if self.options.shows_images else []
        sounds = audio_attachments(turn.messages) if self.options.transcribe_with is not None else []
        asked = {line.id for line in turn.messages}
        return [each for line, each in (*pictures, *sounds) if line.id in asked]

    async def answer(self, turn: Turn, tools: ToolCaller | None = None) -> Reply:
        """Ask the model, and again after each round of tools that it wants called; with less (of the history, without pictures
        or tools) where the server refuses more."""
        async with self._bounded() as client:
            heard = await self._listener.listen(client, turn.messages)
            pictures = await load_images([*turn.history, *turn.messages]) if self.options.shows_images else {}
            answer = await self._asker.ask(client, self._question(turn, pictures, heard), tools)
            return Reply(parts=(OutgoingContent(text=words(answer)),), usage=answer.usage, transcripts=heard)

    async def summarise(self, lines: Sequence[HistoryMessage], former: str, now: Instant) -> Summary:
        """Have the model sum up what was said, without tools: in one request, or in several where it takes no more at once."""
        async with self._bounded() as client:
            return await self._sum_up(client, lines, former, now)

    async def _sum_up(self, client: AsyncOpenAI, lines: Sequence[HistoryMessage], former: str, now: Instant) -> Summary:
        """All lines at once; where these are too long together, one half after the other, and a single one without its middle."""
        instructions = self.options.summary_instructions or SUMMARY_INSTRUCTIONS
        asked = HistoryMessage("", "customer", material(lines, former, now, self.options.zone(self.context.timezone)), now)
        try:
            answer = await self._asker.ask(client, ModelRequest(instructions, [asked], whole=True))
        except TooLong:
            if len(lines) == 1 and (less := less_of(lines[0])) is not None:
                return await self._sum_up(client, [less], former, now)
            if len(lines) < 2:
                raise
            half = len(lines) // 2
            first = await self._sum_up(client, lines[:half], former, now)
            second = await self._sum_up(client, lines[half:], first.text, now)
            return Summary(second.text, added(first.usage, second.usage))
        return Summary(summed_up(answer), answer.usage)

    def _question(self, turn: Turn, pictures: dict[str, list[Picture]], heard: dict[str, str]) -> ModelRequest:
        contact, code = turn.contact, secrets.token_hex(8)
        anybody = replace(turn, contact=Contact(contact.id), summary="")
        return ModelRequest(
            self._told(turn, code, facts=self.options.facts),
            turn.messages,
            turn.history,
            pictures,
            heard,
            sees=self.options.shows_images,
            hears=self.options.transcribe_with is not None,
            code=code,
            conversation=turn.conversation,
            plain=self._told(anybody, code, facts=False),
            private=" ".join(each for each in (contact.notes, turn.summary) if each),
            names=[each for each in (contact.name, contact.username) if each],
        )

    def _told(self, turn: Turn, code: str, *, facts: bool) -> str:
        """All that comes before the conversation."""
        instructions, zone = self.options.instructions, self.options.zone(turn.timezone, self.context.timezone)
        return preface(brief(instructions, turn, zone, facts=facts), instructions, turn, code, facts=facts)

    @asynccontextmanager
    async def _bounded(self) -> AsyncIterator[AsyncOpenAI]:
        """The client, for as long as one answer may take; with an answer, nothing is left for a person to mend."""
        try:
            async with asyncio.timeout(self.options.timeout / 1_000) as bound:
                yield await self._ready()
        except TimeoutError:
            if not bound.expired():
                raise  # it is a tool's own
            message = f"{self.options.host} did not answer within {self.options.timeout / 1_000:g} s"
            self._troubles.report(SetupError("timeout", message, SLOW))
            raise RetryLater(message, scope="responder") from None
        except RanOut as error:
            if self.options.max_output_tokens is not None:
                self._troubles.report(SetupError("settings", str(error), "Raise `max_output_tokens`, or leave it out."))
            raise
        self._troubles.mended()

    # the client

    async def _ready(self) -> AsyncOpenAI:
        async with self._making:
            if self._client is None:
                # Importing takes a third of a second or more, reading the certificates some more.
                self._client = await asyncio.to_thread(_make_client, self.options)
            return self._client


def _trust(url: str) -> ssl.SSLContext | bool:
    """Whom the client trusts: whom the machine trusts. To read those certificates takes longer than the rest of a start, and is left
    out where nothing is asked of them: then nobody is trusted."""
    proxies = urllib.request.getproxies().values()
    if url.startswith("http://") and not any(proxy.startswith("https://") for proxy in proxies):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return True


def _make_client(options: OpenAIOptions) -> AsyncOpenAI:
    import openai

    client = openai.AsyncOpenAI(
        api_key=options.key,
        base_url=options.url,
        timeout=openai.Timeout(None, connect=CONNECT_TIMEOUT_S),  # whoever calls bounds the whole call
        max_retries=0,  # when to ask again is decided by SARA alone
        # The client would fill these in from the environment; the file decides.
        default_headers={"OpenAI-Organization": openai.omit, "OpenAI-Project": openai.omit},  # type: ignore[dict-item]  # typed for single calls only
        http_client=openai.DefaultAioHttpClient(follow_redirects=False, verify=_trust(options.url)),
    )
    _ = client.responses if options.api == "responses" else client.chat.completions  # imports the rest of what a call needs
    return client
