"""Removes template markup from an answer: reasoning, and the tokens that begin and end turns.

The text is read once from left to right. Text in backticks is quoted and stays unchanged.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sara_openai.api.citations import strip_citations
from sara_openai.api.harmony import parse_channels

_BAR = "[|｜]{1,2}"  # DeepSeek's are full-width, and sometimes doubled

# ── reasoning ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

# Only templates write these.
_TAGS = "think|thinking|seed:think|mm:think|antthinking|inner_monologue|scratch_?pad"
# An answer may contain these as words in angle brackets, so they count at the beginning of a line only.
_WORDS = "thoughts?|reasoning|reflection|analysis|internal_reasoning|chain_of_thought|thought_process|seed:cot_budget_reflect"
_OPEN = (
    rf"<(?:{_TAGS})(?:\s[^<>]{{0,80}})?>|\[THINK\]|◁think▷|<\|channel>[ \t]*(?:thought|thinking|analysis)\b"
    rf"|<{_BAR}(?:start_thinking|thinking_start|begin[_▁]of[_▁](?:thought|thinking|think))(?:{_BAR})>"
)
_CLOSE = (
    rf"</(?:{_TAGS})>|\[/THINK\]|◁/think▷|<channel\|>"
    rf"|<{_BAR}(?:end_thinking|thinking_end|end[_▁]of[_▁](?:thought|thinking|think))(?:{_BAR})>"
)
_OPENING = re.compile(_OPEN, re.IGNORECASE)
_CLOSING = re.compile(_CLOSE, re.IGNORECASE)
_CLOSING_WORD = re.compile(rf"</(?:{_WORDS})>", re.IGNORECASE)
_CLOSING_ALONE = re.compile(rf"^[ \t]*(?:{_CLOSE})|(?:{_CLOSE})[ \t]*$", re.IGNORECASE | re.MULTILINE)

# Reasoning that is announced in words (IBM Granite, ServiceNow Apriel): its beginning, and where the answer begins.
_ANNOUNCED = (
    (
        re.compile(r"\s*here(?:'s| is) my (?:thought|thinking) process:", re.IGNORECASE),
        re.compile(r"here(?:'s| is) my (?:final )?response:\s*", re.IGNORECASE),
    ),
    (re.compile(r"\s*here are my reasoning steps:", re.IGNORECASE), re.compile(r"\[BEGIN FINAL RESPONSE\]\s*")),
)
_FINAL = re.compile(r"\s*\[BEGIN FINAL RESPONSE\]([\s\S]*?)(?:\[END FINAL RESPONSE\][\s\S]*|\Z)")
_WRAPPED = re.compile(r"\s*<(answer|response|final|final_answer|final_response)>([\s\S]*?)(?:</\1>\s*)?\Z", re.IGNORECASE)

# ── turns ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

_CALL = (
    r"<(?:[\w-]+:)?(?:\w+_)?(?:tool_?calls?|function_?calls?|tool_use)(?:\s[^<>]{0,80})?>|<function=|<function\s+name="
    r"|<(?:[\w-]+:)?invoke\s+name=|\[TOOL_CALLS?\]|\bfunctools(?=\[\s*\{)|<\|tool_call>"
    rf"|<{_BAR}(?:DSML{_BAR}[\w ]{{1,40}}|tool[_▁]calls?(?:[_▁]section)?(?:[_▁](?:begin|start))?|python_tag|start_action|action_start"
    rf"|tools_prefix)(?:{_BAR})?>"
)
# Tokens without bars. `<s>` and `</s>` are HTML too: they are looked at more closely.
_TURN = (
    r"</?s>|<eos>|<EOT>|<EOS_TOKEN>|<end_of_turn>|<start_of_turn>|\[/?INST\]|<</?SYS>>|\[\|[a-z]{2,20}\|\]|\[TOOL_RESULTS\]"
    r"|\[AVAILABLE_TOOLS\]|<\|(?:turn|tool_response)>|<(?:turn|tool_response)\|>|<tool_response>|<function_results?>"
    r"|\[END FINAL RESPONSE\]|\[e~\[|\]~!?b\]|<extra_id_\d+>"
)
_VOID = r"<bos>|<pad>|<unk>|\[gMASK\]|<sop>|<tool_call\|>|<\|channel>"
_TOKENS = re.compile(
    r"(?=[<\[`◁\]f])(?:(?P<code>```[\s\S]*?(?:```|\Z)|`[^`\n]+`)"
    rf"|(?P<open>{_OPEN})|(?P<close>{_CLOSE})|(?P<word><(?:{_WORDS})>)"
    rf"|(?P<call>{_CALL})|(?P<turn>{_TURN})|(?P<void>{_VOID})"
    rf"|<{_BAR}(?P<bar>[\w▁ .:/-]{{1,40}}){_BAR}>)",
    re.IGNORECASE,
)
# The meaning of a token between bars, by its name in lower case: it begins the answer, has no effect, or ends the turn.
_BEGINS = re.compile(r"im_start|im_assistant|im_middle|start|start_header_id|end_header_id|header_start|header_end|start_of_role"
                     r"|end_of_role|assistant|bot|model|start_of_turn_token|chatbot_token")  # fmt: skip
_NOTHING = re.compile(
    r"begin_of_.*|startoftext|end_of_(box|solution)|(start|end)_(response|text)|think|pad|box_.*|vision_.*|image.*|no_think"
)
_ROLE = re.compile(r"[ \t]*(?:assistant|model)?[ \t]*(?=<|\n|$)", re.IGNORECASE)

# The plugin's own context blocks, if a model imitates them.
_OWN_BLOCK = re.compile(r'<context id="[0-9a-f]{8,64}">[\s\S]*?(?:</context[^<>]*>|\Z)')

MAX_READ_CHARS = 400_000
"""Maximum length of an answer that is read, reasoning included."""

_MAX_CALL_CANDIDATES = 8
"""Maximum number of opening tags that are tried as a tool call; further ones are text."""


@dataclass(frozen=True, slots=True)
class StrippedAnswer:
    """An answer without its markup.

    `call` is the text from the first tool call on that is written in a template's own form, `named` are calls that the format
    itself names, as (name, arguments). `is_unfinished` is set if the answer ended within its reasoning.
    """

    text: str
    call: str = ""
    named: tuple[tuple[str, str], ...] = ()
    is_unfinished: bool = False


def strip_markup(text: str) -> StrippedAnswer:
    """Remove reasoning and citation marks, cut at the first token that ends the turn, and separate tool calls."""
    text = _skip_unopened_reasoning(_OWN_BLOCK.sub("", text[:MAX_READ_CHARS]))
    found = parse_channels(text)
    if found is not None:
        read = _MarkupReader(found.final).read()
        return StrippedAnswer(read.text, read.call, found.calls, found.is_unfinished or read.is_unfinished)
    for begins, answers in _ANNOUNCED:
        if begins.match(text):
            answer = answers.search(text)
            if answer is None:
                return StrippedAnswer("", is_unfinished=True)
            text = text[answer.end() :]
    return _MarkupReader(text).read()


def _skip_unopened_reasoning(text: str) -> str:
    """Return the text after reasoning whose opening tag is missing because the template had written it."""
    opening = _OPENING.search(text)
    behind = 0
    for closing in _CLOSING_ALONE.finditer(text, 0, len(text) if opening is None else opening.start()):
        behind = closing.end()
    return text[behind:]


class _MarkupReader:
    """One pass over a text: the text kept so far, and the closing tags that are known to be missing."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._kept: list[str] = []
        self._missing_ends: set[re.Pattern[str]] = set()
        self._is_line_start = True
        self._is_struck = False
        self._unfinished = False
        self._calls = 0
        self._call = ""

    def read(self) -> StrippedAnswer:
        at: int | None = 0
        while at is not None:
            token = _TOKENS.search(self._text, at)
            self._keep(strip_citations(self._text[at : len(self._text) if token is None else token.start()]))
            if token is None:
                break
            at = self._read_token(token)
        said = "".join(self._kept)
        if answer := _FINAL.match(said) or _WRAPPED.match(said):
            said = answer[answer.lastindex or 1]
        return StrippedAnswer(said.strip(), self._call, (), self._unfinished)

    def _read_token(self, token: re.Match[str]) -> int | None:
        """Handle one token and return where to read on; None at the end of the turn."""
        match token.lastgroup:
            case "open":
                return self._skip(token, _CLOSING)
            case "word" if self._is_line_start:
                return self._skip(token, _CLOSING_WORD)
            case "close":
                self._kept.clear()  # all of it was reasoning
                self._is_line_start = True
                return token.end()
            case "call":
                return self._read_call(token)
            case "turn" | "bar":
                return self._read_turn(token)
            case "code" | "word":
                self._keep(token[0])
        return token.end()

    def _skip(self, token: re.Match[str], closing: re.Pattern[str]) -> int | None:
        """Return the position after the reasoning that begins here.

        Reasoning without an end means that the answer has none. In the middle of a line the tag is only mentioned.
        """
        end = None if closing in self._missing_ends else closing.search(self._text, token.end())
        if end is not None:
            return end.end()
        self._missing_ends.add(closing)
        if self._is_line_start:
            self._unfinished = True
            return None
        self._keep(token[0])
        return token.end()

    def _read_call(self, token: re.Match[str]) -> int | None:
        """Separate the rest of the text as a tool call; None ends the reading.

        What follows a call is the call itself or invented by the model.
        """
        name = re.escape(token[0].strip("<>[]| ").partition(" ")[0].partition("=")[0])
        closed = self._calls < _MAX_CALL_CANDIDATES and re.search(f"</{name}", self._text[token.end() :], re.IGNORECASE)
        self._calls += 1
        if not closed and not self._is_line_start and token[0].startswith("<") and "|" not in token[0]:
            self._keep(token[0])
            return token.end()
        self._call = self._text[token.start() :]
        return None

    def _read_turn(self, token: re.Match[str]) -> int | None:
        name = (token["bar"] or "").lower().replace("▁", "_").strip()
        if name and _NOTHING.fullmatch(name):
            return token.end()
        if self._is_html(token):
            self._keep(token[0])
            return token.end()
        head = token[0] in ("<s>", "<start_of_turn>", "<|turn>") or (name and _BEGINS.fullmatch(name))
        if head and not any(piece.strip() for piece in self._kept):
            role = _ROLE.match(self._text, token.end())
            return role.end() if role else token.end()
        return None

    def _is_html(self, token: re.Match[str]) -> bool:
        """Return whether `<s>` or `</s>` is HTML that strikes words out: a pair on one line with words around it."""
        line_start = self._text.rfind("\n", 0, token.start()) + 1
        line_end = self._text.find("\n", token.end())
        line = self._text[line_start : line_end if line_end >= 0 else len(self._text)]
        if token[0].lower() == "<s>":
            return "</s>" in line[token.end() - line_start :] and not line.rstrip().endswith("</s>")
        return token[0].lower() == "</s>" and self._is_struck

    def _keep(self, piece: str) -> None:
        self._kept.append(piece)
        line = piece.rpartition("\n")[2]
        if "\n" in piece:
            self._is_line_start, self._is_struck = True, False
        self._is_line_start = self._is_line_start and not line.strip()
        self._is_struck = self._is_struck or "<s>" in line.lower()
