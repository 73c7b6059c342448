"""Effects of receipts on the lane of their channel: it is held, or let go again."""

from __future__ import annotations

from collections.abc import Iterable

from sara.domain.delivery import DeliveryFailure, DeliveryReceipt
from sara.domain.messages import StoredMessage
from sara.domain.problems import DAY, ProblemReporter
from sara.domain.storage import AcceptResult
from sara.pipeline.bindings import ChannelBinding
from sara.queue.circuit_breaker import LaneBreaker

_LEFT_SINCE = frozenset({"sending", "accepted", "sent", "delivered", "read"})
"""States that a part cannot be in by a failure that was just told: an old one was told again."""


def follow(
    route: ChannelBinding, receipts: Iterable[DeliveryReceipt], taken: AcceptResult, lanes: LaneBreaker, problems: ProblemReporter
) -> None:
    """Hold the lane of a channel that takes messages and does not deliver them, let go one that delivers again, and tell a person
    of messages that did not arrive. Called before whoever has work is woken."""
    for message, receipt in taken.receipts:
        if receipt.failure is not None:
            _failed(route, message, receipt.failure, lanes, problems)
        elif receipt.status != "failed":
            lanes.confirm_delivery(route.deliver_lane, *filter(None, (receipt.attempt_id, receipt.external_id)))
    known = [receipt for _, receipt in taken.receipts]
    for receipt in receipts:
        # Also one that came before the answer to its request: what it says of the channel holds already.
        if receipt.failure is not None and receipt.failure.action == "channel" and receipt not in known:
            _rest(route, receipt.failure, lanes)


def tell_limit(problems: ProblemReporter, route: ChannelBinding, told: str, remedy: str) -> None:
    """Tell a person that some messages have to wait, and what helps."""
    problems.report(f"limited:{route.name}", f"{route.name}: some messages have to wait: {told}", remedy, lasts=DAY)


def _failed(
    route: ChannelBinding, message: StoredMessage, failure: DeliveryFailure, lanes: LaneBreaker, problems: ProblemReporter
) -> None:
    if failure.action == "channel" and message.state not in _LEFT_SINCE:
        _rest(route, failure, lanes)
    if message.state == "failed":
        remedy = failure.remedy or "`sara why` shows it; the conversation goes on"
        told = f"{route.name}: a message was taken and not delivered: {failure.code}: {failure.reason}"
        problems.report(f"failed:{route.name}", told, remedy, severity="warning", lasts=DAY)
    elif failure.action == "later" and failure.remedy and message.state not in _LEFT_SINCE:
        tell_limit(problems, route, f"{failure.code}: {failure.reason}", failure.remedy)


def _rest(route: ChannelBinding, failure: DeliveryFailure, lanes: LaneBreaker) -> None:
    told = f"{failure.code}: {failure.reason}"
    if failure.after is not None:
        lanes.throttle(route.deliver_lane, failure.after, f"{route.name} has to wait: {told}", failure.remedy)
    else:
        lanes.block(route.deliver_lane, f"{route.name} cannot send: {told}", failure.remedy, told_later=True)
