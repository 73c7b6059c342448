"""Pictures and voice messages reach the model where it can take them."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sara_openai.api.visibility import MAX_IMAGES
from sara_openai.options import OpenAIOptions
from sara_openai.responder import OpenAIResponder
from sara_simulators.openai import OpenAISimulator

from sara import Attachment, HistoryMessage, Turn
from sara.helpers import ProblemRegistry

Turns = Callable[..., Turn]
Responders = Callable[..., OpenAIResponder]
VOICE = b"OggS, a voice"
CAT = b"\xff\xd8\xff, a cat, as small as they come"
PNG = b"\x89PNG\r\n\x1a\n, another cat, not larger"


def with_file(turn: Turn, path: Path | None, kind: str = "image", mime: str = "image/jpeg") -> Turn:
    """The turn, whose last message brings a file."""
    attachment = Attachment(kind, mime, "media-1", id=f"at-{path}", path=path, voice=kind == "audio")
    text = "[voice message]" if kind == "audio" else "[image] What is this?"
    return replace(turn, messages=(*turn.messages[:-1], replace(turn.messages[-1], text=text, attachments=(attachment,))))


@pytest.fixture
def cat(tmp_path: Path) -> Path:
    path = tmp_path / "cat"
    path.write_bytes(CAT)
    return path


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    path = tmp_path / "voice"
    path.write_bytes(VOICE)
    return path


def content(simulator: OpenAISimulator, call: int = -1) -> Any:
    return simulator.calls[call].messages[-1]["content"]


# pictures


async def test_a_picture_is_shown_beside_the_words(
    responder_with: Responders, simulator: OpenAISimulator, turn: Turns, cat: Path
) -> None:
    await responder_with(images=True).answer(with_file(turn("hello"), cat, mime="image/jpeg; q=1"))
    url = "data:image/jpeg;base64," + base64.b64encode(CAT).decode()
    assert content(simulator) == [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url}}]


@pytest.mark.parametrize(
    ("options", "shown"),
    [({"api_key": "k"}, True), ({"base_url": "http://127.0.0.1/v1"}, False), ({"base_url": "http://h/v1", "images": True}, True)],
)
def test_by_default_only_openai_itself_is_shown_pictures(options: dict[str, Any], shown: bool) -> None:
    assert OpenAIOptions(**options).shows_images is shown


async def test_what_is_not_here_or_no_picture_is_left_to_its_words(
    responder_with: Responders, simulator: OpenAISimulator, turn: Turns, cat: Path
) -> None:
    responder = responder_with(images=True)
    for path, kind, mime in (
        (None, "image", "image/jpeg"),
        (cat.with_name("gone"), "image", "image/jpeg"),
        (cat, "image", "image/svg+xml"),
        (cat, "sticker", "image/webp"),
        (cat, "video", "video/mp4"),
    ):
        await responder.answer(with_file(turn("hello"), path, kind, mime))
        assert isinstance(content(simulator), str)


async def test_only_the_newest_pictures_are_shown(
    responder_with: Responders, simulator: OpenAISimulator, turn: Turns, cat: Path
) -> None:
    picture = Attachment("image", "image/png", "media-1", path=cat)
    history = tuple(HistoryMessage(f"h{n}", "customer", "[image]", 0, attachments=(picture,)) for n in range(MAX_IMAGES + 2))
    await responder_with(images=True).answer(replace(turn("hello"), history=history))
    shown = [isinstance(message["content"], list) for message in simulator.calls[-1].messages if message["role"] != "system"]
    assert shown == [False, False, *[True] * MAX_IMAGES, False]


async def test_files_that_are_no_pictures_are_not_sent_and_hide_no_other(
    responder_with: Responders, simulator: OpenAISimulator, turn: Turns, tmp_path: Path
) -> None:
    responder = responder_with(images=True)
    contents = {
        "good": CAT,
        "other": PNG,
        "empty": b"",
        "cut": CAT[:4],
        "page": b"<!doctype html><title>Sign in</title>",
        "zeros": bytes(99),
    }
    for name, content_of in contents.items():
        (tmp_path / name).write_bytes(content_of)
    sent = [Attachment("image", "image/jpeg", name, id=name, path=tmp_path / name) for name in contents]
    history = tuple(HistoryMessage(f"h{n}", "customer", "[image]", 0, attachments=(each,)) for n, each in enumerate(sent))
    many = tuple(replace(line, id=f"b{n}", attachments=(sent[2],)) for n, line in enumerate(history))
    await responder.answer(replace(turn("hello"), history=(*history, *many)))
    urls = simulator.calls[-1].pictures
    assert [url.partition(";")[0] for url in urls] == ["data:image/jpeg", "data:image/png"], (
        "told by its content, not by its name"
    )


async def test_a_server_that_takes_no_pictures_is_asked_without_them(
    responder_with: Responders, simulator: OpenAISimulator, turn: Turns, cat: Path
) -> None:
    simulator.fault("status", status=400, text="image input is not supported")
    reply = await responder_with(images=True).answer(with_file(turn("hello"), cat))
    assert reply.parts[0].text == "echo: What is this?"
    assert [isinstance(content(simulator, n), list) for n in range(2)] == [True, False]


# voice messages


async def test_a_voice_message_is_read_to_the_model_and_kept_for_later(
    responder_with: Responders, simulator: OpenAISimulator, turn: Turns, voice: Path
) -> None:
    simulator.transcript = "When do you open?"
    reply = await responder_with(transcribe_with="whisper-1").answer(
        with_file(turn("hello", "voice"), voice, "audio", "audio/ogg; codecs=opus")
    )
    assert simulator.transcribed == [("voice.ogg", VOICE)]
    assert simulator.calls[-1].asked == ("hello", "When do you open?")
    assert reply.transcripts == {"m1": "[voice message] When do you open?"}


async def test_without_a_model_for_it_nobody_listens(
    responder: OpenAIResponder, simulator: OpenAISimulator, turn: Turns, voice: Path
) -> None:
    reply = await responder.answer(with_file(turn("hello"), voice, "audio", "audio/ogg"))
    assert (simulator.transcribed, reply.transcripts) == ([], {})
    assert simulator.calls[-1].asked == ()


async def test_what_cannot_be_heard_is_answered_all_the_same_and_said_to_the_operator(
    responder_with: Responders, simulator: OpenAISimulator, turn: Turns, voice: Path, problems: ProblemRegistry
) -> None:
    responder = responder_with(transcribe_with="whisper-1")
    simulator.transcription_fails = True
    reply = await responder.answer(with_file(turn("hello"), voice, "audio", "audio/ogg"))
    assert reply.parts[0].text == "echo:"
    assert reply.transcripts == {}
    assert len(simulator.transcribed) == 2, "what may pass is tried twice"
    assert [problem.key for problem in problems] == ["responder:assistant:hearing"]
    simulator.transcription_fails = False
    reply = await responder.answer(with_file(turn("hello"), voice, "audio", "audio/ogg"))
    assert reply.transcripts
    assert list(problems) == []


async def test_nobody_listens_twice_because_the_answer_failed(
    responder_with: Responders, simulator: OpenAISimulator, turn: Turns, voice: Path
) -> None:
    responder = responder_with(transcribe_with="whisper-1")
    simulator.fault("status", status=503)
    spoken = with_file(turn("hello"), voice, "audio", "audio/ogg")
    with pytest.raises(Exception, match="503"):
        await responder.answer(spoken)
    reply = await responder.answer(spoken)
    assert reply.transcripts
    assert len(simulator.transcribed) == 1


async def test_a_format_that_the_endpoint_does_not_take_is_not_sent(
    responder_with: Responders, simulator: OpenAISimulator, turn: Turns, voice: Path
) -> None:
    await responder_with(transcribe_with="whisper-1").answer(with_file(turn("hello"), voice, "audio", "audio/amr"))
    assert simulator.transcribed == []


# which files the answer waits for


async def test_an_answer_waits_for_the_files_that_the_model_is_given_and_for_no_others(
    responder_with: Responders, turn: Turns
) -> None:
    """A row per file: whether it is opened where there are eyes and ears; by a model without them none is."""
    rows: tuple[tuple[str, str, int | None, bool], ...] = (
        ("image", "image/jpeg", None, True),
        ("image", "image/png; q=1", 5, True),
        ("image", "image/heic", None, False),
        ("sticker", "image/webp", None, False),
        ("video", "video/mp4", None, False),
        ("document", "application/pdf", None, False),
        ("audio", "audio/ogg; codecs=opus", None, True),
        ("audio", "audio/mpeg", 25_000_001, False),
        ("audio", "audio/amr", None, False),
        ("unheard-of", "x/y", None, False),
    )
    able, unable = responder_with(images=True, transcribe_with="t"), responder_with(images=False)
    for kind, mime, size, opened in rows:
        asked = with_file(turn("hello"), None, kind, mime)
        [attachment] = asked.messages[-1].attachments
        asked = replace(asked, messages=(replace(asked.messages[-1], attachments=(replace(attachment, size=size),)),))
        assert bool(list(able.select_attachments(asked))) is opened, (kind, mime, size)
        assert list(unable.select_attachments(asked)) == [], (kind, mime)


async def test_pictures_that_are_not_shown_are_not_waited_for(responder_with: Responders, turn: Turns) -> None:
    many = tuple(Attachment("image", "image/png", f"media-{n}", id=f"a{n}") for n in range(MAX_IMAGES + 2))
    asked, before = turn("hello"), replace(turn("earlier").messages[0], id="h1", attachments=many[:1])
    asked = replace(asked, messages=(replace(asked.messages[0], attachments=many),), history=(before,))
    chosen = [each.id for each in responder_with(images=True).select_attachments(asked)]
    assert chosen == [f"a{n}" for n in range(2, MAX_IMAGES + 2)]
    asked = replace(asked, messages=(replace(asked.messages[0], attachments=()),))
    assert list(responder_with(images=True).select_attachments(asked)) == [], "one of the history is shown if it is here"
