"""Passing a conversation to a person: what is said to whom, and until when. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sara.domain.contacts import Person
from sara.domain.conversations import HandOver, Tell
from sara.domain.messages import Draft, Wording
from sara.domain.phone_numbers import read_number
from sara.domain.time import Instant

if TYPE_CHECKING:
    from sara.i18n.catalog import Texts
    from sara.pipeline.bindings import Route, Routes
    from sara.plugins.channel import Channel


def spoken(channel: Channel, text: str) -> Draft:
    """A short text in the channel's own dialect."""
    return next(iter(channel.compose(Draft(text))), Draft(text))


def wording(texts: Texts, channel: Channel, key: str, **values: str) -> Wording:
    """One of SARA's own texts in all languages, in the channel's own dialect."""
    return {language: spoken(channel, said) for language, said in texts.everywhere(key, **values).items()}


class Handing:
    """Makes a hand-over of a wish for one."""

    def __init__(self, routes: Routes, texts: Texts) -> None:
        self._routes = routes
        self._texts = texts

    def over(self, route: Route, by: str, reason: str, name: str | None, since: Instant, *, announced: bool = False) -> HandOver:
        """A person answers; the time counts from `since`. `announced` says that the customer is told already."""
        policy = route.policy.hand_over
        until = None if policy.back_after is None else since + policy.back_after
        notice = {} if announced else wording(self._texts, route.channel, "hand_over")
        return HandOver(by, reason, "human", until, notice, self._tell(route, reason, name))

    def quietly(self, route: Route, by: str, reason: str, since: Instant) -> HandOver:
        """A person answers already since `since`: nobody has to be told."""
        policy = route.policy.hand_over
        return HandOver(by, reason, "human", None if policy.back_after is None else since + policy.back_after)

    def _tell(self, route: Route, reason: str, name: str | None) -> Tell | None:
        notify = route.policy.hand_over.notify
        if notify is None or (to := self._routes.named(notify.channel)) is None:
            return None
        # Both come from a customer or a model: on one line each, they cannot pass for SARA's own.
        values = {"name": one_line(name or "") or "?", "reason": one_line(reason)}
        text = self._texts.say("operator_call", to.policy.language)
        return Tell(to.channel.account, person_of(notify.to), spoken(to.channel, text), values)

    def operators(self, route: Route) -> tuple[Person, ...]:
        """The people of the business who are told of customers by this route, whichever channel the customers use."""
        notified = (each.policy.hand_over.notify for each in self._routes)
        return tuple(dict.fromkeys(person_of(each.to) for each in notified if each is not None and each.channel == route.name))


def one_line(text: str) -> str:
    """A stranger's text as a value within a sentence of ours."""
    return " ".join(text.split())


def person_of(written: str) -> Person:
    """Whom the file means by a number, however it is written, or an id."""
    digits = read_number(written)
    return Person(phone=digits) if digits else Person(user_id=written.strip())
