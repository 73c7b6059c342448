"""Decides which attachments the model sees or hears, and words the reason for each one that it does not."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sara import Attachment, HistoryMessage

IMAGE_TYPES = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif"})
MAX_IMAGES = 4
"""Maximum number of images per request, the newest: each costs as much as a page of text."""

MAX_IMAGE_BYTES = 10_000_000


def read_mime(attachment: Attachment) -> str:
    """Return the media type without its parameters."""
    return attachment.mime.partition(";")[0].strip().lower()


def get_image_id(line: HistoryMessage, number: int) -> str:
    """Return the id of an image of a message: its file's id, else its position in the message."""
    return line.attachments[number].id or f"{line.id}:{number}"


def is_supported_image(attachment: Attachment) -> bool:
    """Return whether an attachment is an image of a type that models accept."""
    return attachment.kind == "image" and read_mime(attachment) in IMAGE_TYPES


def list_newest_images(lines: Sequence[HistoryMessage]) -> list[tuple[HistoryMessage, Attachment]]:
    """Return the newest images of the messages, which are the ones that the model is shown."""
    return [(line, each) for line in lines for each in line.attachments if is_supported_image(each)][-MAX_IMAGES:]


def explain_unavailable(
    lines: Sequence[HistoryMessage], shown: Collection[str], transcripts: Mapping[str, str], *, can_see: bool, can_hear: bool
) -> dict[str, list[str]]:
    """Return per message why the model cannot see or hear each of its attachments; an empty text if it can.

    `shown` are the ids of the images in the request, `transcripts` are by message; `can_see` and `can_hear` tell what the options
    allow.
    """
    newest = {(line.id, id(each)) for line, each in list_newest_images(lines)}
    return {
        line.id: [
            ""
            if get_image_id(line, number) in shown
            else _explain_file(line, each, transcripts, (line.id, id(each)) in newest, can_see, can_hear)
            for number, each in enumerate(line.attachments)
        ]
        for line in lines
        if line.attachments
    }


def _explain_file(
    line: HistoryMessage, attachment: Attachment, transcripts: Mapping[str, str], newest: bool, can_see: bool, can_hear: bool
) -> str:
    if attachment.kind == "audio":
        return _explain_audio(line, attachment, transcripts, can_hear)
    if missing := _explain_missing(attachment):
        return missing
    if attachment.kind == "document":
        return (
            "a picture sent as a document: not shown to you"
            if read_mime(attachment) in IMAGE_TYPES
            else "you cannot read documents"
        )
    if attachment.kind in ("video", "sticker"):
        return f"you cannot see {attachment.kind}s"
    if not can_see:
        return "you cannot see pictures"
    if not is_supported_image(attachment):
        return "not a kind of picture that you can see"
    if not newest:
        return f"not shown again: only the newest {MAX_IMAGES} pictures of a conversation are"
    return "it could not be shown to you"


def _explain_audio(line: HistoryMessage, attachment: Attachment, transcripts: Mapping[str, str], can_hear: bool) -> str:
    if line.id in transcripts or line.text.partition("]")[2].strip():
        return ""  # the message contains the transcript, of this or an earlier turn
    if missing := _explain_missing(attachment):
        return missing
    return "what is said in it could not be understood" if can_hear else "you cannot hear it: sound is not written down here"


def _explain_missing(attachment: Attachment) -> str:
    if attachment.state == "pending":
        return "it has not arrived yet"
    if attachment.error is not None:
        return "it could not be downloaded"
    return "it is not here: it was not downloaded, or was deleted since" if attachment.path is None else ""
