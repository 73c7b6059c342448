"""A plugin reports and clears the problems of its own section alone."""

from __future__ import annotations

from sara.operations.problem_registry import ProblemRegistry
from sara.plugins.section_problems import SectionProblems


def test_a_plugin_reports_and_clears_its_own_keys() -> None:
    problems = ProblemRegistry(lambda: 1)
    own = SectionProblems(problems, "channel", "support")
    own.report("channel:support:token", "the token is rejected", "create a new one", severity="warning", count=3, detail="190")
    [problem] = own
    assert (problem.key, problem.severity, problem.count) == ("channel:support:token", "warning", 3)
    assert "190" in problem.message
    assert "channel:support:token" in own
    own.clear("channel:support:token")
    assert not len(problems)


def test_a_key_of_another_owner_gets_the_prefix_of_the_section() -> None:
    problems = ProblemRegistry(lambda: 1)
    problems.report("store:messages:write_failed", "the disk is full")
    own = SectionProblems(problems, "responder", "assistant")
    own.clear("store:messages:write_failed")
    assert "store:messages:write_failed" in problems
    own.report("channel:support:token", "a name of another section")
    assert "channel:support:token" not in problems
    assert "responder:assistant:channel:support:token" in problems
