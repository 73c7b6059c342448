"""Every sample webhook body through a whole daemon: stored once as what it is, answered exactly where it should be."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import aiohttp

from sara.cli.context import read
from sara.domain.messages import StoredMessage
from sara.runtime.clock import Environment, wall_clock
from sara.runtime.daemon import Daemon
from tests.samples import BODIES, EXPECTED, FIGURES, NOX, OLD_ANA, Said

from .conftest import Town

AN_HOUR_AFTER_THE_SAMPLES = 1_795_312_200_000
SILENCING = ("35_text_stop", "74_smb_message_echo")
"""After these a customer is not answered any more: one asks for silence, the other was answered by a person."""

CORRECTING = ("32_edit_and_revoke",)
"""This changes two messages of other samples, both of which are answered by then."""

CORRECTED = {
    "wamid.HBgLMTU1NTAwMDExMTEVAgASGBQ5NEI3NTA1NzREODA0MzQ4MjhFNwA=": "Hi, are you open on Saturday?",
    "wamid.HBgLMTU1NTAwMDExMTEVAgASGBRBRTY5QkI4NDg5NDc4RTlBNDkxNAA=": "[deleted message]",
}

ADDRESSES: dict[str | None, set[str | None]] = {OLD_ANA.user_id: {"+15550001199"}, NOX.user_id: {"DE.40000000000000000499"}}
"""Where those who moved (in samples of their own) are written to afterwards."""

UNSETTLED = ("waiting", "queued", "sending", "accepted", "sent", "delivered", "in_doubt")


async def start(town: Town) -> None:
    """Start a daemon whose clock goes an hour behind the samples, so that they are as fresh as they were."""
    town.config["channels"]["whatsapp"]["phone_number_id"] = "109000000000555"
    town.write()
    loaded, plugins = read(town.file)
    ahead = AN_HOUR_AFTER_THE_SAMPLES - wall_clock()
    town.daemon = Daemon(loaded, plugins, Environment(clock=lambda: wall_clock() + ahead))
    await town.daemon.start()
    await town.connect()


async def post(town: Town, names: Iterable[str]) -> None:
    """Post sample bodies, byte for byte, one after the other; each is accepted."""
    assert town.daemon is not None
    url, key = town.daemon.public_url + "/webhook/messages", town.phone.settings.app_secret.encode()
    async with aiohttp.ClientSession() as session:
        for name in names:
            body = (BODIES / f"{name}.json").read_bytes()
            signature = "sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest()
            async with session.post(url, data=body, headers={"X-Hub-Signature-256": signature}) as answer:
                assert answer.status == 200, name


async def settle(town: Town) -> None:
    """Wait until everything is answered and all answers are read."""

    async def settled() -> bool:
        assert town.daemon is not None
        stats = await town.daemon.queue.stats()
        found = [each for each in await town.messages() if each.state in UNSETTLED and each.purpose != "operator"]
        # Whoever was answered by a person is handed back in hours; nobody waits for that.
        pending = [each async for each in town.daemon.queue.entries(1_000) if each["kind"] != "timer"]
        return not found and not pending and stats["running"] == 0 and town.phone.under_way == 0

    await town.until(settled)


def expected() -> dict[str, Said]:
    """What each message to our number says, by its id."""
    found: dict[str, Said] = {}
    for name, row in EXPECTED.items():
        for element, said in zip(elements(BODIES / f"{name}.json"), row.said, strict=True):
            assert found.setdefault(element["id"], said) == said
    return found


def elements(body: Path) -> list[dict[str, Any]]:
    """The messages in a body that are ours, as Meta wrote them."""
    values = [
        change["value"]
        for entry in json.loads(body.read_bytes())["entry"]
        for change in entry["changes"]
        if change["field"] == "messages"
    ]
    ours = [value for value in values if value["metadata"]["phone_number_id"] == "109000000000555"]
    return [message for value in ours for message in value.get("messages", [])]


async def everything(town: Town) -> list[Any]:
    """All that is kept of messages, conversations and what happened to them."""
    assert town.daemon is not None
    store = town.daemon.store
    messages = await town.messages()
    history = [await store.timeline(message.id) for message in messages]
    return [messages, history, await store.conversations(1_000), await store.counts()]


async def test_every_sample_is_stored_once_answered_where_it_should_be_and_never_again(town: Town) -> None:
    await start(town)
    await post(town, [name for name in EXPECTED if name not in SILENCING + CORRECTING])
    await settle(town)
    await post(town, CORRECTING)
    await post(town, SILENCING)
    await settle(town)

    stored = await town.messages(direction="in")
    wanted = expected()
    assert Counter(each.external_id for each in stored) == Counter(wanted.keys())
    assert {each.external_id: (each.kind, each.text) for each in stored} == {
        wamid: (said.kind, CORRECTED.get(wamid, said.text)) for wamid, said in wanted.items()
    }
    check_figures(stored)
    check_answers(town, stored, wanted)
    await check_people(town, stored, wanted)

    before, asked = await everything(town), len(town.ai.calls)
    again = list(EXPECTED)
    random.Random(4).shuffle(again)  # noqa: S311  # an order, no secret
    await post(town, again)
    await settle(town)
    assert await everything(town) == before
    assert len(town.ai.calls) == asked


def check_figures(stored: list[StoredMessage]) -> None:
    """As many of each kind as can be counted in the bodies, where 63 repeats one of 01 and one of its own."""
    kinds: Counter[str] = Counter()
    for figures in FIGURES.values():
        if not figures.get("foreign"):
            kinds.update(figures.get("kinds", {}))
    kinds["text"] -= 2
    assert Counter(each.kind for each in stored) == kinds


def check_answers(town: Town, stored: list[StoredMessage], wanted: dict[str, Said]) -> None:
    """Answered is what the table says, each once; the AI read every word of it."""
    states = {(each.state, each.reason) for each in stored if each.text == "STOP"}
    assert states == {("skipped", "opt_out")}
    for each in stored:
        if each.text != "STOP":
            answer = wanted[each.external_id or ""].answer
            reason = {"unsupported": "unreadable", "revoke": "applied"}.get(each.kind, "recorded")
            assert (each.state, each.reason) == (("answered", None) if answer else ("skipped", reason)), each
    asked = [text for call in town.ai.calls for text in call.asked]
    context = [facts for call in town.ai.calls for facts in call.context]
    shown = [facts["shown_to_people_as"] for facts in context if "shown_to_people_as" in facts]
    for each in stored:
        if each.state == "answered" and each.external_id not in CORRECTED:
            # Of a file, the caption stands among the words, and what it is in the context; of a button its label, and what is behind it.
            caption = each.text.partition("] ")[2] if each.text.startswith("[") else each.text.partition(" [button: ")[0]
            assert (
                any(each.text in text for text in [*asked, *shown])
                or (caption and any(caption in text for text in asked))
                or (each.text.endswith("]") and any(facts.get("kind") == each.kind and "files" in facts for facts in context))
            ), each


async def check_people(town: Town, stored: list[StoredMessage], wanted: dict[str, Said]) -> None:
    """Each person is one contact with one conversation, under their own name, and is written to at their own address."""
    assert town.daemon is not None
    names = {each.contact: each.name for each in await town.daemon.store.conversations(1_000)}
    contacts: defaultdict[str | None, set[tuple[str, str]]] = defaultdict(set)
    addresses: defaultdict[str, set[str | None]] = defaultdict(set)
    for each in stored:
        who = wanted[each.external_id or ""].who
        contacts[who.user_id or who.phone].add((each.contact, each.conversation))
        assert who.name in (None, names[each.contact])
        known = {f"+{who.phone}"} if who.phone else {who.user_id}
        addresses[each.conversation] |= known | ADDRESSES.get(who.user_id, set())
    assert [len(found) for found in contacts.values()] == [1] * len(contacts)
    assert len(set().union(*contacts.values())) == len(contacts) == len(names)
    accepted = {send.wamid: send.to or send.recipient for send in town.phone.accepted}
    said = [each for each in await town.messages(direction="out") if each.purpose != "operator"]
    assert len(said) == len(accepted)
    for each in said:
        assert accepted[each.external_id or ""] in addresses[each.conversation]


async def test_a_person_who_answers_from_the_phone_app_answers_for_the_business(town: Town) -> None:
    town.config["conversation"] = {"debounce": "1m", "debounce_max": "1m"}
    await start(town)
    await post(town, ["01_text_basic", "74_smb_message_echo", "03_text_bsuid_only"])
    [asked] = await town.stored(1, direction="in", state="skipped")
    assert (asked.text, asked.reason) == ("Hi, are you open on Sunday?", "answered_by_person")
    [said] = await town.messages(direction="out")
    assert (said.text, said.purpose, said.conversation) == ("Yes, we are open on Sunday.", "operator", asked.conversation)
    assert [each.text for each in await town.messages(state="waiting")] == ["Can you help me without my number?"]
    assert town.ai.calls == []


async def test_a_broken_message_is_kept_under_metas_own_word_for_its_kind(town: Town) -> None:
    await start(town)
    body = json.loads((BODIES / "01_text_basic.json").read_bytes())
    value = body["entry"][0]["changes"][0]["value"]
    [sound] = value.pop("messages")
    broken: dict[str, dict[str, Any]] = {
        "image": {"type": "image", "image": 7},
        "interactive": {"type": "interactive", "interactive": []},
        "reaction": {"type": "reaction", "reaction": "x"},
        "system": {"type": "system"},
        "hologram": {"type": "hologram", "hologram": None},
        "unknown": {"presence": {"mood": "curious"}},
    }
    value["messages"] = [
        {"from": sound["from"], "timestamp": sound["timestamp"], "id": f"wamid.{kind}", **own} for kind, own in broken.items()
    ]
    answer = await town.phone.post(body)
    assert answer.statuses == [200]
    await settle(town)
    stored = await town.messages(direction="in")
    assert {each.kind: each.external_id for each in stored} == {kind: f"wamid.{kind}" for kind in broken}
    assert sorted(each.kind for each in stored if each.state == "answered") == ["image", "interactive"]
