"""Finding plugins, loading them, and calling their hooks."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
import structlog

from sara import Context, PluginError
from sara.cli.context import read
from sara.engines import Queue
from sara.helpers import ProblemRegistry
from sara.plugins.call_guard import MAX_STUCK_CALLS_PER_PLUGIN, CallGuard
from sara.plugins.hooks import MAX_CONCURRENT_HOOKS, Hooks
from sara.plugins.loader import PluginLocation, Plugins
from sara.runtime.daemon import Daemon
from sara.testing import ManualClock, QueueContract
from tests.patience import patience

ROOT = Path(__file__).parents[3]
SHELF = ROOT / "tests" / "data" / "plugins"
BUNDLED = {"openai", "sqlite", "whatsapp"}


@pytest.fixture(autouse=True)
def nothing_left_imported(tmp_path: Path) -> Iterator[None]:
    """Each test imports its plugins anew, and none of them takes the place of a bundled one for long."""
    before = {name: module for name, module in sys.modules.items() if name.startswith("sara_")}
    yield
    for name in [name for name in sys.modules if name.startswith("sara_")]:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith((str(tmp_path), str(SHELF))):
            del sys.modules[name]
    sys.modules.update(before)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder `plugins/` with nothing in it."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    return folder


def responder(word: str) -> str:
    """A module that brings a responder whose class is called `word`."""
    return (
        "from sara import Options, Responder, hookimpl\n"
        f"class {word}(Responder):\n    Options = Options\n    async def answer(self, turn, tools=None): ...\n"
        f"@hookimpl\ndef register_responders():\n    return [{word}]\n"
    )


def package(folder: Path, name: str, source: str) -> Path:
    """A plugin that is a folder; the path of its module."""
    (folder / name).mkdir()
    path = folder / name / "__init__.py"
    path.write_text(source, encoding="utf-8")
    return path


def installed(place: Path, distribution: str, name: str, module: str) -> None:
    """What an installer leaves behind for a distribution with one entry point."""
    info = place / f"{distribution.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[sara]\n{name} = {module}\n", encoding="utf-8")


def places(plugins: Plugins, name: str) -> list[str]:
    """Where a plugin was found, the winner first."""
    return [found.origin for found in plugins.available()[name]]


# ── finding ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_bundled_plugins_are_found_without_a_folder() -> None:
    for plugins in (Plugins(None), Plugins(Path("nowhere"))):
        assert {name for name, found in plugins.available().items() if found[0].origin == "bundled"} >= BUNDLED


def test_what_is_installed_or_removed_while_the_process_runs_is_seen_by_the_next_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    assert "late" not in Plugins(None).available()
    installed(tmp_path, "sara-late", "late", "sara_late")
    assert places(Plugins(None), "late") == ["installed"]
    shutil.rmtree(tmp_path / "sara_late-1.0.dist-info")
    assert "late" not in Plugins(None).available()


def test_a_file_and_a_folder_beside_the_configuration_are_plugins(folder: Path) -> None:
    file = folder / "sara_one.py"
    file.write_text(responder("One"), encoding="utf-8")
    inner = package(folder, "sara_two", responder("Two"))
    found = Plugins(folder).available()
    assert found["one"] == [PluginLocation("one", "folder", str(file))]
    assert found["two"] == [PluginLocation("two", "folder", str(inner))]


def test_what_is_no_module_is_no_plugin(folder: Path) -> None:
    (folder / "README.md").touch()
    (folder / "__pycache__").mkdir()
    (folder / "sara_empty").mkdir()
    (folder / "sara_notes.txt").touch()
    assert set(Plugins(folder).available()) == set(Plugins(None).available())


@pytest.mark.parametrize("name", ["._sara_one.py", ".#sara_one.py", "sara_one.old.py", "sara_one.off"])
def test_what_editors_and_people_leave_lying_about_is_no_plugin(folder: Path, name: str) -> None:
    if name.endswith(".py"):
        (folder / name).write_text("not Python\0", encoding="utf-8")
    else:
        package(folder, name, "raise RuntimeError('switched off')")
    assert set(Plugins(folder).available()) == set(Plugins(None).available())


def test_beside_the_file_wins_over_installed_and_installed_over_bundled(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    installed(site, "my-openai", "openai", "sara_of_mine")
    monkeypatch.syspath_prepend(site)
    assert places(Plugins(folder), "openai") == ["installed", "bundled"]
    (folder / "sara_openai.py").write_text(responder("Beside"), encoding="utf-8")
    assert places(Plugins(folder), "openai") == ["folder", "installed", "bundled"]


def test_an_installed_plugin_is_loaded_from_its_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    installed(site, "my-openai", "openai", "sara_of_mine")
    (site / "sara_of_mine.py").write_text(responder("Mine"), encoding="utf-8")
    monkeypatch.syspath_prepend(site)
    assert Plugins(None).plugin_class("responder", "openai").__name__ == "Mine"


def test_the_same_path_found_twice_is_one() -> None:
    found = Plugins(ROOT / "plugins").available()
    assert {name: [each.origin for each in found[name]] for name in BUNDLED} == {name: ["bundled"] for name in BUNDLED}
    assert set(found) == set(Plugins(None).available())


def test_where_a_plugin_was_found_does_not_change_once_it_is_loaded(folder: Path) -> None:
    (folder / "sara_one.py").write_text(responder("One"), encoding="utf-8")
    plugins = Plugins(folder)
    before = plugins.available()
    plugins.load("one")
    assert plugins.available() == before


# ── loading ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_plugin_in_the_folder_takes_the_place_of_the_bundled_one(folder: Path) -> None:
    (folder / "sara_openai.py").write_text(responder("Beside"), encoding="utf-8")
    assert Plugins(folder).plugin_class("responder", "openai").__name__ == "Beside"


def test_the_bundled_one_is_back_when_its_rival_is_gone(folder: Path) -> None:
    rival = folder / "sara_openai.py"
    rival.write_text(responder("Beside"), encoding="utf-8")
    Plugins(folder).load("openai")
    rival.unlink()
    assert Plugins(folder).plugin_class("responder", "openai").__name__ == "OpenAIResponder"


def test_two_folders_do_not_mix_up_their_plugins(tmp_path: Path) -> None:
    loaded = []
    for word in ("First", "Second"):
        folder = tmp_path / word
        folder.mkdir()
        package(folder, "sara_one", "from sara_one.inner import *").with_name("inner.py").write_text(
            responder(word), encoding="utf-8"
        )
        loaded.append(Plugins(folder))
    assert [plugins.plugin_class("responder", "one").__name__ for plugins in loaded] == ["First", "Second"]


def test_shadowing_is_logged_once(folder: Path) -> None:
    (folder / "sara_openai.py").write_text(responder("Beside"), encoding="utf-8")
    plugins = Plugins(folder)
    with structlog.testing.capture_logs() as logged:
        plugins.load("openai")
        plugins.plugin_class("responder", "openai")
        plugins.load("openai")
    [line] = [line for line in logged if line["event"] == "plugin_shadowed"]
    assert (line["plugin"], line["used"], line["path"]) == ("openai", "folder", str(folder / "sara_openai.py"))
    assert line["instead_of"] == ["bundled"]


def test_nothing_is_logged_where_nothing_is_shadowed(folder: Path) -> None:
    (folder / "sara_one.py").write_text(responder("One"), encoding="utf-8")
    plugins = Plugins(folder)
    with structlog.testing.capture_logs() as logged:
        plugins.load("one")
        plugins.load("whatsapp")
    assert logged == []


def test_only_plugins_that_are_named_are_imported(folder: Path) -> None:
    (folder / "sara_one.py").write_text(responder("One"), encoding="utf-8")
    (folder / "sara_two.py").write_text("raise RuntimeError('nobody asked for me')", encoding="utf-8")
    plugins = Plugins(folder)
    plugins.load("one")
    assert plugins.names() == ["one"]
    assert "sara_two" not in sys.modules


def test_an_unknown_plugin_is_answered_with_the_known_ones(folder: Path) -> None:
    (folder / "sara_one.py").write_text(responder("One"), encoding="utf-8")
    with pytest.raises(PluginError, match=r"there is no plugin onne; .*\bone, openai, simulators, sqlite, whatsapp"):
        Plugins(folder).load("onne")


def broken(folder: Path, source: str) -> Plugins:
    """Plugins with one that is called `one`."""
    (folder / "sara_one.py").write_text(source, encoding="utf-8")
    return Plugins(folder)


HOOK = "from sara import hookimpl\n@hookimpl\n"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import a_package_that_nobody_has", r"could not be imported: ModuleNotFoundError: .*a_package_that_nobody_has"),
        ("def register_responders(:", r"could not be imported: SyntaxError"),
        ("1 / 0", r"could not be imported: ZeroDivisionError"),
        (HOOK + "def mesage_received(message): ...", r"implements a hook that SARA does not have.*mesage_received"),
        (HOOK + "def message_received(mesage): ...", r"mesage"),
    ],
)
def test_a_plugin_that_cannot_be_loaded_says_so_under_its_name_each_time(folder: Path, source: str, said: str) -> None:
    plugins = broken(folder, source)
    with pytest.raises(PluginError, match=said) as first:
        plugins.load("one")
    assert "plugin one " in str(first.value)
    with pytest.raises(PluginError) as second:
        plugins.load("one")
    assert second.value is first.value
    assert plugins.names() == []
    assert not Hooks(plugins, ProblemRegistry(ManualClock())).has_any("message_received")


def test_a_hook_may_be_implemented_under_another_name(folder: Path) -> None:
    plugins = broken(
        folder, "from sara import hookimpl\n@hookimpl(specname='message_received')\ndef write_it_down(message): ...\n"
    )
    plugins.load("one")
    assert Hooks(plugins, ProblemRegistry(ManualClock())).has_any("message_received")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("", "brings no responder"),
        ("def register_responders(): return []", "brings no responder"),
        (responder("One") + "def register_responders(): return [One, One]", "brings 2 responder"),
        ("def register_responders(): return [object]", "declares no Options"),
        ("def register_responders(): return None", r"handed over a wrong value \(its result is None, not a list\)"),
        ("def register_responders(): raise OSError('it rains')", "could not be set up: OSError: it rains"),
    ],
)
def test_a_plugin_that_does_not_bring_what_is_asked_of_it_says_so(folder: Path, source: str, said: str) -> None:
    with pytest.raises(PluginError, match=f"plugin one .*{said}"):
        broken(folder, source).plugin_class("responder", "one")


# ── hooks ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Bench:
    """Hooks over modules that a test makes up, and the problems they cause."""

    def __init__(self, within: int) -> None:
        self.plugins = Plugins(None)
        self.problems = ProblemRegistry(ManualClock())
        self.call_guard = CallGuard(self.problems, stuck_after=1)
        self.hooks = Hooks(self.plugins, self.problems, within, self.call_guard)

    def add(self, plugin: str, function: Any) -> None:
        """A plugin that implements one hook, called as the function is."""
        from sara import hookimpl

        module = type(sys)(f"sara_{plugin}")
        setattr(module, function.__name__, hookimpl(function))
        self.plugins.manager.register(module, name=plugin)

    @property
    def told(self) -> dict[str, str]:
        return {problem.key: problem.message for problem in self.problems}


@pytest.fixture
def bench() -> Bench:
    """Hooks with a short deadline."""
    return Bench(within=50)


@pytest.fixture
async def release() -> AsyncIterator[threading.Event]:
    """What hanging threads wait for; let go at the end."""
    event = threading.Event()
    yield event
    event.set()


async def test_a_plain_hook_runs_in_a_thread_and_an_async_one_on_the_loop(bench: Bench) -> None:
    seen: dict[str, int] = {}

    def started() -> None:
        seen["plain"] = threading.get_ident()

    bench.add("plain", started)

    async def started_async() -> None:
        seen["async"] = threading.get_ident()

    started_async.__name__ = "started"
    bench.add("async", started_async)
    await bench.hooks.call("started")
    assert seen["async"] == threading.get_ident()
    assert seen["plain"] != threading.get_ident()
    assert bench.told == {}


async def test_a_hook_gets_only_the_arguments_it_asks_for(bench: Bench) -> None:
    seen: list[Sequence[str]] = []

    def reply_ready(answers: Sequence[str]) -> None:
        seen.append(answers)

    bench.add("brief", reply_ready)
    await bench.hooks.call("reply_ready", conversation="c1", answers=["m1"])
    assert seen == [["m1"]]


def failures(release: threading.Event) -> dict[str, Any]:
    """Ways to fail in the hook `started`, by what is said of them."""

    def raises() -> None:
        raise ValueError("it rains")

    async def raises_async() -> None:
        raise ValueError("it rains")

    def hangs() -> None:
        release.wait()

    async def hangs_async() -> None:
        await asyncio.Event().wait()

    async def hangs_on() -> None:
        while not release.is_set():
            try:
                await asyncio.wait_for(asyncio.Event().wait(), 0.2)
            except (asyncio.CancelledError, TimeoutError):
                continue

    async def gives_way() -> None:
        raise asyncio.CancelledError

    def leaves() -> None:
        raise SystemExit(3)

    found = {
        "raises": raises, "raises_async": raises_async, "hangs": hangs, "hangs_async": hangs_async, "hangs_on": hangs_on,
        "gives_way": gives_way, "leaves": leaves,
    }  # fmt: skip
    for function in found.values():
        cast("Any", function).__name__ = "started"
    return found


@pytest.mark.parametrize("how", ["raises", "raises_async", "hangs", "hangs_async", "hangs_on", "gives_way", "leaves"])
async def test_a_hook_that_fails_is_named_and_the_others_are_called(bench: Bench, release: threading.Event, how: str) -> None:
    calls: list[str] = []

    def started() -> None:
        calls.append("called")

    bench.add("before", started)
    bench.add("clumsy", failures(release)[how])
    bench.add("after", lambda_of(started))
    async with asyncio.timeout(patience(5)):
        try:
            await bench.hooks.call("started")
        except BaseException as error:  # a CancelledError would look like the end of the test itself
            pytest.fail(f"{type(error).__name__} came through")
    assert calls == ["called", "called"]
    assert list(bench.told) == ["plugin:clumsy:started"]
    assert "the plugin clumsy" in bench.told["plugin:clumsy:started"]


async def until(what: Callable[[], bool]) -> None:
    """Wait for what a thread does."""
    async with asyncio.timeout(patience(5)):
        while not what():
            await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=0.002)


async def test_a_plugin_whose_calls_do_not_end_is_left_out_until_they_have(bench: Bench, release: threading.Event) -> None:
    calls: list[str] = []

    def started() -> None:
        calls.append("started")
        release.wait()

    def stopping() -> None:
        calls.append("stopping")

    bench.add("clumsy", started)
    bench.add("clumsy_too", stopping)
    for _ in range(MAX_STUCK_CALLS_PER_PLUGIN):
        await bench.hooks.call("started")
    await until(lambda: bench.call_guard.is_blocked("plugin:clumsy"))
    assert set(bench.told) == {"plugin:clumsy:started", "plugin:clumsy:stuck_calls"}
    assert "the plugin clumsy" in bench.told["plugin:clumsy:stuck_calls"]
    await bench.hooks.call("started")
    await bench.hooks.call("stopping")
    assert calls == ["started"] * MAX_STUCK_CALLS_PER_PLUGIN + ["stopping"]
    release.set()
    await until(lambda: not bench.call_guard.is_blocked("plugin:clumsy"))
    assert "plugin:clumsy:stuck_calls" not in bench.told
    await bench.hooks.call("started")
    assert calls.count("started") == MAX_STUCK_CALLS_PER_PLUGIN + 1


async def test_a_hook_that_takes_too_long_but_ends_when_told_to_is_called_again_each_time(bench: Bench) -> None:
    calls: list[str] = []

    async def started() -> None:
        calls.append("started")
        await asyncio.Event().wait()

    bench.add("slow", started)
    for _ in range(MAX_STUCK_CALLS_PER_PLUGIN + 1):
        await bench.hooks.call("started")
    assert len(calls) == MAX_STUCK_CALLS_PER_PLUGIN + 1


async def test_a_burst_for_a_hook_that_hangs_leaves_few_threads_and_no_reason_to_start_again(
    bench: Bench, release: threading.Event
) -> None:
    calls: list[str] = []

    def started() -> None:
        calls.append("started")
        release.wait()

    bench.add("stuck", started)
    for _ in range(100):
        bench.hooks.call_soon("started")
    await until(lambda: bench.call_guard.count_stuck().get("plugin:stuck", 0) == MAX_CONCURRENT_HOOKS)
    await bench.hooks.wait_idle()
    assert len(calls) == MAX_CONCURRENT_HOOKS
    assert not bench.call_guard.restart_needed.is_set()


async def test_every_call_of_a_burst_has_its_turn() -> None:
    bench = Bench(within=5_000)
    calls: list[str] = []

    async def started() -> None:
        await asyncio.sleep(0)
        calls.append("started")

    bench.add("quick", started)
    for _ in range(MAX_CONCURRENT_HOOKS * 5):
        bench.hooks.call_soon("started")
    await bench.hooks.wait_idle()
    assert len(calls) == MAX_CONCURRENT_HOOKS * 5
    assert bench.told == {}


def lambda_of(function: Any) -> Any:
    """The same function once more, for another plugin."""

    def started() -> None:
        function()

    return started


async def test_later_does_not_wait_and_settle_does(bench: Bench) -> None:
    gate, calls = asyncio.Event(), []

    async def started() -> None:
        await gate.wait()
        calls.append("called")

    bench.add("slow", started)
    bench.hooks.call_soon("started")
    assert calls == []
    gate.set()
    await bench.hooks.wait_idle()
    assert calls == ["called"]


def test_nobody_listens_where_nobody_implements_it(bench: Bench) -> None:
    assert not bench.hooks.has_any("started", "stopping")
    bench.add("one", lambda_of(print))
    assert bench.hooks.has_any("started", "stopping")
    assert not bench.hooks.has_any("stopping")


# ── a queue of a third party sits the exam ────────────────────────────────────────────────────────────────────────────────


class TestMemoryQueue(QueueContract):
    @pytest.fixture
    async def queue(self, tmp_path: Path, clock: ManualClock) -> AsyncIterator[Queue]:
        folder = tmp_path / "plugins"
        folder.mkdir()
        shutil.copy(SHELF / "sara_memory.py", folder)
        brought = cast("Any", Plugins(folder).plugin_class("queue", "memory"))
        queue = brought(brought.Options(), Context("queue", tmp_path, clock, ProblemRegistry(clock)))
        await queue.open()
        yield queue
        await queue.close()


# ── gates and tools ───────────────────────────────────────────────────────────────────────────────────────────────────────

GATE = "from sara import Allow, hookimpl\ndef gate(view, policy, facts):\n    return Allow()\n"
TOOL = (
    "from sara import Options, Tool, hookimpl\n"
    "class Weather(Tool):\n    name = 'weather'\n    description = 'The weather.'\n    Arguments = Options\n"
    "    async def run(self, arguments, scope):\n        return 'sunny'\n"
)


def brings(folder: Path, hook: str, *sources: str) -> tuple[list[tuple[str, str]], dict[str, str]]:
    """What plugins with these sources bring by a hook, by their names, and which problems they cause."""
    for name, source in zip(("one", "two", "three"), sources, strict=False):
        (folder / f"sara_{name}.py").write_text(source, encoding="utf-8")
    plugins, problems = Plugins(folder), ProblemRegistry(ManualClock())
    for name in ("one", "two", "three")[: len(sources)]:
        plugins.load(name)
    found = plugins.registered(hook, problems)
    return sorted((name, type(each).__name__) for name, each in found), {each.key: each.message for each in problems}


@pytest.mark.parametrize(
    ("hook", "source", "found"),
    [
        ("register_gates", GATE + "@hookimpl\ndef register_gates():\n    return [gate, gate]\n", [("one", "function")] * 2),
        ("register_gates", GATE + "@hookimpl\ndef register_gates():\n    return ()\n", []),
        ("register_gates", GATE + "@hookimpl\ndef register_gates():\n    yield gate\n", [("one", "function")]),
        ("register_gates", GATE, []),
        ("register_tools", TOOL + "@hookimpl\ndef register_tools():\n    return [Weather()]\n", [("one", "Weather")]),
    ],
)
def test_a_plugin_brings_gates_and_tools_under_its_name(
    folder: Path, hook: str, source: str, found: list[tuple[str, str]]
) -> None:
    assert brings(folder, hook, source) == (found, {})


@pytest.mark.parametrize("hook", ["register_gates", "register_tools"])
@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("raise ValueError('it rains')", "raised ValueError"),
        ("raise SystemExit(3)", "tried to end the process (SystemExit)"),
        ("return None", "handed over a wrong value (its result is None, not a list)"),
        ("return 7", "handed over a wrong value (its result is an int, not a list)"),
        ("yield 1\n    raise KeyError(2)", "raised KeyError"),
    ],
)
def test_one_that_cannot_bring_them_is_a_problem_and_the_others_bring_theirs(
    folder: Path, hook: str, body: str, error: str
) -> None:
    clumsy = f"from sara import hookimpl\n@hookimpl\ndef {hook}():\n    {body}\n"
    sound = f"from sara import hookimpl\n@hookimpl\ndef {hook}():\n    return ['x']\n"
    found, problems = brings(folder, hook, sound, clumsy, sound)
    assert found == [("one", "str"), ("three", "str")]
    assert problems == {f"plugin:two:{hook}": f"the plugin two {error} in its hook {hook}"}


# ── what the daemon makes of them ─────────────────────────────────────────────────────────────────────────────────────────


async def daemon_with(tmp_path: Path, source: str, *, tools: Sequence[str] = ()) -> tuple[Daemon, dict[str, str]]:
    """A daemon that has been built with a plugin of this source, and its problems."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    for name in ("parrot", "pigeon"):
        shutil.copy(SHELF / f"sara_{name}.py", folder)
    (folder / "sara_one.py").write_text(source, encoding="utf-8")
    file = tmp_path / "sara.yaml"
    document = {
        "plugins": ["one"],
        "server": {"listen": "127.0.0.1:0"},
        "admin": {"listen": "127.0.0.1:0"},
        "state": "state",
        "channels": {"loft": {"plugin": "pigeon", "loft": "roof", "port": 9, "token": "t"}},
        "responders": {"assistant": {"plugin": "parrot"}},
        "conversation": {"tools": list(tools)},
    }
    file.write_text(json.dumps(document), encoding="utf-8")
    loaded, plugins = read(file)
    daemon = Daemon(loaded, plugins)
    await daemon.start()
    problems = {problem.key: problem.message for problem in daemon.problems}
    return daemon, problems


REGISTER = "@hookimpl\ndef register_tools():\n    return [{}]\n"


@pytest.mark.parametrize(
    ("brought", "tools", "told"),
    [
        ("Weather()", ["weather"], {}),
        ("Weather()", [], {}),
        ("Weather()", ["handoff", "weather"], {}),
        ("Weather()", ["wether"], {"channel:loft:missing_tool:wether": "loft: no plugin registers the tool wether"}),
        (
            "Weather",
            ["weather"],
            {
                "plugin:one:tool": "the plugin one registers an unusable tool: it is a ABCMeta, not a Tool",
                "channel:loft:missing_tool:weather": "loft: no plugin registers the tool weather",
            },
        ),
        (
            "Weather(), Weather()",
            ["weather"],
            {"plugin:one:tool": "the plugin one registers an unusable tool: the name weather is taken"},
        ),
        ("Named()", [], {"plugin:one:tool": "the plugin one registers an unusable tool: the name handoff is taken"}),
    ],
)
async def test_a_tool_that_cannot_be_used_or_had_is_a_problem_and_the_daemon_runs(
    tmp_path: Path, brought: str, tools: list[str], told: dict[str, str]
) -> None:
    named = "class Named(Weather):\n    name = 'handoff'\n"
    daemon, problems = await daemon_with(tmp_path, TOOL + named + REGISTER.format(brought), tools=tools)
    await daemon.stop(100)
    assert problems == told


async def test_a_plugin_that_cannot_bring_its_gates_and_tools_keeps_no_daemon_from_running(tmp_path: Path) -> None:
    source = (
        "from sara import hookimpl\n@hookimpl\ndef register_gates():\n    raise OSError('it rains')\n"
        "@hookimpl\ndef register_tools():\n    return None\n"
    )
    daemon, problems = await daemon_with(tmp_path, source)
    await daemon.stop(100)
    assert set(problems) == {"plugin:one:register_gates", "plugin:one:register_tools"}
