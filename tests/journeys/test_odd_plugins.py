"""Plugins that hand over what was not agreed, or try to end the process: named, and nobody else is hurt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sara.cli.config import check

from .conftest import Process, Town
from .test_plugins import nothing_left_imported, problems, serve
from .test_running import sara

__all__ = ["nothing_left_imported"]

SECRET = "bot123456:AAE-secret-of-the-telegram-kind"

ODD = (
    '''
import asyncio, sys
from sara import *

class Settings(Options):
    token: Secret = Secret("'''
    + SECRET
    + """")
    webhook: str = "/odd"

class Odd(Channel):
    Options = Settings
    kinds = frozenset({"text"})
    on_doubt = "hold"
    doubt_timeout = 100

    def __init__(self, options, context):
        self.account = f"odd:{context.name}"
        self.webhook = options.webhook
        self.token = options.token.reveal()
        self.clock = context.clock
        self.sent = []

    def receive(self, request):
        mode = request.body.decode()
        def message(**changes):
            given = dict(account=self.account, external_id=mode, person=Identity(user_id="ana"), kind="text", text=mode, at=self.clock())
            return InboundMessage(**{**given, **changes})
        good = message(external_id=mode + "-good", text="good " + mode)
        match mode.partition(" ")[0]:
            case "none": return None
            case "dict": return {"verified": True}
            case "exit": sys.exit(3)
            case "interrupt": raise KeyboardInterrupt
            case "closed": raise GeneratorExit
            case "cancelled": raise asyncio.CancelledError
            case "verified": return WebhookResult(verified="yes", messages=(good,))
            case "messages-none": return WebhookResult(verified=True, messages=None)
            case "message-none": return WebhookResult(verified=True, messages=(None, good))
            case "at-text": return WebhookResult(verified=True, messages=(message(at="2026-12-01"), good))
            case "at-none": return WebhookResult(verified=True, messages=(message(at=None), good))
            case "at-float": return WebhookResult(verified=True, messages=(message(at=float(self.clock()) + 0.5),))
            case "text-none": return WebhookResult(verified=True, messages=(message(text=None), good))
            case "person-text": return WebhookResult(verified=True, messages=(message(person="ana"), good))
            case "content-set": return WebhookResult(verified=True, messages=(message(content={"x": {1}}), good))
            case "id-number": return WebhookResult(verified=True, messages=(message(external_id=7), good))
            case "receipt": return WebhookResult(verified=True, messages=(good,), receipts=("delivered",))
            case "response": return WebhookResult(Response("200"), verified=True, messages=(good,))
            case "header": return WebhookResult(Response(content_type="text/plain; charset=utf-8"), verified=True, messages=(good,))
            case "list": return WebhookResult(verified=True, messages=[message()])
        return WebhookResult(verified=True, messages=(message(),))

    def compose(self, draft):
        match draft.text.rpartition(" ")[2]:
            case "compose-none": return None
            case "compose-text": return draft.text
            case "compose-empty": return []
            case "compose-nones": return [None]
            case "compose-draft": return [OutgoingContent(None)]
            case "compose-content": return [OutgoingContent("x", content={"x": object()})]
            case "compose-raises": raise ValueError(self.token)
            case "compose-exit": sys.exit(3)
            case "compose-cancelled": raise asyncio.CancelledError
            case "compose-generator": return (each for each in [draft])
            case "compose-blank": return [OutgoingContent(""), OutgoingContent(" \\n")]
            case "compose-endless": return iter(lambda: draft, None)
            case "compose-later-exit": return map(lambda each: sys.exit(3) if each is None else each, [draft, None])
        return super().compose(draft)

    async def send(self, part, attempt_id):
        self.sent.append(part.text)
        match part.text.rpartition(" ")[2]:
            case "send-none": return None
            case "send-true": return True
            case "send-number": return SendResult(4711)
            case "send-no-id": return SendResult(None)
            case "send-exit": sys.exit(3)
            case "send-leaks": raise Rejected(f"https://api.example.org/{self.token}/send said no")
            case "send-after": raise NotSent("soon", after="5") if len(self.sent) < 2 else Rejected("no")
        return SendResult(attempt_id)

@hookimpl
def register_channels():
    return [Odd]
"""
)

COUNTING = (
    """
import sys
from sara import *

class Counting(Responder):
    Options = Options
    def __init__(self, options, context):
        self.asked = 0
    async def answer(self, turn, tools=None):
        self.asked += 1
        said = " ".join(line.text for line in turn.messages)
        match said.rpartition(" ")[2]:
            case "reply-none": return None
            case "reply-text": return "echo: " + said
            case "reply-parts": return Reply("echo: " + said)
            case "reply-strings": return Reply(("echo: " + said, None))
            case "reply-usage": return Reply((OutgoingContent("echo: " + said),), usage={"tokens": 1}, transcripts=[1])
            case "reply-empty": return Reply(None)
            case "reply-exit": sys.exit(3)
            case "reply-leaks": raise GiveUp("no", detail="no to """
    + SECRET
    + """")
            case "reply-detail": raise GiveUp("no", detail=[1])
        return Reply((OutgoingContent("echo: " + said),))

@hookimpl
def register_responders():
    return [Counting]
"""
)


def lay(town: Town, **sources: str) -> None:
    folder = town.folder / "plugins"
    folder.mkdir(exist_ok=True)
    for name, source in sources.items():
        (folder / f"sara_{name}.py").write_text(source, encoding="utf-8")


async def post(url: str, body: str) -> int:
    async with aiohttp.ClientSession() as session, session.post(url, data=body.encode()) as answer:
        return answer.status


async def odd_town(town: Town) -> Any:
    lay(town, odd=ODD, counting=COUNTING)
    town.config["channels"] = {"strange": {"plugin": "odd"}}
    town.config["responders"] = {"assistant": {"plugin": "counting"}}
    return await serve(town)


RECEIVED = (
    # (what `receive` does, the status, the texts that are stored, what is kept aside)
    ("none", 503, 0, 0), ("dict", 503, 0, 0), ("exit", 503, 0, 0), ("interrupt", 503, 0, 0), ("closed", 503, 0, 0),
    ("cancelled", 503, 0, 0), ("verified", 503, 0, 0), ("messages-none", 200, 0, 1), ("message-none", 200, 1, 1),
    ("at-text", 200, 1, 1), ("at-none", 200, 1, 1), ("at-float", 200, 1, 0), ("text-none", 200, 1, 1),
    ("person-text", 200, 1, 1), ("content-set", 200, 1, 1), ("id-number", 200, 1, 1), ("receipt", 200, 1, 1),
    ("response", 200, 1, 1), ("header", 200, 1, 0), ("list", 200, 1, 0), ("plain", 200, 1, 0),
)  # fmt: skip


async def test_what_receive_hands_over_is_checked_before_it_is_stored(town: Town) -> None:
    daemon = await odd_town(town)
    stored = aside = 0
    for mode, status, texts, kept in RECEIVED:
        assert await post(daemon.public_url + "/odd", mode) == status, mode
        stored, aside = stored + texts, aside + kept
        assert len(await town.messages(direction="in")) == stored, mode
        assert (await daemon.store.counts())["unparsed_payloads"] == aside, mode
        told = problems(daemon)
        key = "channel:strange:webhook_unreadable" if status == 503 else "channel:strange:webhook_unparsed" if kept else None
        if key is not None:
            assert "odd" in told[key] or "strange" in told[key], mode
            assert "its plugin" in told[key] or "handed over a wrong value" in told[key], mode
        assert not any(SECRET in each for each in told.values())


ANSWERED = (
    *("compose-none", "compose-text", "compose-empty", "compose-nones", "compose-draft", "compose-content", "compose-raises"),
    *("compose-exit", "compose-cancelled", "compose-generator"),
    *("compose-blank", "compose-endless", "compose-later-exit"),
    *("reply-text", "reply-parts", "reply-strings", "reply-usage"),
    *("send-number", "send-no-id"),
)
UNANSWERED = {"reply-none": "dead", "reply-empty": "dead", "reply-leaks": "dead", "reply-detail": "dead"}
UNSENT = {"send-none": "held", "send-true": "held", "send-exit": "held", "send-leaks": "failed", "send-after": "failed"}


async def test_an_answer_that_was_made_is_sent_and_made_once(town: Town) -> None:
    daemon = await odd_town(town)
    responder, [route] = daemon.plugin_host.responders["assistant"], list(daemon.components.pipeline.routing.bindings)
    for mode in (*ANSWERED, *UNANSWERED, *UNSENT):
        asked = responder.asked
        assert await post(daemon.public_url + "/odd", f"say {mode}") == 200

        async def over(mode: str = mode) -> bool:
            state = UNANSWERED.get(mode, "answered")
            came = [each for each in await town.messages(direction="in", state=state) if each.text == f"say {mode}"]
            want = UNSENT.get(mode, "accepted")
            said = [each for each in await town.messages(direction="out", state=want) if each.text == f"echo: say {mode}"]
            return bool(came) and (mode in UNANSWERED or bool(said))

        await town.until(over)
        assert responder.asked == asked + 1, mode
        told = " ".join(problems(daemon).values())
        assert SECRET not in told, mode
        if mode not in ("compose-generator", "send-leaks", "send-after"):
            assert "odd" in told or "counting" in told, mode
        for message in await town.messages(direction="out"):
            assert SECRET not in (message.error or ""), mode
    sent: list[str] = route.channel.sent  # type: ignore[attr-defined]  # the plugin's own attribute
    assert not any(sent.count(f"echo: say {mode}") > 1 for mode in ANSWERED), sent


EXITS = {
    "imports": "import sys\nsys.exit(3)\n",
    "interrupts": "raise KeyboardInterrupt\n",
    "closes": "raise GeneratorExit\n",
    "registers": "import sys\nfrom sara import hookimpl\n@hookimpl\ndef register_channels():\n    sys.exit(3)\n",
    "builds": "import sys\n" + ODD.replace("self.account = ", "sys.exit(3); self.account = "),
    "opens": "import sys\n" + ODD.replace("    def receive", "    async def open(self):\n        sys.exit(3)\n\n    def receive"),
    "gates": "import sys\nfrom sara import hookimpl\ndef gate(view, policy, facts):\n    sys.exit(3)\n"
    "@hookimpl\ndef register_gates():\n    return [gate]\n",
    "brings": "import sys\nfrom sara import hookimpl\n@hookimpl\ndef register_gates():\n    sys.exit(3)\n",
    "hooks": "import sys\nfrom sara import hookimpl\n@hookimpl\nasync def started():\n    raise KeyboardInterrupt\n",
}


async def test_whoever_tries_to_end_the_process_is_named_and_the_others_answer(town: Town) -> None:
    lay(town, **EXITS)
    channels = ("imports", "registers", "builds", "opens")
    town.config["channels"] |= {name: {"plugin": name} for name in channels}
    town.config["plugins"] = ["interrupts", "closes", "gates", "brings", "hooks"]
    daemon = await town.start()
    await town.phone.say("ana", "hello")
    assert await town.answers(1) == ["echo: hello"]
    told = " ".join(problems(daemon).values())
    for name in EXITS:
        assert f"plugin {name}" in told or f"channel {name}" in told, name
    # The paths of those that are not running are not known to be nobody's.
    for path in ("/odd", "/webhook/of/somebody"):
        assert await post(daemon.public_url + path, "hi") == 503, path


async def test_a_plugin_that_cannot_be_imported_answers_503_at_its_webhook_and_nothing_else(town: Town) -> None:
    lay(town, gone="import nothing_of_that_name\n")
    for key in ("webhook", "path"):
        town.config["channels"]["gone"] = {"plugin": "gone", key: "/hook/gone"}
        daemon = await town.start()
        assert await post(daemon.public_url + "/hook/gone", "hi") == 503
        assert await post(daemon.public_url + "/hook/other", "hi") == 404
        await town.stop()


async def test_a_task_of_a_plugin_that_ends_the_process_only_ends_itself(town: Town, process: Process) -> None:
    lay(
        town,
        restless="import asyncio, sys\nfrom sara import hookimpl\nkept = set()\nasync def leave():\n    sys.exit(3)\n"
        "@hookimpl\nasync def started():\n    kept.add(asyncio.create_task(leave()))\n",
    )
    town.config["plugins"] = ["restless"]
    await process.start()
    await process.logged("task_exit_suppressed")
    assert any('"plugin": "restless"' in line for line in process.output)
    await town.phone.say("ana", "hello")
    assert await town.answers(1) == ["echo: hello"]
    assert await process.end() == 0


DEFERRING = """
from pathlib import Path
from sara import Allow, Defer, hookimpl

REASONS = {
    "kitchen": "the kitchen is closed, 厨房关门了",
    "lines": "first\\nsecond\\x1b[31m",
    "half": "half \\ud83d",
    "long": "x" * 10_000,
    "none": "",
}

def gate(view, policy, facts):
    words = view.waiting[0].text if view.waiting else ""
    if (Path(__file__).parent / "open").exists() or words not in REASONS:
        return Allow()
    return Defer(facts.now + 100, reason=REASONS[words])

@hookimpl
def register_gates():
    return [gate]
"""
SAID_OF = {
    "kitchen": "deferring: the kitchen is closed, 厨房关门了",
    "lines": "deferring: first",
    "half": "deferring: half \ufffd",
    "long": "xxx",
    "none": "by the plugin deferring",
}


async def test_why_tells_for_what_reason_a_gate_puts_a_message_off(town: Town) -> None:
    lay(town, deferring=DEFERRING)
    town.config["plugins"] = ["deferring"]
    await town.start()
    for customer, words in zip(town.phone.customers, SAID_OF, strict=False):
        await town.phone.say(customer, words)
        [message] = await town.stored(1, direction="in", text=words)

        async def told(ident: str = message.id, said: str = SAID_OF[words]) -> bool:
            code, out, err = await sara(town, "why", ident)
            assert code == 0, err
            assert "\x1b" not in out
            assert out.count("x") <= 510
            return said in out and "deferred" in out

        await town.until(told)
    assert not town.phone.accepted
    (town.folder / "plugins" / "open").touch()
    count = min(len(SAID_OF), len(town.phone.customers))
    assert sorted(await town.answers(count)) == sorted(f"echo: {words}" for words in list(SAID_OF)[:count])


BARE = ODD.replace('self.account = f"odd:{context.name}"', "pass")
LEAVING = "import sys\n"
OPTIONS = LEAVING + ODD.replace(
    "class Settings(Options):\n",
    "from typing import Annotated\nfrom pydantic import AfterValidator, BeforeValidator, Field\n"
    "def leave(_=None): sys.exit(3)\nclass Settings(Options):\n    strange: @TYPE@\n",
).replace("{", "{{").replace("}", "}}").replace("@TYPE@", "{}")
OPTED = {"channels": {"a": {"plugin": "odd", "strange": "x"}}}
UNFIT = (
    # (files, changes to the configuration, what `sara check` says)
    ({"odd": LEAVING + "def __getattr__(name): sys.exit(3)"}, {"channels": {"a": {"plugin": "odd"}}}, "odd"),
    (
        {"odd": OPTIONS.format("Secret = Field(default_factory=lambda: sys.exit(3))")},
        {"channels": {"a": {"plugin": "odd"}}},
        "odd plugin could not",
    ),
    (
        {"odd": OPTIONS.format("Annotated[str, AfterValidator(leave)]")},
        OPTED,
        "odd plugin could not check its options: it tried to end",
    ),
    ({"odd": OPTIONS.format("Annotated[str, AfterValidator(lambda x: {}[x])]")}, OPTED, "it raised KeyError"),
    ({"odd": OPTIONS.format("Annotated[str, BeforeValidator(lambda x: 1 / 0)]")}, OPTED, "it raised ZeroDivisionError"),
    (
        {"odd": BARE + "\nOdd.account = property(lambda self: sys.exit(3))"},
        {"channels": {"a": {"plugin": "odd"}}},
        "tried to end",
    ),
    (
        {"odd": BARE + "\nOdd.account = property(lambda self: 1 / 0)"},
        {"channels": {"a": {"plugin": "odd"}}},
        "raised ZeroDivisionE",
    ),
    ({"odd": BARE}, {"channels": {"a": {"plugin": "odd"}}}, "has no `account`"),
    ({"odd": ODD.replace("async def send", "async def sned")}, {"channels": {"a": {"plugin": "odd"}}}, "lacks `send`"),
    ({"odd": ODD}, {"channels": {"a": {"plugin": "odd", "webhook": "odd"}}}, "`webhook` is no path"),
    ({"odd": ODD.replace("class Odd(Channel)", "class Odd(Responder)")}, {"channels": {"a": {"plugin": "odd"}}}, "is no Channel"),
    ({"odd": ODD.replace("return [Odd]", "return Odd")}, {"channels": {"a": {"plugin": "odd"}}}, "not a list"),
    ({"odd": ODD + "\nOdd.text_limit = '4096'"}, {"channels": {"a": {"plugin": "odd"}}}, "`text_limit` is a str"),
    ({"odd": ODD + "\nOdd.text_limit = 0"}, {"channels": {"a": {"plugin": "odd"}}}, "`text_limit` is 0"),
    ({"odd": ODD, "even": ODD}, {"channels": {"a": {"plugin": "odd"}, "b": {"plugin": "even"}}}, "same webhook path, /odd"),
    ({}, {"plugins": ["waether"]}, "there is no plugin waether"),
    ({"weather": "from sara import hookimpl\n"}, {"plugins": ["waether"]}, "did you mean weather"),
    ({}, {"conversation": {"tools": ["bok_table"]}}, "no plugin registers the tool bok_table"),
    ({}, {"conversation": {"tools": ["handof"]}}, "did you mean handoff"),
    ({"gates": EXITS["brings"]}, {"plugins": ["gates"]}, "the plugin gates tried to end the process"),
    (
        {"counting": COUNTING.replace("self.asked = 0", "raise SystemExit")},
        {"responders": {"a": {"plugin": "counting"}}},
        "counting",
    ),
    (
        {"odd": ODD.replace("self.clock =", "raise ValueError(self.token); self.clock =")},
        {"channels": {"a": {"plugin": "odd"}}},
        "…",
    ),
)


def test_what_keeps_a_plugin_from_working_is_an_error_of_check(
    town: Town, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, (files, changes, said) in enumerate(UNFIT):
        town.folder = tmp_path / str(number)
        town.folder.mkdir()
        lay(town, **files)
        former = dict(town.config)
        town.config |= changes
        town.write()
        town.config = former
        code = check(town.file, strict=False, as_json=False)
        told = capsys.readouterr().out
        assert code == 1, (said, told)
        assert said in told, (said, told)
        assert SECRET not in told
        assert "Traceback" not in told
