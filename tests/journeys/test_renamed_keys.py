"""Old names of keys in sara.yaml: `sara check` names the new one, `sara run` still reads the old one, and both at once are refused."""

from __future__ import annotations

import json
from typing import Any

from sara.cli.context import read
from sara.config.renamed_keys import RENAMED_KEYS, RENAMED_OPTIONS

from .conftest import Process, Town
from .test_running import as_json, sara

HANDOFF = {"conversation": "conversation.handoff", "channels.whatsapp.conversation": "channels.whatsapp.conversation.handoff"}
OF_CONVERSATION = (
    # (old key, its value, new key, what it means there)
    ("quiet", "70ms", "debounce", 70),
    ("quiet_longest", "700ms", "debounce_max", 700),
    ("while_thinking", "think_again", "on_new_message", "restart"),
    ("hours", {"mon": "9:00-10:00"}, "opening_hours", None),
    ("close_after", "40d", "session_timeout", 40 * 86_400_000),
    ("unhealthy_after", "7m", "alert_after", 420_000),
    ("tools", ["hand_over"], "tools", ("handoff",)),
)
OTHERS = (
    # (block, old key, its value, new key)
    ("retry.reply", "first", "60ms", "initial_delay"),
    ("retry.reply", "longest", "450ms", "max_delay"),
    ("retry.reply", "outlast", "2h", "max_duration"),
    ("retry.send", "first", "60ms", "initial_delay"),
    ("retry.send", "longest", "450ms", "max_delay"),
    ("retry.send", "outlast", "2h", "max_duration"),
    ("media", "largest", 7, "max_size"),
    ("words", "hand_over", ["Lena"], "handoff"),
    ("channels.whatsapp", "doubt_hold", "3s", "doubt_timeout"),
)


def block_of(config: dict[str, Any], path: str) -> dict[str, Any]:
    for key in path.split("."):
        config = config.setdefault(key, {})
    return config


def write_old_names(town: Town) -> list[tuple[str, str, str]]:
    """Write a file in which every renamed key has its old name. Returns the block, the old and the new name of each."""
    names = []
    for path in HANDOFF:
        block = block_of(town.config, path)
        block.clear()
        for old, value, new, _ in OF_CONVERSATION:
            block[old] = value
            names.append((path, old, new))
        block["hand_over"] = {"back_after": "3h"}
        names += [(path, "hand_over", "handoff"), (HANDOFF[path], "back_after", "return_after")]
    for path in ("retry.reply", "retry.send"):
        block_of(town.config, path).clear()
    del town.config["channels"]["whatsapp"]["doubt_timeout"]
    for path, old, value, new in OTHERS:
        block_of(town.config, path)[old] = value
        names.append((path, old, new))
    town.write()
    return names


def told(path: str, old: str, new: str) -> str:
    return f"{path}.tools: hand_over is now called handoff" if old == new else f"{path}.{old} is now called {new}"


class TestOldNames:
    async def test_check_names_the_new_key_at_its_place(self, town: Town) -> None:
        names = write_old_names(town)
        code, out, err = await sara(town, "check", "--json")
        findings = [each for each in json.loads(out)["findings"] if each["kind"] == "renamed_key"]
        assert (code, err) == (0, ""), out
        lines = town.file.read_text(encoding="utf-8").splitlines()
        expected = {told(*name) for name in names}
        expected |= {f"{path}.while_thinking: think_again is now called restart" for path in HANDOFF}
        assert {each["message"] for each in findings} == expected
        for each in findings:
            word = "think_again" if "think_again" in each["message"] else each["message"].split(" is now")[0].split(".")[-1]
            written = lines[each["line"] - 1][each["column"] - 1 :]
            assert written.lstrip('"').startswith(word.removeprefix("tools: ")), each
            assert word.removeprefix("tools: ") in each["source"], each
        assert (await sara(town, "check", "--strict"))[0] == 1

    async def test_run_reads_old_keys_and_names_both_in_a_problem(self, town: Town, process: Process) -> None:
        names = write_old_names(town)
        loaded, _ = read(town.file)
        config = loaded.config
        assert config is not None, loaded.errors
        channel = config.channels["whatsapp"]
        for policy in (config.conversation, channel.conversation):
            assert policy is not None
            for _, _, new, value in OF_CONVERSATION:
                assert value is None or getattr(policy, new) == value, new
            assert policy.opening_hours is not None
            assert policy.opening_hours.mon == ((540, 600),)
            assert policy.handoff.return_after == 10_800_000
        for again in (config.retry.reply, config.retry.send):
            assert (again.initial_delay, again.max_delay, again.max_duration) == (60, 450, 7_200_000)
        assert (config.media.max_size, config.words.handoff) == (7, ("Lena",))
        assert channel.options.model_dump()["doubt_timeout"] == 3_000
        await process.launch(write=False)
        await process.served()
        problems = [each["message"] for each in (await as_json(town, "queue", "stats"))["problems"]]
        for name in names:
            assert any(told(*name) in each for each in problems), (name, problems)

    async def test_both_names_at_once_are_refused(self, town: Town) -> None:
        names = [name for name in write_old_names(town) if name[1] != name[2]]
        for path, old, new in names:
            block = block_of(town.config, path.replace(".handoff", ".hand_over"))
            block[new] = block[old]
        town.write()
        expected = {f"{path}.{old} is the old name of {new}, which this block has too; remove {old}" for path, old, new in names}
        expected = {each for each in expected if ".handoff." not in each}  # of two blocks the new one counts
        for command in ("check", "run"):
            code, out, err = await sara(town, command)
            assert code == (1 if command == "check" else 78), out + err
            assert [each for each in expected if each not in out + err] == [], command


def test_every_renamed_key_is_tried_above() -> None:
    rows = {(section, row.old, row.new) for row in (*RENAMED_KEYS, *RENAMED_OPTIONS) for section in row.sections}
    of_conversation = [*((old, new) for old, _, new, _ in OF_CONVERSATION), ("hand_over", "handoff")]
    tried = {(path, old, new) for path in ("conversation", "channels.*.conversation") for old, new in of_conversation}
    tried |= {(f"{path}.handoff", "back_after", "return_after") for path in ("conversation", "channels.*.conversation")}
    tried |= {(path.replace("whatsapp", "*"), old, new) for path, old, _, new in OTHERS}
    assert rows == tried
