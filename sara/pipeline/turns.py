"""Turns: a conversation as a question to a responder, and its answer in the channel's form. Pure."""

from __future__ import annotations

from dataclasses import replace

from sara.domain.errors import RetryLater
from sara.domain.messages import OutgoingContent
from sara.domain.replies import Reply, ReplyView, Turn
from sara.domain.text import sanitize_text
from sara.domain.time import Instant
from sara.pipeline.bindings import ChannelBinding
from sara.policy import context_window


def turn_of(view: ReplyView, route: ChannelBinding, now: Instant) -> Turn:
    """Return the question to a responder: the waiting messages, and as much history as the policy allows."""
    limits = route.policy.history
    return Turn(
        conversation=view.conversation,
        account=view.account,
        contact=view.contact,
        messages=view.waiting,
        history=context_window.window(view.history, view.waiting, limits.tokens, limits.messages),
        now=now,
        channel=route.name,
        summary=view.summary,
        timezone=route.policy.opening_hours.timezone if route.policy.opening_hours else "",
    )


def drafts_of(route: ChannelBinding, reply: Reply) -> list[OutgoingContent]:
    """Return the parts of an answer in the channel's own form. Raises RetryLater for an answer that says nothing."""
    drafts = [part for draft in reply.parts for part in route.channel.compose(replace(draft, text=sanitize_text(draft.text)))]
    if not drafts:
        raise RetryLater("the answer was empty")
    return drafts


def transcripts_of(reply: Reply) -> dict[str, str]:
    """Return the texts that a responder found in what the customer sent, by the line's id."""
    return {str(line): sanitize_text(str(text)) for line, text in reply.transcripts.items()}
