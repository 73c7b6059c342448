"""Replace secrets in text before it is logged, shown or stored."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

HIDDEN = "…"
MIN_SUBSTRING_LENGTH = 6
"""A secret of fewer characters is replaced only where it stands as a word: it would turn up inside ordinary words."""

MIN_LENGTH = 4
"""A secret of fewer characters is not looked for."""


class Redactor:
    """Replaces known secrets in text, in every form in which a text may contain them: plain, in a URL, in JSON."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets for form in _forms(secret) if len(form) >= MIN_LENGTH}
        patterns = [_pattern(form) for form in sorted(forms, key=len, reverse=True)]
        self._pattern = re.compile("|".join(patterns)) if patterns else None

    def __call__(self, text: str) -> str:
        """Return the text with `…` in the place of each secret."""
        return text if self._pattern is None else self._pattern.sub(HIDDEN, text)

    def deep(self, value: Any) -> Any:
        """Return a value of lists and mappings with the secrets in all its texts replaced."""
        if self._pattern is None:
            return value
        if isinstance(value, str):
            return self(value)
        if isinstance(value, Mapping):
            return {self.deep(key): self.deep(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.deep(inner) for inner in value]
        return value if value is None or isinstance(value, bool | int | float) else self(repr(value))


def _forms(secret: str) -> Iterator[str]:
    whole = secret.strip()
    for each in {secret, whole, *whole.splitlines()}:
        yield each
        for safe in ("", "/", "/:@!$&'()*+,;="):
            yield quote(each, safe=safe)
            yield quote_plus(each, safe=safe)
        yield json.dumps(each)[1:-1]
        yield json.dumps(each, ensure_ascii=False)[1:-1]
        yield repr(each)[1:-1]


def _pattern(form: str) -> str:
    escaped = re.escape(form)
    return escaped if len(form) >= MIN_SUBSTRING_LENGTH else rf"(?<!\w){escaped}(?!\w)"
