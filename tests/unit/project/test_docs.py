"""README, docs/ and the files around them: links lead somewhere, named files exist, every page is linked."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from sara.domain.states import INBOUND_TRANSITIONS, OUTBOUND_TRANSITIONS

ROOT = Path(__file__).parents[3]
PAGES = sorted({*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "plugins" / "README.md"} - {ROOT / "instructions.md"})
EXAMPLES = {"plugins/sara_webform.py"}
"""Files that exist only on the reader's machine."""

FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
NAMED_FILE = re.compile(r"`((?:sara|plugins|tests|scripts|bench|docs)/[\w./-]+\.(?:py|md|yaml|json))`")


def prose(path: Path) -> str:
    """Return a page without its blocks of code."""
    return FENCE.sub("", path.read_text(encoding="utf-8"))


def anchors(path: Path) -> set[str]:
    """Return the anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(path: Path) -> Iterator[str]:
    """Yield the targets of a page's links within the repository."""
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(path)):
        if not target.startswith(("http://", "https://", "mailto:")):
            yield target


def section(path: Path, heading: str) -> str:
    """Return the text below a heading of the second level."""
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert found is not None, f"{path.name} has no section {heading!r}"
    return found[1]


class TestLinks:
    def test_every_link_leads_to_a_file_and_a_heading(self) -> None:
        broken = []
        for page in PAGES:
            for link in links(page):
                name, _, anchor = link.partition("#")
                target = (page.parent / name).resolve() if name else page
                if not target.exists() or (anchor and anchor not in anchors(target)):
                    broken.append(f"{page.relative_to(ROOT)}: {link}")
        assert broken == []

    def test_the_index_links_every_page(self) -> None:
        index = ROOT / "docs" / "index.md"
        linked = {(index.parent / link.partition("#")[0]).resolve() for link in links(index)}
        decisions = {page for page in PAGES if page.parent.name == "decisions" and page.name != "README.md"}
        assert sorted({*PAGES} - linked - decisions - {index}) == []

    def test_the_list_of_decisions_links_each(self) -> None:
        overview = ROOT / "docs" / "decisions" / "README.md"
        assert {*links(overview)} == {page.name for page in overview.parent.glob("0*.md")}


class TestNamedFiles:
    def test_every_file_that_a_page_names_in_full_exists(self) -> None:
        pages = [page for page in PAGES if page.name != "CHANGELOG.md"]
        named = {(page, name) for page in pages for name in NAMED_FILE.findall(prose(page))}
        missing = sorted(
            f"{page.relative_to(ROOT)}: {name}" for page, name in named if name not in EXAMPLES and not (ROOT / name).is_file()
        )
        assert missing == []

    def test_the_readme_names_one_file_for_each_behaviour(self) -> None:
        text = section(ROOT / "README.md", "Architecture")
        rows = re.findall(r"^\| ([^|]+) \| `([^`|]+)` \|$", text, re.MULTILINE)
        asked = {
            "a webhook is verified": r"def verify\b|compare_digest",
            "an answer is stored": r"save_reply",
            "a send is retried": r"def (back_off|decide)\b|class RetryAt",
            "the 24-hour window is judged": r"reply_window|window_closed",
            "a STOP is recognised": r"opt_out",
        }
        assert {behaviour for behaviour, _ in rows} == set(asked)
        for behaviour, name in rows:
            assert re.search(asked[behaviour], (ROOT / name).read_text(encoding="utf-8")), f"{name} is not where {behaviour}"


class TestDiagrams:
    """The lifecycles in docs/architecture.md hold every state, and only changes that are allowed."""

    def changes(self, heading: str) -> set[tuple[str, str]]:
        arrows = re.findall(r"^    (\S+) --> (\S+?):", section(ROOT / "docs" / "architecture.md", heading), re.MULTILINE)
        return {(before, after) for before, after in arrows if before != "[*]"}

    def test_inbound(self) -> None:
        drawn = self.changes("The lifecycle of an inbound message")
        assert drawn <= {(before, after) for before, afters in INBOUND_TRANSITIONS.items() for after in afters}
        assert {state for change in drawn for state in change} == set(INBOUND_TRANSITIONS)

    def test_outbound(self) -> None:
        drawn = self.changes("The lifecycle of an outbound message")
        assert drawn <= {(before, after) for before, afters in OUTBOUND_TRANSITIONS.items() for after in afters}
        assert {state for change in drawn for state in change} == set(OUTBOUND_TRANSITIONS)


class TestNamedThings:
    """Problems, metrics and log events that a page names are those of the reference."""

    def reference(self, name: str) -> list[str]:
        text = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")
        return re.findall(r"^\| `([^`]+)`", text, re.MULTILINE)

    def named(self, pattern: str) -> set[tuple[str, str]]:
        pages = [page for page in PAGES if page.name != "CHANGELOG.md" and page.parent.name != "reference"]
        return {(page.name, each) for page in pages for each in re.findall(pattern, prose(page))}

    def test_problems(self) -> None:
        known = [key.partition("<")[0] for key in self.reference("problems.md")]
        strange = {
            (page, key) for page, key in self.named(r"\bproblem `([a-z][\w<>:-]*)")
            if not any(key.partition("<")[0].startswith(prefix) and prefix for prefix in known)
        }  # fmt: skip
        assert strange == set()

    def test_metrics(self) -> None:
        known = {name.removesuffix("_total") for name in self.reference("metrics.md")}
        packages = {path.name for path in (ROOT / "plugins").iterdir()}
        strange = {
            (page, name) for page, name in self.named(r"`(sara_\w+)`")
            if name.removesuffix("_total") not in known | packages and not name.startswith(("sara_webform", "sara_mine"))
        }  # fmt: skip
        assert strange == set()

    def test_log_events(self) -> None:
        known = set(self.reference("log-events.md"))
        assert {(page, event) for page, event in self.named(r"`(\w+)` in the log\b") if event not in known} == set()


def test_make_help_lists_every_target_that_people_call() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split())  # type: ignore[index]
    told = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    listed = {line.split()[0] for line in told.splitlines()}
    assert listed == targets - {"run-environment", "dev-environment"}
