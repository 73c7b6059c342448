"""Which files of a conversation a model sees and hears, and in words why it does not. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sara import Attachment, HistoryMessage

PICTURES = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif"})
MOST_PICTURES = 4
"""So many pictures of a conversation are shown, the newest: each costs as much as a page of text."""

LARGEST_PICTURE = 10_000_000


def mime_of(attachment: Attachment) -> str:
    """The media type without its parameters."""
    return attachment.mime.partition(";")[0].strip().lower()


def picture_id(line: HistoryMessage, number: int) -> str:
    """Return what a picture of a message is known by: its file's id, else its place in the message."""
    return line.attachments[number].id or f"{line.id}:{number}"


def is_picture(attachment: Attachment) -> bool:
    """Whether a model that sees can be shown this."""
    return attachment.kind == "image" and mime_of(attachment) in PICTURES


def newest_pictures(lines: Sequence[HistoryMessage]) -> list[tuple[HistoryMessage, Attachment]]:
    """The pictures that are shown: the newest ones of the lines."""
    return [(line, each) for line in lines for each in line.attachments if is_picture(each)][-MOST_PICTURES:]


def unavailable(
    lines: Sequence[HistoryMessage], shown: Collection[str], heard: Mapping[str, str], *, sees: bool, hears: bool
) -> dict[str, list[str]]:
    """Why the model does not see or hear the files of each line, in their order; empty for one that it does. `shown` are the ids
    of the pictures that are really shown, `heard` the transcripts, by line; `sees` and `hears` whether it could."""
    newest = {(line.id, id(each)) for line, each in newest_pictures(lines)}
    return {
        line.id: [
            "" if picture_id(line, number) in shown else _reason(line, each, heard, (line.id, id(each)) in newest, sees, hears)
            for number, each in enumerate(line.attachments)
        ]
        for line in lines
        if line.attachments
    }


def _reason(line: HistoryMessage, attachment: Attachment, heard: Mapping[str, str], newest: bool, sees: bool, hears: bool) -> str:
    if attachment.kind == "audio":
        return _unheard(line, attachment, heard, hears)
    if missing := _missing(attachment):
        return missing
    if attachment.kind == "document":
        return (
            "a picture sent as a document: not shown to you" if mime_of(attachment) in PICTURES else "you cannot read documents"
        )
    if attachment.kind in ("video", "sticker"):
        return f"you cannot see {attachment.kind}s"
    if not sees:
        return "you cannot see pictures"
    if not is_picture(attachment):
        return "not a kind of picture that you can see"
    if not newest:
        return f"not shown again: only the newest {MOST_PICTURES} pictures of a conversation are"
    return "it could not be shown to you"


def _unheard(line: HistoryMessage, attachment: Attachment, heard: Mapping[str, str], hears: bool) -> str:
    if line.id in heard or line.text.partition("]")[2].strip():
        return ""  # its words stand in the message, from now or from an earlier turn
    if missing := _missing(attachment):
        return missing
    return "what is said in it could not be understood" if hears else "you cannot hear it: sound is not written down here"


def _missing(attachment: Attachment) -> str:
    if attachment.state == "pending":
        return "it has not arrived yet"
    if attachment.error is not None:
        return "it could not be downloaded"
    return "it is not here: it was not downloaded, or was deleted since" if attachment.path is None else ""
