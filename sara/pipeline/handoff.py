"""Handoff of a conversation to a person: the notices, their recipients, and the end. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sara.domain.contacts import Identity
from sara.domain.conversations import Handoff, OperatorNotification
from sara.domain.messages import LocalizedContent, OutgoingContent
from sara.domain.phone_numbers import read_number
from sara.domain.time import Instant

if TYPE_CHECKING:
    from sara.i18n.catalog import MessageCatalog
    from sara.pipeline.bindings import ChannelBinding, ChannelBindings
    from sara.plugins.channel import Channel


def compose_notice(channel: Channel, text: str) -> OutgoingContent:
    """Return a short text in the channel's own markup."""
    return next(iter(channel.compose(OutgoingContent(text))), OutgoingContent(text))


def wording(texts: MessageCatalog, channel: Channel, key: str, **values: str) -> LocalizedContent:
    """Return one of SARA's own texts in all languages, in the channel's own markup."""
    return {language: compose_notice(channel, said) for language, said in texts.render_all(key, **values).items()}


class HandoffFactory:
    """Makes the handoff that a customer, a person or the model asked for."""

    def __init__(self, routes: ChannelBindings, texts: MessageCatalog) -> None:
        self._routes = routes
        self._texts = texts

    def start(
        self, route: ChannelBinding, by: str, reason: str, name: str | None, since: Instant, *, announced: bool = False
    ) -> Handoff:
        """Return a handoff to a person whose time counts from `since`. `announced`: the customer is told already."""
        policy = route.policy.handoff
        until = None if policy.return_after is None else since + policy.return_after
        notice = {} if announced else wording(self._texts, route.channel, "hand_over")
        return Handoff(by, reason, "human", until, notice, self._tell(route, reason, name))

    def start_silently(self, route: ChannelBinding, by: str, reason: str, since: Instant) -> Handoff:
        """Return a handoff to a person who answers since `since` already: no notice is sent."""
        policy = route.policy.handoff
        return Handoff(by, reason, "human", None if policy.return_after is None else since + policy.return_after)

    def _tell(self, route: ChannelBinding, reason: str, name: str | None) -> OperatorNotification | None:
        notify = route.policy.handoff.notify
        if notify is None or (to := self._routes.named(notify.channel)) is None:
            return None
        # Both come from a customer or a model: on one line each, they cannot pass for SARA's own.
        values = {"name": one_line(name or "") or "?", "reason": one_line(reason)}
        text = self._texts.render("operator_call", to.policy.language)
        return OperatorNotification(to.channel.account, person_of(notify.to), compose_notice(to.channel, text), values)

    def operators(self, route: ChannelBinding) -> tuple[Identity, ...]:
        """Return the people of the business who are notified on this channel, whichever channel the customers use."""
        notified = (each.policy.handoff.notify for each in self._routes)
        return tuple(dict.fromkeys(person_of(each.to) for each in notified if each is not None and each.channel == route.name))


def one_line(text: str) -> str:
    """Return a stranger's text as a value within one of SARA's sentences."""
    return " ".join(text.split())


def person_of(written: str) -> Identity:
    """Whom the file means by a number, however it is written, or an id."""
    digits = read_number(written)
    return Identity(phone=digits) if digits else Identity(user_id=written.strip())
