"""Open work of accounts that no channel of the configuration serves."""

from __future__ import annotations

from collections.abc import Sequence

from sara.domain.jobs import OpenWork
from sara.domain.problems import problem_key
from sara.operations.problem_registry import ProblemRegistry
from sara.pipeline.bindings import ChannelBindings
from sara.plugins.store import Store
from sara.queue.notifier import jobs_of

CONVERSATIONS_READ = 1_000
JOBS_NAMED = 4
"""Maximum number of jobs that a problem names, from the first `CONVERSATIONS_READ` conversations with open work."""


class OrphanMonitor:
    """Reports open work that nothing will do, until it is finished or dropped."""

    def __init__(self, store: Store, bindings: ChannelBindings, problems: ProblemRegistry) -> None:
        self._store = store
        self._bindings = bindings
        self._problems = problems

    async def check(self) -> None:
        """Report each account without a channel that has open work, and clear the problems of the others."""
        unsettled = await self._store.unsettled_accounts()
        orphans = {account: count for account, count in unsettled.items() if self._bindings.of(account) is None}
        standing = {problem_key("conversations", account, "no_channel") for account in orphans}
        for problem in self._problems:
            if problem.key.startswith("conversations:") and problem.key.endswith(":no_channel") and problem.key not in standing:
                self._problems.clear(problem.key)
        work = await self._store.open_work(None, CONVERSATIONS_READ) if orphans else ()
        for account, conversations in orphans.items():
            self._report(account, conversations, work)

    def _report(self, account: str, conversations: int, work: Sequence[OpenWork]) -> None:
        jobs = [f"{kind}:{key}" for each in work if each.account == account for kind, key, _ in jobs_of(each)]
        named = f" ({', '.join(jobs[:JOBS_NAMED])}{', …' if len(jobs) > JOBS_NAMED else ''})" if jobs else ""
        self._problems.report(
            problem_key("conversations", account, "no_channel"),
            f"{conversations} conversation{' of' if conversations == 1 else 's of'} {account}"
            f" {'has' if conversations == 1 else 'have'} unanswered or unsent messages, but no channel is configured for this account",
            f"configure the channel again to finish them, or drop them with `sara queue drop JOB`; `sara queue list` shows the jobs{named}",
            count=conversations,
        )
