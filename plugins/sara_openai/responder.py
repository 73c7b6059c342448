"""Asks the model. The official client on its aiohttp transport, imported only when it is needed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

import structlog

from sara import Attachment, Context, Finding, GiveUp, Line, Reply, Responder, TryLater, Turn
from sara_openai.completion import RanOut, read
from sara_openai.failures import Failed, Kind, Trouble, understand
from sara_openai.options import OpenAIOptions
from sara_openai.prompt import Message, compose
from sara_openai.senses import audible, hear, see
from sara_openai.simulator import OpenAISimulator

if TYPE_CHECKING:
    from openai import AsyncOpenAI

log = structlog.get_logger("sara_openai")

CONNECT_TIMEOUT_S = 10.0
REMEMBERED = 200
"""So many transcripts are remembered until their answer is kept."""

DAY = 86_400_000

# Newer models of OpenAI take only the new word for it, many other servers only the old one.
_NEW_WORD_HOSTS = (".openai.com", ".azure.com")


class OpenAIResponder(Responder):
    """Answers with one Chat Completion per turn."""

    Options = OpenAIOptions
    simulator = OpenAISimulator

    def __init__(self, options: OpenAIOptions, context: Context) -> None:
        self.options = options
        self.context = context
        self.timeout = options.timeout
        self._client: AsyncOpenAI | None = None
        self._making = asyncio.Lock()
        # Should a call fail after listening, the next need not listen (and pay) again.
        self._heard: dict[str, str] = {}

    async def open(self) -> None:
        """Import and build the client, so that the first customer need not wait for it."""
        await self._ready()

    async def close(self) -> None:
        """Let go of the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def checks(self, fix: bool = False) -> Sequence[Finding]:
        """Whether the server answers, takes the key and has the model. Costs no tokens."""
        from sara_openai.checks import examine

        return await examine(await self._ready(), self.options, self.context.clock())

    async def answer(self, turn: Turn) -> Reply:
        """Ask the model once; a second time, with the newer half of the history, if it says that the conversation is too long for it."""
        try:
            async with asyncio.timeout(self.options.timeout / 1_000):
                client = await self._ready()
                reply = await self._ask(client, turn)
        except TimeoutError:
            raise TryLater(f"{self.options.host} did not answer within {self.options.timeout / 1_000:g} s") from None
        self._mended()
        return reply

    async def _ask(self, client: AsyncOpenAI, turn: Turn) -> Reply:
        history = turn.history
        heard = await self._listen(client, turn.messages)
        pictures = await see([*history, *turn.messages]) if self.options.shows_images else {}
        answered = await self._call(client, history, turn.messages, pictures, heard)
        if isinstance(answered, Failed) and answered.too_long and history:
            history = history[(len(history) + 1) // 2 :]
            answered = await self._call(client, history, turn.messages, pictures, heard)
        if isinstance(answered, Failed) and pictures and isinstance(answered.outcome, GiveUp):
            # It may be the pictures that the server does not take; an answer to the words is better than none.
            without = await self._call(client, history, turn.messages, {}, heard)
            if not isinstance(without, Failed):
                log.warning("pictures_refused", responder=self.context.name, error=str(answered.outcome))
                answered = without
        if isinstance(answered, Failed):
            raise self._failed(answered)
        try:
            return replace(read(answered, self.options.model), readings=heard)
        except RanOut as error:
            if self.options.max_output_tokens is not None:
                self._report(Trouble("settings", str(error), "Raise `max_output_tokens`, or leave it out."))
            raise

    async def _listen(self, client: AsyncOpenAI, messages: Sequence[Line]) -> dict[str, str]:
        """What is said in the voice messages, by line: the line's own text and behind it the words. One that cannot be understood
        is left as it is: the customer is told so by the model, which is better than silence."""
        model = self.options.transcribe_with
        if model is None:
            return {}
        heard: dict[str, str] = {}
        for line, sound in audible(messages):
            words = self._heard.get(sound.id)
            if words is None:
                words = await self._hear(client, model, sound)
            if words:
                self._heard[sound.id] = words
                while len(self._heard) > REMEMBERED:
                    del self._heard[next(iter(self._heard))]
                heard[line.id] = f"{heard.get(line.id, line.text)} {words}"
        return heard

    async def _hear(self, client: AsyncOpenAI, model: str, sound: Attachment) -> str | None:
        """The words of one sound; asked for twice if the first failure may pass."""
        key = f"responder:{self.context.name}:hearing"
        for last in (False, True):
            answered = await hear(client, model, sound, self.options.host, self.context.clock)
            if not isinstance(answered, Failed):
                self.context.problems.clear(key)
                return answered
            if last or isinstance(answered.outcome, GiveUp):
                self.context.problems.report(
                    key,
                    f"The responder {self.context.name} cannot listen to voice messages: {answered.outcome}.",
                    "Check `transcribe_with`, the key and the account; until then they are answered unheard.",
                    severity="warning",
                    lasts=DAY,
                )
                return None
        return None

    async def _call(
        self,
        client: AsyncOpenAI,
        history: Sequence[Line],
        messages: Sequence[Line],
        pictures: Mapping[str, Sequence[str]],
        heard: Mapping[str, str],
    ) -> object:
        """The completion, or what its failure means. The failure itself ends here: it holds the request, key and all."""
        from aiohttp import ClientError
        from openai import OpenAIError

        prompt = compose(self.options.instructions, history, messages, pictures, heard)
        request = self._request(prompt)
        try:
            return await client.chat.completions.create(**request)
        except (OpenAIError, ClientError, OSError, ValueError) as error:
            # ValueError is JSON that cannot be read; ClientError what the transport forgets to translate.
            return understand(error, self.options.host, self.context.clock())

    def _request(self, prompt: list[Message]) -> dict[str, Any]:
        request: dict[str, Any] = {"model": self.options.model, "messages": prompt}
        if self.options.temperature is not None:
            request["temperature"] = self.options.temperature
        if self.options.max_output_tokens is not None:
            host = "." + self.options.host.partition(":")[0]
            word = "max_completion_tokens" if host.endswith(_NEW_WORD_HOSTS) else "max_tokens"
            request[word] = self.options.max_output_tokens
        return request

    # what a person has to mend

    def _failed(self, failed: Failed) -> TryLater | GiveUp:
        if failed.trouble is not None:
            self._report(failed.trouble)
        return failed.outcome

    def _report(self, trouble: Trouble) -> None:
        self._mended(but=trouble.kind)
        self.context.problems.report(
            self._key(trouble.kind), f"The responder {self.context.name} cannot answer: {trouble.message}.", trouble.remedy
        )

    def _mended(self, but: Kind | None = None) -> None:
        for kind in get_args(Kind):
            if kind != but:
                self.context.problems.clear(self._key(kind))

    def _key(self, kind: Kind) -> str:
        return f"responder:{self.context.name}:{kind}"

    # the client

    async def _ready(self) -> AsyncOpenAI:
        async with self._making:
            if self._client is None:
                # Importing takes a third of a second or more, reading the certificates some more.
                self._client = await asyncio.to_thread(_make_client, self.options)
            return self._client


def _make_client(options: OpenAIOptions) -> AsyncOpenAI:
    import openai

    client = openai.AsyncOpenAI(
        api_key=options.key,
        base_url=options.url,
        timeout=openai.Timeout(None, connect=CONNECT_TIMEOUT_S),  # whoever calls bounds the whole call
        max_retries=0,  # when to ask again is decided by SARA alone
        # The client would fill these in from the environment; the file decides.
        default_headers={"OpenAI-Organization": openai.omit, "OpenAI-Project": openai.omit},  # type: ignore[dict-item]  # typed for single calls only
        http_client=openai.DefaultAioHttpClient(follow_redirects=False),
    )
    _ = client.chat.completions  # imports the rest of what a call needs
    return client
