"""`sara doctor` as a shop owner runs it: a command of its own, beside a daemon that serves, against the simulated provider."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .conftest import Process, Town
from .test_running import sara

HOOK = "/webhook/messages"
ELSEWHERE = "http://127.0.0.2:9/other"


@pytest.fixture
async def shop(town: Town, process: Process, unused_tcp_port: int) -> Town:
    """A daemon that serves at the address that its file says, with everything set up at the provider."""
    town.config["server"] = {"listen": f"127.0.0.1:{unused_tcp_port}", "public_url": f"http://127.0.0.1:{unused_tcp_port}"}
    town.config["responders"]["assistant"]["instructions"] = "Be brief."
    await process.start()
    return town


async def doctor(town: Town, *words: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Its exit code, and the findings by section and check. No secret is among them."""
    code, out, err = await sara(town, "doctor", "--json", *words)
    assert "Traceback" not in err
    settings = town.phone.settings
    assert not any(secret in out + err for secret in (settings.app_secret, settings.access_token, settings.verify_token))
    sections = json.loads(out)["sections"]
    return code, {section["name"]: {each["check"]: each for each in section["findings"]} for section in sections}


def wrong(found: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {
        f"{name}.{check}": each["state"]
        for name, part in found.items()
        for check, each in part.items()
        if each["state"] in ("warning", "bad")
    }


async def test_where_everything_is_set_up_all_is_well(shop: Town) -> None:
    code, found = await doctor(shop)
    assert wrong(found) == {}
    assert code == 0
    assert set(found) == {"sara", "store", "whatsapp", "assistant"}
    code, out, _ = await sara(shop, "doctor", "whatsapp")
    assert code == 0
    assert "(cached)" in out
    assert out.endswith("\nAll is well.\n")


async def test_looking_leaves_no_trace_among_the_messages(shop: Town) -> None:
    await doctor(shop)
    _, out, _ = await sara(shop, "queue", "stats", "--json")
    figures = json.loads(out)
    assert figures["problems"] == []
    assert figures["messages"].get("unparsed_payloads", 0) == 0
    _, out, _ = await sara(shop, "export")
    assert out == ""


async def test_each_defect_at_the_provider_is_found(shop: Town) -> None:
    setup = shop.phone.setup
    setup.expires_at, setup.registered = 1, False
    setup.scopes.remove("whatsapp_business_management")
    setup.unsubscribe()
    setup.point_elsewhere(ELSEWHERE)
    setup.override(ELSEWHERE)
    code, found = await doctor(shop, "whatsapp")
    assert code == 1
    assert wrong(found) == dict.fromkeys(
        [f"whatsapp.{check}" for check in ("token", "registered", "sending", "subscription", "callback", "overrides")], "bad"
    )
    assert all(each["remedy"] for each in found["whatsapp"].values() if each["state"] == "bad")


async def test_fixing_mends_subscription_and_callback_and_a_message_then_arrives(shop: Town) -> None:
    shop.phone.setup.unsubscribe()
    shop.phone.setup.point_elsewhere(ELSEWHERE, ["account_update"])
    await shop.phone.say("ana", "is anybody there?")
    code, found = await doctor(shop, "whatsapp")
    assert code == 1
    assert wrong(found) == {"whatsapp.subscription": "bad", "whatsapp.callback": "bad", "whatsapp.fields": "bad"}
    code, found = await doctor(shop, "whatsapp", "--fix")
    assert (code, wrong(found)) == (0, {})
    assert found["whatsapp"]["fix"]["state"] == "good"
    await shop.answers(1)
    assert (await doctor(shop, "whatsapp"))[0] == 0


async def test_without_a_daemon_it_says_so_and_what_it_can_see_from_here(shop: Town, process: Process) -> None:
    await process.end()
    code, found = await doctor(shop)
    assert code == 1
    assert wrong(found) == {"sara.daemon": "warning", "sara.public_url": "bad", "whatsapp.webhook": "bad"}
    assert found["store"]["store"]["state"] == "good"
    assert found["whatsapp"]["subscription"]["state"] == "good"


async def test_what_the_daemon_complains_of_is_among_the_findings(shop: Town, process: Process) -> None:
    shop.phone.faults.token_expired.on()
    await shop.phone.say("ana", "hello")
    await process.logged("problem_reported")
    code, found = await doctor(shop)
    assert code == 1
    assert found["sara"]["daemon says"]["remedy"]
    assert found["whatsapp"]["token"]["state"] == "bad"


async def test_a_token_that_the_daemon_cannot_use_is_bad_whatever_meta_said_a_moment_ago(shop: Town, process: Process) -> None:
    assert (await doctor(shop))[0] == 0
    shop.phone.faults.token_expired.on()
    await shop.phone.say("ana", "hello")
    await process.logged("problem_reported")
    code, found = await doctor(shop)
    assert code == 1
    assert found["sara"]["daemon says"]["state"] == "bad"
    assert found["whatsapp"]["token"]["state"] == "bad"
    assert not found["whatsapp"]["token"]["cached"]
    code, out, _ = await sara(shop, "doctor")
    assert code == 1
    assert "✗ daemon says" in out


async def test_a_public_address_that_leads_to_the_admin_listener_is_bad(shop: Town) -> None:
    listening = json.loads((shop.folder / "state" / "listening.json").read_text(encoding="utf-8"))
    shop.config["server"]["public_url"] = listening["admin"]
    shop.write()
    code, found = await doctor(shop)
    assert code == 1
    assert "admin listener" in found["sara"]["public_url"]["message"]
