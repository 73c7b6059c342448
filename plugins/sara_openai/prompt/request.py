"""A model request, independent of the API, and its reduction after a refusal."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sara import GiveUp, HistoryMessage, ToolSpec
from sara.helpers import estimated_tokens
from sara_openai.api.error_kinds import OPTION_OF_PARAMETER
from sara_openai.api.errors import CallFailure
from sara_openai.media.image_files import EncodedImage

MIN_MESSAGE_CHARS = 200
"""Minimum length to which a message is cut."""

_TOO_MANY = re.compile(r"too many|at most \d|more than \d|maximum number", re.IGNORECASE)

_UNKNOWN_PARAMETER = re.compile(
    r"unsupported parameter|unrecogni[sz]ed|unknown|unexpected|not supported|does ?n[o']t support|extra|not permitted|not allowed|use ['\"`]?max_",
    re.IGNORECASE,
)
_LIMIT_PARAMETERS = frozenset({"max_tokens", "max_completion_tokens"})

MIDDLE_LEFT_OUT = "\n[… the middle of this message is left out: it was too long …]\n"


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """A request to the model.

    `system_prompt` comes first, `generic_prompt` is its version without a customer's data, `private_text` is what excerpts of
    errors must not show, and `names` are the customer's names. `images` and `transcripts` are by message id; images whose id is
    in `hidden_image_ids` are not sent; `can_see` and `can_hear` tell what the options allow. `code` marks the context blocks and
    is random for each request. `tools` are the tools on offer. `tool_messages` are the model's calls and their results in the
    API's own form; in the `final_round` no further call is allowed. `encrypted_reasoning` asks for reasoning that can be sent
    back. `keep_whole` forbids cutting messages. `merge_roles` merges consecutive messages of one role, `fold_system` moves the
    system prompt into the first message. `omitted_options` are options of sara.yaml that are not sent; `swap_limit_name` sends
    the token limit under the other of its two names.
    """

    system_prompt: str
    messages: Sequence[HistoryMessage]
    history: Sequence[HistoryMessage] = ()
    images: Mapping[str, Sequence[EncodedImage]] = field(default_factory=dict)
    transcripts: Mapping[str, str] = field(default_factory=dict)
    can_see: bool = False
    can_hear: bool = False
    code: str = ""
    tools: Sequence[ToolSpec] = ()
    tool_messages: tuple[Mapping[str, Any], ...] = ()
    final_round: bool = False
    encrypted_reasoning: bool = True
    conversation_id: str = ""
    generic_prompt: str | None = None
    private_text: str = ""
    names: Sequence[str] = ()
    hidden_image_ids: frozenset[str] = frozenset()
    keep_whole: bool = False
    merge_roles: bool = False
    fold_system: bool = False
    omitted_options: frozenset[str] = frozenset()
    swap_limit_name: bool = False

    @property
    def shown_images(self) -> dict[str, list[str]]:
        """The images that are sent, as data URLs by message id."""
        urls = {line: [each.url for each in some if each.id not in self.hidden_image_ids] for line, some in self.images.items()}
        return {line: some for line, some in urls.items() if some}

    @property
    def shown_image_ids(self) -> frozenset[str]:
        """The ids of the images that are sent."""
        return frozenset(each.id for some in self.images.values() for each in some) - self.hidden_image_ids

    @property
    def image_ids(self) -> list[str]:
        """The ids of all images, the newest first."""
        lines = [line.id for line in (*self.history, *self.messages)]
        return [each.id for line in reversed(lines) for each in reversed(self.images.get(line, ()))]

    @property
    def size(self) -> int:
        """The estimated tokens of the conversation, without tool results."""
        lines = (*self.history, *self.messages)
        return estimated_tokens(self.system_prompt) + sum(
            estimated_tokens(self.transcripts.get(line.id, line.text)) for line in lines
        )

    def degrade(self, failed: CallFailure) -> ModelRequest | None:
        """Return the request without what `failed` says was refused; None if there is nothing left to remove."""
        match failed.kind:
            case "length":
                shorter = self.shorten(images_first=failed.status == 413 and "token" not in failed.message.lower())
                return shorter or self._without_option("max_output_tokens", failed)
            case "parameter" if failed.option is not None:
                return self._without_option(failed.option, failed)
            case "encrypted_reasoning" if self.encrypted_reasoning:
                return replace(self, encrypted_reasoning=False)
            case "tools" | "tool_call" if self.tools:
                return self._without_tools()
            case "roles" if not self.merge_roles:
                return replace(self, merge_roles=True)
            case "roles" | "system" if not self.fold_system:
                return replace(self, merge_roles=True, fold_system=True)
            case "no_pictures" if self.shown_images:
                return self.without_images()
            case "picture" if self.shown_images:
                return self._with_half_the_images() if _TOO_MANY.search(failed.message) else self._without_one_image()
            case "filter":
                return self._without_optional_parts()
        return self._degrade_unknown(failed) if isinstance(failed.outcome, GiveUp) else None

    def shorten(self, *, images_first: bool = False) -> ModelRequest | None:
        """Return the request with half the history; without history, with shortened messages and tool results."""
        if images_first and self.shown_images:
            return self.without_images()
        if self.history:
            return replace(self, history=self.history[(len(self.history) + 1) // 2 :])
        if self.shown_images:
            return self.without_images()
        if self.keep_whole:
            return None
        longest = max((len(self.transcripts.get(line.id, line.text)) for line in self.messages), default=0)
        if longest > MIN_MESSAGE_CHARS:
            max_chars = max(MIN_MESSAGE_CHARS, longest // 2)
            transcripts = {line: cut_middle(text, max_chars) for line, text in self.transcripts.items()}
            return replace(
                self,
                messages=[replace(line, text=cut_middle(line.text, max_chars)) for line in self.messages],
                transcripts=transcripts,
            )
        since = tuple(_shorten_result(each) for each in self.tool_messages)
        if since != self.tool_messages:
            return replace(self, tool_messages=since)
        if len(self.messages) > 1:
            return replace(self, messages=self.messages[(len(self.messages) + 1) // 2 :])
        return None

    def fit(self, max_chars: int) -> ModelRequest:
        """Return the request shortened to `most` tokens, as far as possible."""
        model_request = self
        while model_request.size > max_chars and model_request.history:
            model_request = replace(model_request, history=model_request.history[1:])
        while model_request.size > max_chars and (less := model_request.shorten()) is not None:
            model_request = less
        return model_request

    def without_images(self) -> ModelRequest:
        """Return the request without images."""
        return replace(self, hidden_image_ids=frozenset(self.image_ids))

    def probe(self) -> ModelRequest:
        """Return the smallest request of any conversation, to find out whether this conversation or a setting is refused."""
        line = HistoryMessage("probe", "customer", "Hello", self.messages[-1].at if self.messages else 0)
        prompt = self.system_prompt if self.generic_prompt is None else self.generic_prompt
        return ModelRequest(
            prompt,
            [line],
            generic_prompt=prompt,
            encrypted_reasoning=self.encrypted_reasoning,
            merge_roles=self.merge_roles,
            fold_system=self.fold_system,
            omitted_options=self.omitted_options,
            swap_limit_name=self.swap_limit_name,
        )

    def _without_tools(self) -> ModelRequest:
        # Without tools the server cannot read former calls, except in the final round, where it objects only to the ban on calls.
        return replace(self, tools=(), tool_messages=self.tool_messages if self.final_round else ())

    def _without_option(self, option: str, failed: CallFailure) -> ModelRequest | None:
        """Return the request without an option, or first with the option's other parameter name if only the name is unknown."""
        names = {name for name in failed.options if OPTION_OF_PARAMETER[name] == option}
        if not names:
            return None
        if names & _LIMIT_PARAMETERS and not self.swap_limit_name and _UNKNOWN_PARAMETER.search(failed.message):
            return replace(self, swap_limit_name=True)
        return replace(self, omitted_options=self.omitted_options | {option})

    def _with_half_the_images(self) -> ModelRequest:
        """Return the request with the newer half of its images."""
        shown = [each for each in self.image_ids if each not in self.hidden_image_ids]
        return replace(self, hidden_image_ids=self.hidden_image_ids | set(shown[len(shown) // 2 :]))

    def _without_one_image(self) -> ModelRequest:
        """Return the request without the next image, newest first; without all if no single one is at fault."""
        shown = [each for each in self.image_ids if each not in self.hidden_image_ids]
        left_out = [each for each in self.image_ids if each in self.hidden_image_ids]
        if len(left_out) > 1 or len(shown) + len(left_out) == 1:
            return self.without_images()
        at = self.image_ids.index(left_out[0]) + 1 if left_out else 0
        return (
            self.without_images()
            if at == len(self.image_ids)
            else replace(self, hidden_image_ids=frozenset([self.image_ids[at]]))
        )

    def _without_optional_parts(self) -> ModelRequest | None:
        """Return the request without history, images or customer data, which a filter may object to."""
        if self.history:
            return replace(self, history=())
        if self.shown_images:
            return self.without_images()
        if self.generic_prompt is not None and self.generic_prompt != self.system_prompt:
            return replace(self, system_prompt=self.generic_prompt)
        return None

    def _degrade_unknown(self, failed: CallFailure) -> ModelRequest | None:
        """Return the request without the next part that a server may refuse, after a refusal that names no part."""
        if self.shown_images:
            return self.without_images()
        if not self.fold_system:
            return replace(self, merge_roles=True, fold_system=True)
        if self.tools:
            return self._without_tools()
        if options := {OPTION_OF_PARAMETER[name] for name in failed.options}:
            return replace(self, omitted_options=self.omitted_options | options)
        return self._without_optional_parts()


def cut_middle(text: str, max_chars: int) -> str:
    """Return a text of about `max_chars` characters: its beginning and end, with a note where it was cut."""
    if len(text) <= max_chars:
        return text
    end = max_chars // 3
    return text[: max_chars - end].rstrip() + MIDDLE_LEFT_OUT + text[len(text) - end :].lstrip()


def _shorten_result(said: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a tool result in half its length."""
    for key in ("content", "output"):
        text = said.get(key)
        if isinstance(text, str) and len(text) > MIN_MESSAGE_CHARS + len(MIDDLE_LEFT_OUT) and "tool_calls" not in said:
            return {**said, key: cut_middle(text, max(MIN_MESSAGE_CHARS, len(text) // 2))}
    return said
