"""Requests that both listeners refuse before they read a body."""

from __future__ import annotations

from aiohttp import hdrs, web


def is_compressed(request: web.BaseRequest) -> bool:
    """Tell whether any `Content-Encoding` header of the request names a coding. Nothing is decompressed: a signature covers the
    bytes as they came, and a megabyte of gzip can hold a gigabyte."""
    codings = ",".join(request.headers.getall(hdrs.CONTENT_ENCODING, ())).split(",")
    return any(coding.strip().lower() not in ("", "identity") for coding in codings)
