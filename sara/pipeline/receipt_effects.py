"""Effects of receipts on the lane of their channel: it is held, or let go again."""

from __future__ import annotations

from collections.abc import Iterable

from sara.domain.delivery import DeliveryFailure, DeliveryReceipt
from sara.domain.messages import StoredMessage
from sara.domain.problems import DAY, ProblemReporter, problem_key
from sara.domain.states import RECEIVED_BY_PROVIDER, OutboundState
from sara.domain.storage import AcceptResult
from sara.pipeline.bindings import ChannelBinding
from sara.queue.circuit_breaker import LaneBreaker

_LEFT_SINCE = (OutboundState.SENDING, *RECEIVED_BY_PROVIDER)
"""States in which a failure must be an old one that was reported again: a new one would have moved the message out of them."""


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
        if receipt.failure is not None and receipt.failure.action == "block_channel" and receipt not in known:
            _rest(route, receipt.failure, lanes)


def tell_limit(problems: ProblemReporter, route: ChannelBinding, told: str, remedy: str) -> None:
    """Tell a person that some messages have to wait, and what helps."""
    problems.report(
        problem_key("channel", route.name, "messages_delayed"),
        f"{route.name}: some messages are delayed: {told}",
        remedy,
        lasts=DAY,
    )


def _failed(
    route: ChannelBinding, message: StoredMessage, failure: DeliveryFailure, lanes: LaneBreaker, problems: ProblemReporter
) -> None:
    if failure.action == "block_channel" and message.state not in _LEFT_SINCE:
        _rest(route, failure, lanes)
    if message.state == "failed":
        remedy = failure.remedy or "see `sara why`; the rest of the conversation is delivered"
        told = f"{route.name}: a message was accepted and not delivered: {failure.code}: {failure.reason}"
        problems.report(problem_key("channel", route.name, "message_undelivered"), told, remedy, severity="warning", lasts=DAY)
    elif failure.action == "retry" and failure.remedy and message.state not in _LEFT_SINCE:
        tell_limit(problems, route, f"{failure.code}: {failure.reason}", failure.remedy)


def _rest(route: ChannelBinding, failure: DeliveryFailure, lanes: LaneBreaker) -> None:
    told = f"{failure.code}: {failure.reason}"
    if failure.after is not None:
        lanes.throttle(route.deliver_lane, failure.after, f"{route.name} is throttled: {told}", failure.remedy)
    else:
        lanes.block(route.deliver_lane, f"{route.name} cannot send: {told}", failure.remedy, told_later=True)
