"""OpenAI's other end on loopback: a server that speaks Chat Completions and Responses, for tests, the demo and plugin authors.

simulator = OpenAISimulator(mode="echo")
await simulator.start()
simulator.fault("rate_limit", retry_after=2, times=3)
…
calls = await simulator.wait_for(lambda calls: len(calls) == 4)
assert calls[-1].asked == ("Are you open?", "On Sunday?")

simulator.mode = [ToolCalls([("handoff", {"reason": "They ask for Ana."})]), "Ana will be with you."]
"""

from __future__ import annotations

import asyncio
import inspect
import json
import socket
import struct
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from sara import Simulator
from sara_simulators.openai import completions, responses
from sara_simulators.openai.faults import PAGE, Fault, FaultKind, Faults, refusal
from sara_simulators.openai.protocol import Api, Call, ModelOutput, ToolCalls, tokens_of
from sara_simulators.openai.refusals import RequestRejected, authorize, error_body, validate_sound
from sara_simulators.openai.script import choose_reply, summarise
from sara_simulators.openai.servers import Aspect, Condition, Refusal, load_servers
from sara_simulators.openai.switches import FaultSwitch, FaultSwitches

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["Answer", "Call", "Fault", "FaultKind", "Mode", "OpenAISimulator", "ToolCalls"]

ScriptedReply: TypeAlias = str | ToolCalls
Answer: TypeAlias = Callable[[Call], ScriptedReply | Awaitable[ScriptedReply]]
Mode: TypeAlias = Literal["script", "echo"] | Sequence[ScriptedReply] | Answer

_LARGEST_BODY = 32 * 1024 * 1024


class OpenAISimulator(Simulator):
    """An OpenAI-compatible server.

    `mode` selects the replies: `script`, the demo shop; `echo`, all messages that it was asked; a list of replies, the last of
    which repeats; or a function of the call. A reply is a text, or `ToolCalls`. It may be changed at any time. A request for a
    summary by the plugin's own instructions gets one, and uses up no reply, unless a function answers.

    `transcript` is the text of every sound, `transcribed` are the sounds received, by file name and content; while
    `transcription_fails` none is transcribed. `models` are the names listed instead of `model`, or the status with which the
    list is refused. While `rejects_tools` no request with tools is accepted; while `reasons` the model thinks before it calls
    a tool, which shows in Responses alone.
    """

    patience_s = 30.0
    """Default time limit of `wait_for`, in seconds."""

    def __init__(
        self, *, api_key: str | None = "sk-simulated", model: str = "gpt-5-mini", mode: Mode = "script", delay_ms: int = 0
    ) -> None:
        self.api_key = api_key
        self.model = model
        self.mode = mode
        self.delay_ms = delay_ms
        self.calls: list[Call] = []
        self.transcript = "Hello, when do you open?"
        self.transcription_fails = False
        self.rejects_tools = False
        self.reasons = True
        self.models: list[str] | int | None = None
        self.transcribed: list[tuple[str, bytes]] = []
        self.base_url: str | None = None
        self._faults = Faults()
        self._switches = FaultSwitches()
        self._conditions: list[Condition] = []
        self._replies = 0
        self._waiting: list[tuple[Callable[[list[Call]], object], asyncio.Future[None]]] = []
        self._runner: web.AppRunner | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen; return the base URL, which ends in `/v1`."""
        from aiohttp import web

        app = web.Application(client_max_size=_LARGEST_BODY)
        app.router.add_post("/v1/chat/completions", self._complete)
        app.router.add_post("/v1/responses", self._create)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/audio/transcriptions", self._transcribe)
        # ToolCalls that hang must end when the client goes away, and when we stop.
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        bound = self._runner.addresses[0]
        shown = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
        self.base_url = f"http://{shown}:{bound[1]}/v1"
        return self.base_url

    async def stop(self) -> None:
        """Close the listener and every open call."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    def options(self) -> dict[str, Any]:
        """Return the keys of a section of `responders` that connect the plugin to this simulator."""
        if self.base_url is None:
            raise RuntimeError("start the simulator first; only then is its address known")
        options = {"model": self.model, "base_url": self.base_url}
        return options if self.api_key is None else {**options, "api_key": self.api_key}

    def switches(self) -> Sequence[FaultSwitch]:
        """Return its faults for a page."""
        return tuple(self._switches)

    def fault(self, kind: FaultKind, *, times: int | None = 1, **details: Any) -> None:
        """Make the next `times` calls go wrong (None: all, until `clear_faults`), after those already planned; `details` are the other
        fields of `Fault`."""
        self._faults.add(Fault(kind, times, **details))

    def refuse(self, server: str, aspect: Aspect, variant: int = 0, **when: Any) -> Refusal:
        """Refuse from now on as `server` of `servers.json` does, whenever a call calls for it: `when` are the other fields of
        `Condition`. Returns the refusal."""
        refusal = load_servers()[server].refusals[aspect][variant]
        self._conditions.append(Condition(aspect, refusal, **when))
        return refusal

    def clear_refusals(self) -> None:
        """Stop refusing calls."""
        self._conditions.clear()

    def clear_faults(self) -> None:
        """Remove all planned faults; calls that hang stay open."""
        self._faults.clear()

    async def wait_for(self, predicate: Callable[[list[Call]], object], timeout: float | None = None) -> list[Call]:
        """Return the calls once `predicate` holds for them; it is asked whenever a call comes in or is answered.

        Raises:
            TimeoutError: it did not hold within `timeout` seconds, by default `patience_s`.
        """
        if not predicate(self.calls):
            future = asyncio.get_running_loop().create_future()
            entry = (predicate, future)
            self._waiting.append(entry)
            try:
                async with asyncio.timeout(self.patience_s if timeout is None else timeout):
                    await future
            finally:
                self._waiting.remove(entry)
        return self.calls

    def _notify_waiters(self) -> None:
        for predicate, future in self._waiting:
            if future.done():
                continue
            try:
                if predicate(self.calls):
                    future.set_result(None)
            except Exception as error:  # it is the waiting test's, not the call's
                future.set_exception(error)

    # the addresses

    async def _models(self, request: web.Request) -> web.Response:
        from aiohttp import web

        try:
            authorize(request.headers.get("Authorization"), self.api_key)
        except RequestRejected as error:
            return web.json_response(error.body, status=error.status)
        if isinstance(self.models, int):
            return web.json_response(error_body(self.models, "There is nothing here."), status=self.models)
        names = [self.model] if self.models is None else self.models
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "simulator"} for name in names]
        return web.json_response({"object": "list", "data": data})

    async def _transcribe(self, request: web.Request) -> web.Response:
        """Accept a sound and return `transcript` for it."""
        from aiohttp import web

        try:
            authorize(request.headers.get("Authorization"), self.api_key)
            form = await request.post()
            sound = validate_sound(form.get("model"), form.get("file"))
        except RequestRejected as error:
            return web.json_response(error.body, status=error.status)
        content = await asyncio.to_thread(sound.file.read)
        self.transcribed.append((sound.filename, content))
        if self.transcription_fails:
            return web.json_response(error_body(503, "The server is overloaded."), status=503)
        return web.json_response({"text": self.transcript})

    async def _complete(self, request: web.Request) -> web.Response:
        return await self._handle_call(request, "completions")

    async def _create(self, request: web.Request) -> web.Response:
        return await self._handle_call(request, "responses")

    async def _handle_call(self, request: web.Request, api: Api) -> web.Response:
        from aiohttp import web

        try:
            body = json.loads(await request.read())
        except ValueError:
            body = None
        call = Call(len(self.calls) + 1, body if isinstance(body, dict) else {}, dict(request.headers), api=api)
        self.calls.append(call)
        self._notify_waiters()
        try:
            if (condition := next((each for each in self._conditions if each.matches(call)), None)) is not None:
                return self._record_answer(call, _refusal_response(condition.refusal))
            authorize(request.headers.get("Authorization"), self.api_key)
            if api == "responses":
                responses.validate(body, self.model, self.reasons)
            else:
                completions.validate(body, self.model)
            if self.rejects_tools and "tools" in call.body:
                raise RequestRejected(400, f"{self.model} does not support tools")
            response = await self._respond(request, call)
        except RequestRejected as error:
            response = web.json_response(error.body, status=error.status)
        return self._record_answer(call, response)

    def _record_answer(self, call: Call, response: web.Response) -> web.Response:
        if call.status is None:
            call.status = response.status
        self._notify_waiters()
        return response

    async def _respond(self, request: web.Request, call: Call) -> web.Response:
        from aiohttp import web

        fault = self._faults.take() or self._switches.take()
        if self.delay_ms:
            await asyncio.sleep(self.delay_ms / 1_000)
        if fault is not None and (failed := await self._apply_fault(request, call, fault)) is not None:
            return failed
        return web.json_response(self._render(call, await self._produce_output(call)))

    def _render(self, call: Call, output: ModelOutput) -> dict[str, Any]:
        """Return an output in the form of the API that was called."""
        now, asked, said = int(time.time()), call.tokens, tokens_of(output)
        if call.api == "responses":
            return responses.answer(call, output, now, asked, said, self.reasons)
        return completions.answer(call, output, now, asked, said)

    async def _produce_output(self, call: Call) -> ModelOutput:
        said = await self._choose_reply(call)
        return ModelOutput(said.text, said.written()) if isinstance(said, ToolCalls) else ModelOutput(said)

    async def _choose_reply(self, call: Call) -> ScriptedReply:
        if callable(self.mode):
            said = self.mode(call)
            return await said if inspect.isawaitable(said) else said
        if call.is_summary_request:
            return summarise(call)
        if self.mode == "script":
            return choose_reply(call)
        if self.mode == "echo":
            return "echo: " + " | ".join(call.asked)
        self._replies += 1
        return self.mode[min(self._replies, len(self.mode)) - 1]

    # faults

    async def _apply_fault(self, request: web.Request, call: Call, fault: Fault) -> web.Response | None:
        """Return the response of a fault; None where the regular response follows."""
        from aiohttp import web

        match fault.kind:
            case "slow":
                await asyncio.sleep(fault.delay_ms / 1_000)
                return None
            case "hang":
                await asyncio.Event().wait()
            case "reset" | "cut":
                return await self._reset_connection(request, call, halfway=fault.kind == "cut")
            case "html":
                return web.Response(text=PAGE, content_type="text/html")
            case "garbage":
                return web.Response(body=b'{"id": "chatcmpl-simulated", "choices": [{', content_type="application/json")
            case "body":
                return web.json_response(fault.body)
            case "failed" if call.api == "completions":
                return _fault_response(fault)
            case "status" | "rate_limit" | "quota" | "unauthorized" | "no_model" | "too_long":
                return _fault_response(fault)
        return web.json_response(await self._build_odd_answer(call, fault))

    async def _build_odd_answer(self, call: Call, fault: Fault) -> dict[str, Any]:
        """Return a well-formed response with unusable contents."""
        match fault.kind:
            case "no_choices" | "null_choices":
                holder = "output" if call.api == "responses" else "choices"
                return {**self._render(call, ModelOutput()), holder: [] if fault.kind == "no_choices" else None}
            case "null_content":
                return self._render(call, ModelOutput())
            case "refusal":
                return self._render(call, ModelOutput(refusal=fault.text or "I'm sorry, but I can't help with that."))
            case "content_filter":
                return self._render(call, ModelOutput(fault.text or None, ended="content_filter"))
            case "failed":
                return self._render(call, ModelOutput(failed=fault.code or "server_error"))
            case "truncated":
                text = (await self._produce_output(call)).text or ""
                return self._render(call, ModelOutput(fault.text or text[: len(text) // 2], ended="length"))
        return self._render(call, ModelOutput(fault.text))

    async def _reset_connection(self, request: web.Request, call: Call, *, halfway: bool) -> web.Response:
        """Tear the connection down, so that the client sees a reset and not an orderly end."""
        from aiohttp import web

        call.status = 0
        response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "1000"})
        if halfway:
            await response.prepare(request)
            await response.write(b'{"id": "chatcmpl-simulated", ')
        if request.transport is not None:
            opened = request.transport.get_extra_info("socket")
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            request.transport.abort()
        return web.Response()


def _refusal_response(refusal: Refusal) -> web.Response:
    from aiohttp import web

    if isinstance(refusal.body, str):
        return web.Response(text=refusal.body, status=refusal.status, headers=refusal.headers, content_type="text/html")
    return web.json_response(refusal.body, status=refusal.status, headers=refusal.headers)


def _fault_response(fault: Fault) -> web.Response:
    from aiohttp import web

    status, body, headers = refusal(fault)
    return web.json_response(body, status=status, headers=headers)
