"""What `sara doctor` finds about a WhatsApp number, against the simulator's set-up and a public address of our own."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from aiohttp import web
from sara_simulators.whatsapp import WhatsAppSimulator
from sara_whatsapp.channel import WhatsAppChannel
from sara_whatsapp.doctor.graph_queries import CACHE_MS, ERROR_CACHE_MS, MAX_CACHE_AGE_MS, NEAR_LIMIT_PERCENT
from sara_whatsapp.doctor.subscription_checks import ALL_FIELDS, ECHO_FIELD, ESSENTIAL_FIELDS
from sara_whatsapp.options import WhatsAppOptions
from sara_whatsapp.webhook.self_test import build_probe, is_probe

from sara import CheckResult, Context, Request
from sara.helpers import ProblemRegistry
from tests.plugins.whatsapp.conftest import NOW
from tests.plugins.whatsapp.provider import GAPS

HOOK = "/webhook/messages"
ELSEWHERE = "http://127.0.0.2:9/other"


class Street:
    """A web server in front of a channel, which can get in the way."""

    def __init__(self) -> None:
        self.url = ""
        self.channel: WhatsAppChannel | None = None
        self.answer: Callable[[web.Request], Awaitable[web.Response | None]] | None = None
        self.seen: list[str] = []

    async def pass_on(self, request: web.Request) -> web.Response:
        self.seen.append(request.method)
        if self.answer is not None and (instead := await self.answer(request)) is not None:
            return instead
        assert self.channel is not None
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = await request.read()
        reception = self.channel.receive(Request(request.method, request.path, dict(request.query), headers, body))
        return web.Response(status=reception.response.status, body=reception.response.body)


@pytest.fixture
async def street() -> AsyncIterator[Street]:
    place = Street()
    app = web.Application(client_max_size=4 << 20)
    app.router.add_route("*", HOOK, place.pass_on)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    place.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield place
    await runner.cleanup()


@dataclass
class Shop:
    """A number that is set up well, until a test says otherwise."""

    simulator: WhatsAppSimulator
    street: Street
    state: Path
    now: int = NOW
    public_url: str | None = None
    changes: dict[str, Any] = field(default_factory=dict)
    reported: list[tuple[str, Literal["warning", "error"]]] = field(default_factory=list)

    def channel(self, **changes: Any) -> WhatsAppChannel:
        options = WhatsAppOptions.model_validate(self.simulator.options() | {"webhook": HOOK} | self.changes | changes)
        problems = ProblemRegistry(lambda: self.now)
        for key, severity in self.reported:
            problems.report(key, "as the daemon says", severity=severity)
        context = Context("whatsapp", self.state, lambda: self.now, problems, read_only=True, public_url=self.public_url)
        return WhatsAppChannel(options, context)

    async def look(self, fix: bool = False) -> list[CheckResult]:
        channel = self.channel()
        await channel.open()
        try:
            return list(await channel.checks(fix))
        finally:
            await channel.close()

    async def wrong(self, fix: bool = False) -> dict[str, CheckResult]:
        """What is not good, by its check."""
        return {finding.check: finding for finding in await self.look(fix) if finding.state in ("warning", "bad")}

    def asked(self) -> list[str]:
        return [request.path for request in self.simulator.requests]


@pytest.fixture
async def simulator() -> AsyncIterator[WhatsAppSimulator]:
    """A provider without delays, in the shop's own time: a token's end must not depend on the day of the test."""
    async with WhatsAppSimulator(
        sent_delay=0, delivered_delay=0, read_delay=0, retry_gaps=GAPS, seed=7, clock=lambda: NOW
    ) as quick:
        yield quick


@pytest.fixture
async def shop(simulator: WhatsAppSimulator, street: Street, tmp_path: Path) -> Shop:
    shop = Shop(simulator, street, tmp_path, public_url=street.url)
    street.channel = shop.channel()
    await simulator.connect(street.url + HOOK)
    street.seen.clear()
    return shop


# ── all is well ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_number_that_is_set_up_well_has_nothing_wrong(shop: Shop) -> None:
    findings = await shop.look()
    assert {finding.state for finding in findings} == {"good", "note"}
    checks = [finding.check for finding in findings]
    assert checks == [
        "token", "expiry", "permissions", "number", "quality", "registered", "sending", "account", "subscription", "callback",
        "fields", "overrides", "verify token", "events", "large events", "terms",
    ]  # fmt: skip


async def test_the_terms_are_mentioned_once_with_the_page_that_explains_them(shop: Shop) -> None:
    [terms] = [finding for finding in await shop.look() if finding.state == "note"]
    assert "docs/whatsapp.md" in terms.message


async def test_no_finding_holds_a_secret(shop: Shop) -> None:
    settings = shop.simulator.settings
    shop.simulator.faults.token_expired.on()
    told = repr(await shop.look()) + repr(await shop.look(fix=True))
    shop.simulator.faults.token_expired.off()
    told += repr(await shop.look(fix=True))
    for secret in (settings.access_token, settings.app_secret, settings.verify_token):
        assert secret not in told


# ── what shop owners get wrong ────────────────────────────────────────────────────────────────────────────────────────────

Break = Callable[[Shop], Any]


def set_up(**changes: Any) -> Break:
    def act(shop: Shop) -> None:
        for name, value in changes.items():
            assert hasattr(shop.simulator.setup, name)
            setattr(shop.simulator.setup, name, value)

    return act


def options(**changes: Any) -> Break:
    return lambda shop: shop.changes.update(changes)


DAY = 86_400
EXPIRED = {"error_code": 141006, "error_description": "No payment method.", "possible_solution": "Add a credit card."}

DEFECTS: dict[str, tuple[Break, str, str, str, str]] = {
    "token ended": (set_up(expires_at=NOW // 1_000 - DAY), "token", "bad", "The access token is invalid", "Create a new system user token"),
    "token refused": (lambda shop: shop.simulator.faults.token_expired.on(), "token", "bad", "", "Create a new system user token"),
    "token ends soon": (set_up(expires_at=NOW // 1_000 + 3 * DAY + 60), "expiry", "warning", "less than 4 days", "Create a new"),
    "token of another app": (set_up(token_app="101000000000999"), "token", "bad", "101000000000999", "the app in app_id"),
    "token of a person": (set_up(token_type="USER"), "token", "warning", "within a day", "System users"),
    "permission missing": (
        set_up(scopes=["whatsapp_business_messaging"]), "permissions", "warning", "whatsapp_business_management", "both permissions",
    ),
    "permission taken away": (set_up(manages=False), "account", "bad", "lacks a permission", "whatsapp_business_management"),
    "wrong app secret": (options(app_secret="0" * 32), "app", "bad", "app_id and app_secret together", "Basic"),
    "wrong app id": (options(app_id="101000000000999"), "app", "bad", "app_id and app_secret together", "Basic"),
    "wrong number id": (options(phone_number_id="109000000000999"), "number", "bad", "109000000000999", "API Setup"),
    "wrong account id": (options(business_account_id="104000000000999"), "account", "bad", "104000000000999", "API Setup"),
    "number of another account": (
        set_up(numbers={"109000000000888": "+1 555 0100"}), "account", "bad", "+1 555 0100 (id 109000000000888)", "API Setup",
    ),
    "poor quality": (set_up(quality="RED"), "quality", "warning", "red", "Insights"),
    "name declined": (set_up(name_status="DECLINED"), "display name", "warning", "declined", "own name"),
    "test number": (set_up(mode="SANDBOX"), "mode", "warning", "five people", "number of your own"),
    "not registered": (set_up(registered=False), "registered", "bad", "133010", "PIN"),
    "not registered, cannot send": (set_up(registered=False), "sending", "bad", "133010", "PIN"),
    "no payment method": (set_up(hurdles=[EXPIRED]), "sending", "bad", "141006: No payment method.", "Add a credit card."),
    "too fast": (options(throughput=500), "throughput", "warning", "80", "Set throughput to 80."),
    "not subscribed": (lambda shop: shop.simulator.setup.unsubscribe(), "subscription", "bad", "no message arrives", "--fix"),
    "another app subscribed": (set_up(apps={"1": "Other"}), "subscription", "bad", "Other (1)", "--fix"),
    "no callback": (lambda shop: shop.simulator.setup.point_elsewhere(None), "callback", "bad", "no callback address", "--fix"),
    "wrong callback": (lambda shop: shop.simulator.setup.point_elsewhere(ELSEWHERE), "callback", "bad", ELSEWHERE, "--fix"),
    "messages not subscribed": (
        lambda shop: shop.simulator.setup.point_elsewhere(shop.street.url + HOOK, ["account_update"]), "fields", "bad", "messages", "--fix",
    ),
    "news not subscribed": (
        lambda shop: shop.simulator.setup.point_elsewhere(shop.street.url + HOOK, ["messages"]), "fields", "warning", "account_update",
        "--fix",
    ),
    "override of the number": (
        lambda shop: shop.simulator.setup.override(ELSEWHERE), "overrides", "bad", "the phone number", "webhook_configuration",
    ),
    "override of the account": (
        lambda shop: shop.simulator.setup.override(ELSEWHERE, of_account=True), "overrides", "bad", "the business account", "empty body",
    ),
    "another verify token": (options(verify_token="another"), "verify token", "bad", "verify_token", "Restart"),
    "no app id": (options(app_id=None), "token", "warning", "cannot be checked", "Add app_id"),
    "no account id": (options(business_account_id=None), "account", "warning", "cannot be checked", "Add business_account_id"),
}  # fmt: skip


@pytest.mark.parametrize("defect", DEFECTS)
async def test_each_defect_is_found_and_comes_with_its_remedy(shop: Shop, defect: str) -> None:
    act, check, state, message, remedy = DEFECTS[defect]
    act(shop)
    found = (await shop.wrong())[check]
    assert found.state == state
    assert message in found.message
    assert remedy in found.remedy


@pytest.mark.parametrize(("quality", "told"), [("GREEN", "green."), ("NA", "not yet"), ("UNKNOWN", "not yet")])
async def test_a_number_that_was_not_rated_yet_is_said_to_be_so(shop: Shop, quality: str, told: str) -> None:
    shop.simulator.setup.quality = quality
    [rating] = [finding for finding in await shop.look() if finding.check == "quality"]
    assert f"rates the quality of the number {told}" in rating.message


async def test_everything_that_is_wrong_says_what_to_do(shop: Shop) -> None:
    for act, *_ in DEFECTS.values():
        act(shop)
    wrong = await shop.wrong()
    assert len(wrong) > 5
    assert all(finding.remedy for finding in wrong.values())


async def test_a_dead_token_is_one_bad_finding_and_not_one_for_each_thing_it_cannot_see(shop: Shop) -> None:
    shop.simulator.faults.token_expired.on()
    wrong = await shop.wrong()
    assert [finding.check for finding in wrong.values() if finding.state == "bad"] == ["token"]
    assert {"number", "account", "subscription"} <= set(wrong)


async def test_an_override_that_leads_here_is_fine_and_makes_a_wrong_callback_a_warning(shop: Shop) -> None:
    shop.simulator.setup.point_elsewhere(ELSEWHERE)
    shop.simulator.setup.override(shop.street.url + HOOK, of_account=True)
    wrong = await shop.wrong()
    assert list(wrong) == ["callback"]
    assert wrong["callback"].state == "warning"


async def test_a_callback_that_ends_with_a_slash_leads_here(shop: Shop) -> None:
    shop.simulator.setup.point_elsewhere(shop.street.url + HOOK + "/")
    assert "callback" not in await shop.wrong()


async def test_a_field_that_this_version_does_not_know_leaves_the_other_answers_alone(shop: Shop) -> None:
    number = shop.simulator.options()["phone_number_id"]
    await shop.look()
    assert shop.asked().count(f"/v26.0/{number}") == 6


async def test_without_a_public_address_the_way_in_is_said_to_be_untried(shop: Shop) -> None:
    shop.public_url = None
    wrong = await shop.wrong()
    assert set(wrong) == {"callback", "webhook"}
    assert all("public_url" in finding.remedy for finding in wrong.values())
    assert shop.street.seen == []


async def test_a_provider_that_cannot_be_reached_is_said_once(shop: Shop) -> None:
    async with shop.simulator.unreachable():
        wrong = await shop.wrong()
    assert list(wrong) == ["meta"]
    assert "graph.facebook.com" in wrong["meta"].remedy


# ── the webhook ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def always(status: int, **more: Any) -> Callable[[web.Request], Awaitable[web.Response | None]]:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status, **more)

    return answer


@pytest.mark.parametrize(
    ("status", "message", "remedy"),
    [
        (200, "answers without the challenge", "webhook"),
        (301, "redirect to https://elsewhere", "final address"),
        (404, "no server handles this path", "the same path"),
        (401, "a proxy rejects the request", "Allow all requests"),
        (502, "does not reach SARA", "sara run"),
        (503, "cannot store", "sara queue stats"),
        (500, "which is never SARA's response", "webhook"),
    ],
)
async def test_what_answers_in_saras_place_is_recognised(shop: Shop, status: int, message: str, remedy: str) -> None:
    shop.street.answer = always(status, headers={"Location": "https://elsewhere"})
    wrong = await shop.wrong()
    assert set(wrong) == {"verify token", "events"}
    assert wrong["verify token"].state == "bad"
    assert message in wrong["verify token"].message
    assert remedy in wrong["verify token"].remedy


async def test_a_server_that_accepts_every_token_is_not_taken_for_sara(shop: Shop) -> None:
    async def echo(request: web.Request) -> web.Response:
        return web.Response(text=request.query.get("hub.challenge", ""))

    shop.street.answer = echo
    wrong = await shop.wrong()
    assert "any verify token" in wrong["verify token"].message
    assert "instead of 401" in wrong["events"].message


async def test_a_proxy_that_changes_the_body_is_found_by_the_signature(shop: Shop) -> None:
    channel = shop.street.channel
    assert channel is not None

    async def rewrite(request: web.Request) -> web.Response | None:
        if request.method != "POST":
            return None
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = (await request.read()).replace(rb"\/", b"/")
        return web.Response(status=channel.receive(Request("POST", HOOK, headers=headers, body=body)).response.status)

    shop.street.answer = rewrite
    wrong = await shop.wrong()
    assert list(wrong) == ["events"]
    assert "signature" in wrong["events"].message
    assert "changes bodies" in wrong["events"].remedy


async def test_a_web_server_that_refuses_large_bodies_is_a_warning_with_its_setting(shop: Shop) -> None:
    async def small_only(request: web.Request) -> web.Response | None:
        return web.Response(status=413) if (request.content_length or 0) > 1 << 20 else None

    shop.street.answer = small_only
    wrong = await shop.wrong()
    assert list(wrong) == ["large events"]
    assert wrong["large events"].state == "warning"
    assert "client_max_body_size" in wrong["large events"].remedy


async def test_an_address_where_nobody_listens_says_why(shop: Shop, unused_tcp_port: int) -> None:
    shop.public_url = f"http://127.0.0.1:{unused_tcp_port}"
    wrong = await shop.wrong()
    assert "refused" in wrong["webhook"].message


async def test_an_address_without_tls_is_named_where_meta_is_real(shop: Shop) -> None:
    shop.changes = {"graph_url": "https://no-such-host.invalid"}
    assert "https only" in (await shop.wrong())["https"].message


@pytest.mark.parametrize("size", [0, 3_000_000])
def test_our_own_event_is_taken_and_counts_for_nothing(shop: Shop, sign: Callable[..., Request], size: int) -> None:
    """A webhook that is verified is a sign that receipts reach us, and a message in doubt is sent again upon it."""
    reception = shop.channel().receive(sign(build_probe(size), shop.simulator.settings.app_secret))
    assert reception.response.status == 200
    assert not reception.verified


def test_a_real_event_for_another_number_is_no_probe(shop: Shop, sign: Callable[..., Request]) -> None:
    body = build_probe().replace(b'"phone_number_id":"0"', b'"phone_number_id":"123456123"')
    assert body != build_probe()
    assert shop.channel().receive(sign(body, shop.simulator.settings.app_secret)).verified


def test_a_probe_beside_something_else_is_no_probe(shop: Shop) -> None:
    from sara_whatsapp.webhook.parser import BusinessNumber, parse

    body = build_probe().rstrip()[:-2] + b',{"id":"1","changes":[{"field":"nonsense","value":{}}]}]}'
    assert not is_probe(parse(body, BusinessNumber("whatsapp:1", "1"), NOW))


# ── asked once, remembered for a minute ───────────────────────────────────────────────────────────────────────────────────


async def test_each_thing_is_asked_once(shop: Shop) -> None:
    await shop.look()
    asked = shop.asked()
    number = shop.simulator.options()["phone_number_id"]
    others = [path for path in asked if path != f"/v26.0/{number}"]
    assert len(others) == len(set(others)) == 4
    assert {request.method for request in shop.simulator.requests} == {"GET"}


async def test_a_second_look_within_minutes_asks_nothing_and_says_so(shop: Shop) -> None:
    await shop.look()
    shop.simulator.setup.unsubscribe()
    before = len(shop.simulator.requests)
    shop.now += CACHE_MS - 1
    again = await shop.look()
    assert len(shop.simulator.requests) == before
    assert {finding.check for finding in again if not finding.cached} == {"verify token", "events", "large events", "terms"}
    shop.now += 1
    assert list(await shop.wrong()) == ["subscription"]


async def test_what_was_refused_is_asked_again_after_a_minute(shop: Shop) -> None:
    shop.simulator.setup.manages = False
    assert {"account", "subscription"} == set(await shop.wrong())
    asked = len(shop.simulator.requests)
    shop.simulator.setup.manages = True
    shop.now += ERROR_CACHE_MS - 1
    assert all(finding.cached for finding in (await shop.wrong()).values())
    assert len(shop.simulator.requests) == asked
    shop.now += 1
    assert await shop.wrong() == {}
    assert len(shop.simulator.requests) == asked + 2


async def test_who_looks_once_a_minute_stays_within_what_meta_allows_a_new_account(shop: Shop) -> None:
    shop.public_url = None
    for _ in range(60):
        await shop.look()
        shop.now += 60_000
    assert len(shop.simulator.requests) < 200


async def test_near_metas_limit_what_was_heard_before_has_to_do(shop: Shop) -> None:
    shop.simulator.setup.used = NEAR_LIMIT_PERCENT
    await shop.look()
    asked = len(shop.simulator.requests)
    shop.simulator.setup.used = 0
    shop.simulator.setup.unsubscribe()
    shop.now += CACHE_MS - 1
    assert await shop.wrong() == {}
    assert len(shop.simulator.requests) == asked
    shop.now += 1
    assert list(await shop.wrong()) == ["subscription"]


async def test_near_metas_limit_what_was_never_heard_is_said_to_be_unasked(shop: Shop) -> None:
    shop.changes = {"app_id": None, "business_account_id": None}
    shop.simulator.setup.used = NEAR_LIMIT_PERCENT
    await shop.look()
    [file] = shop.state.iterdir()
    file.write_text(file.read_text(encoding="utf-8").replace('"health_status"', '"another"', 1), encoding="utf-8")
    asked = len(shop.simulator.requests)
    found = (await shop.wrong())["sending"]
    assert "nearly reached" in found.message
    assert "in 5 minutes" in found.remedy
    assert len(shop.simulator.requests) == asked


async def test_nothing_older_than_a_day_is_used_however_near_the_limit_is(shop: Shop) -> None:
    await shop.look()
    shop.now += MAX_CACHE_AGE_MS - 60_000
    shop.simulator.setup.used = NEAR_LIMIT_PERCENT
    await shop.look()
    [file] = shop.state.iterdir()
    file.write_text(file.read_text(encoding="utf-8").replace('"rested": ', '"rested": 9', 1), encoding="utf-8")
    shop.now += MAX_CACHE_AGE_MS
    assert (await shop.wrong())["meta"].remedy.startswith("Run this again in")


async def test_what_is_remembered_is_for_the_same_credentials_alone(shop: Shop) -> None:
    await shop.look()
    shop.changes = {"access_token": "EAAanother"}
    assert (await shop.wrong())["token"].state == "bad"


async def test_what_is_remembered_is_private_and_holds_no_secret(shop: Shop) -> None:
    await shop.look()
    [file] = shop.state.iterdir()
    settings = shop.simulator.settings
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    text = file.read_text(encoding="utf-8")
    assert not any(secret in text for secret in (settings.access_token, settings.app_secret, settings.verify_token))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"key": 1}', "\x00", '{"key": "x", "said": 3}'])
async def test_a_damaged_memory_is_as_good_as_none(shop: Shop, text: str) -> None:
    await shop.look()
    [file] = shop.state.iterdir()
    file.write_text(text, encoding="utf-8")
    assert await shop.wrong() == {}


async def test_without_a_state_directory_nothing_is_remembered_and_all_works(shop: Shop) -> None:
    shop.state = shop.state / "not-there"
    assert await shop.wrong() == {}
    assert not shop.state.exists()


async def test_fixing_asks_anew(shop: Shop) -> None:
    await shop.look()
    shop.simulator.setup.unsubscribe()
    assert await shop.wrong(fix=True) == {}


# ── mending ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_fixing_subscribes_the_app_and_sets_the_callback_and_messages_arrive(shop: Shop) -> None:
    shop.simulator.setup.unsubscribe()
    shop.simulator.setup.point_elsewhere(ELSEWHERE, ["account_update"])
    found = await shop.look(fix=True)
    assert {finding.state for finding in found} == {"good", "note"}
    done = [finding.message for finding in found if finding.check == "fix"]
    assert len(done) == 2
    assert ELSEWHERE in done[1]
    shop.street.seen.clear()
    await shop.simulator.say("ana", "hello")
    await shop.simulator.wait_for(lambda phone: phone.deliveries and phone.deliveries[-1].accepted)
    assert shop.street.seen == ["POST"]


async def test_fixing_changes_nothing_where_nothing_is_wrong(shop: Shop) -> None:
    await shop.look(fix=True)
    assert {request.method for request in shop.simulator.requests} == {"GET"}


async def test_fixing_an_address_alone_keeps_the_overrides_of_the_account(shop: Shop) -> None:
    shop.simulator.setup.override(ELSEWHERE, of_account=True)
    shop.simulator.setup.point_elsewhere(ELSEWHERE)
    wrong = await shop.wrong(fix=True)
    assert list(wrong) == ["overrides"]
    assert shop.simulator.setup.account_override == ELSEWHERE


async def test_fixing_keeps_the_fields_that_were_subscribed_before(shop: Shop) -> None:
    shop.simulator.setup.point_elsewhere(ELSEWHERE, ["calls"])
    await shop.look(fix=True)
    assert set(shop.simulator.setup.fields) == {*ALL_FIELDS, "calls"}


async def test_a_field_that_the_app_may_not_have_does_not_keep_it_from_the_others(shop: Shop) -> None:
    shop.simulator.setup.refused_fields = {"security"}
    shop.simulator.setup.point_elsewhere(ELSEWHERE, [])
    assert await shop.wrong(fix=True) == {}
    assert set(shop.simulator.setup.fields) == {*ESSENTIAL_FIELDS, ECHO_FIELD}
    shop.simulator.setup.refused_fields = {"account_alerts"}
    shop.simulator.setup.point_elsewhere(ELSEWHERE, [])
    assert list(await shop.wrong(fix=True)) == ["fields"]
    assert shop.simulator.setup.fields == ["messages"]


@pytest.mark.parametrize("refused", [False, True])
async def test_what_is_answered_from_the_phone_app_is_asked_for_where_the_app_may_have_it(shop: Shop, refused: bool) -> None:
    before = [field for field in ALL_FIELDS if field != ECHO_FIELD]
    shop.simulator.setup.refused_fields = {ECHO_FIELD} if refused else set()
    shop.simulator.setup.point_elsewhere(shop.street.url + HOOK, before)
    [noted] = [finding for finding in await shop.look() if finding.check == "fields"]
    assert noted.state == "note"
    assert ECHO_FIELD in noted.message
    assert "--fix" in noted.remedy
    assert await shop.wrong(fix=True) == {}
    assert set(shop.simulator.setup.fields) == {*before, *(() if refused else (ECHO_FIELD,))}


async def test_a_callback_that_does_not_pass_the_handshake_stays_as_it_was_and_says_why(shop: Shop) -> None:
    shop.changes = {"verify_token": "another"}
    shop.simulator.setup.point_elsewhere(ELSEWHERE)
    wrong = await shop.wrong(fix=True)
    assert "did not receive its challenge" in wrong["fix"].message
    assert shop.simulator.setup.callback == ELSEWHERE


async def test_two_channels_of_one_app_do_not_take_the_callback_from_each_other(shop: Shop) -> None:
    shared: dict[Any, Any] = {}
    found = []
    for webhook in (HOOK, "/webhook/second"):
        channel = shop.channel(webhook=webhook)
        channel._context.shared = shared
        await channel.open()
        found.append({finding.check: finding for finding in await channel.checks(fix=True)})
        await channel.close()
    assert shop.simulator.setup.callback == shop.street.url + HOOK
    assert "fix" not in found[0]
    assert "the same `webhook`" in found[1]["fix"].remedy


async def test_without_permission_nothing_is_mended_and_that_is_said(shop: Shop) -> None:
    shop.simulator.setup.unsubscribe()
    shop.simulator.setup.manages = False
    wrong = await shop.wrong(fix=True)
    assert wrong["subscription"].state == "bad"
    assert shop.simulator.setup.apps == {}


# ── the template ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_configured_template_is_looked_up_at_meta(shop: Shop) -> None:
    """What Meta would refuse when it is sent is said before."""
    for name, language, status in (("paused", "en", "PAUSED"), ("pending", "en", "PENDING"), ("rejected", "de", "REJECTED")):
        shop.simulator.approve(name, language)
        shop.simulator.reject(name, language, status)
    shop.simulator.approve("offer", "en", "Come and see.", category="marketing")
    shop.simulator.approve("named", "en", "Hello {{name}}.")
    rows: list[tuple[dict[str, Any], str, str]] = [
        ({"name": "answer_waiting", "language": "en"}, "good", "is approved"),
        ({"name": "no_such_thing", "language": "en"}, "bad", "has no template no_such_thing"),
        ({"name": "answer_waiting", "language": "en_GB"}, "bad", "does not exist in en_GB, only in en"),
        ({"name": "paused", "language": "en"}, "bad", "it is paused"),
        ({"name": "rejected", "language": "de"}, "bad", "it is rejected"),
        ({"name": "pending", "language": "en"}, "warning", "not approved yet"),
        ({"name": "order_ready", "language": "en"}, "bad", "has 2 placeholders, but sara.yaml sets 0 parameters"),
        ({"name": "named", "language": "en"}, "bad", "named placeholders (name)"),
        ({"name": "offer", "language": "en"}, "warning", "approved the template as marketing"),
        ({"name": "offer", "language": "en", "category": "marketing"}, "good", "is approved"),
    ]
    for template, state, words in rows:
        shop.changes = {"template": template}
        found = [finding for finding in await shop.look() if finding.check == "template"]
        worst = next((each for each in found if each.state != "good"), found[0])
        assert (worst.state, words in worst.message) == (state, True), (template, worst)
        assert worst.remedy or worst.state == "good"
    shop.changes = {}
    assert [finding for finding in await shop.look() if finding.check == "template"] == []
    shop.changes = {"template": rows[0][0], "business_account_id": None}
    assert (await shop.wrong())["template"].state == "warning"


async def test_what_the_daemon_has_met_counts_more_than_what_meta_said_before(shop: Shop) -> None:
    """A good answer of the last minutes is not taken for granted where the daemon cannot send."""
    assert (await shop.wrong()) == {}
    shop.simulator.faults.token_expired.on()
    assert (await shop.wrong()) == {}, "the answers of a moment ago are used again"
    for key, severity, seen in (
        ("lane:deliver:other:blocked", "error", False),
        ("channel:whatsapp:reply_window_closed", "warning", False),
        ("lane:deliver:whatsapp:blocked", "error", True),
    ):
        shop.reported = [(key, severity)]
        assert ("token" in await shop.wrong()) is seen, key
