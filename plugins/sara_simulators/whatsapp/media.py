"""Files at the provider: kept in memory by id, and served at URLs that soon expire."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

MB = 1024 * 1024
PATH = "/whatsapp_business/attachments/"
ADDRESS_LASTS = 300_000
DAY = 86_400_000
UPLOADED_LASTS, RECEIVED_LASTS = 30 * DAY, 7 * DAY

_OFFICE = "application/vnd.openxmlformats-officedocument."
KINDS: Mapping[str, tuple[int, frozenset[str]]] = {
    "image": (5 * MB, frozenset({"image/jpeg", "image/png"})),
    "video": (16 * MB, frozenset({"video/mp4", "video/3gpp"})),
    "audio": (16 * MB, frozenset({"audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg", "audio/opus"})),
    "sticker": (500 * 1024, frozenset({"image/webp"})),
    "document": (
        100 * MB,
        frozenset(
            {
                "application/pdf",
                "text/plain",
                "application/msword",
                "application/vnd.ms-excel",
                "application/vnd.ms-powerpoint",
                f"{_OFFICE}wordprocessingml.document",
                f"{_OFFICE}spreadsheetml.sheet",
                f"{_OFFICE}presentationml.presentation",
            }
        ),
    ),
}
"""The largest size in bytes and the media types of each kind of message that a business may upload."""


@dataclass(frozen=True, slots=True)
class Media:
    """A file. `mime` is as it was given, parameters included; `uploaded` marks a file of the business."""

    id: str
    mime: str
    data: bytes
    name: str | None
    at: int
    uploaded: bool

    @property
    def type(self) -> str:
        """Return the media type without its parameters, in small letters."""
        return self.mime.partition(";")[0].strip().lower()

    @property
    def sha256(self) -> str:
        """Return the hash in the form of webhooks: base64."""
        return b64encode(hashlib.sha256(self.data).digest()).decode()

    @property
    def sha256_hex(self) -> str:
        """Return the hash in the form of the media endpoint."""
        return hashlib.sha256(self.data).hexdigest()


def kind_of(mime: str) -> str | None:
    """Return the kind of message for a media type; None where a business cannot send it."""
    bare = mime.partition(";")[0].strip().lower()
    return next((kind for kind, (_, types) in KINDS.items() if bare in types), None)


class MediaStore:
    """The files of both sides. `origin` is the listener's own address, set once it listens."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self.origin = ""
        self._clock = clock
        self._items: dict[str, Media] = {}
        self._key = secrets.token_bytes(16)

    def add(self, data: bytes, mime: str, name: str | None = None, *, uploaded: bool = False) -> Media:
        """Store a file under a new id."""
        media = Media(str(10**15 + secrets.randbelow(9 * 10**15)), mime, data, name, self._clock(), uploaded)
        self._items[media.id] = media
        return media

    def get(self, id: str) -> Media | None:
        """Return a file that has not expired: 30 days after its upload, 7 days after a customer sent it."""
        media = self._items.get(id)
        if media is None or self._clock() - media.at > (UPLOADED_LASTS if media.uploaded else RECEIVED_LASTS):
            return None
        return media

    def remove(self, id: str) -> bool:
        """Remove a file; return whether it existed."""
        return self._items.pop(id, None) is not None

    def __iter__(self) -> Iterator[Media]:
        return iter(list(self._items.values()))

    def create_url(self, media: Media, source: str = "getMedia") -> str:
        """Return a URL of the file, valid for five minutes with the bearer token."""
        until = str((self._clock() + ADDRESS_LASTS) // 1000)
        query = {"mid": media.id, "source": source, "ext": until, "hash": self._hash(media.id, until)}
        return f"{self.origin}{PATH}?{urlencode(query)}"

    def find_by_url(self, query: Mapping[str, str]) -> Media | None:
        """Return the file of a URL's query; None where it has expired or is forged."""
        id, until = query.get("mid", ""), query.get("ext", "")
        right = hmac.compare_digest(query.get("hash", "").encode(), self._hash(id, until).encode())
        return self.get(id) if right and self._clock() <= int(until) * 1000 else None

    def _hash(self, id: str, until: str) -> str:
        return "AR" + hmac.new(self._key, f"{id} {until}".encode(), hashlib.sha256).hexdigest()[:32]
