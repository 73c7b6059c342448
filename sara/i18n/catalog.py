"""SARA's own texts in the customer's language, with the business's changes."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from sara.i18n.data import LANGUAGES

ENGLISH = LANGUAGES["en"].texts
"""The catalogue that says which texts there are, and which {values} each of them takes."""

MAX_LENGTH = 1_000
"""Characters of a text: it must fit into one message of any channel."""

_NONE: Mapping[str, Mapping[str, str]] = MappingProxyType({})
_PLACE = re.compile(r"\{([^{}]*)\}")
_CODE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})?")


class MessageCatalog:
    """The texts of all languages, with the business's changes: other words for a known language, or a new language."""

    def __init__(self, changes: Mapping[str, Mapping[str, str]] = _NONE, default: str = "en") -> None:
        self._texts = {code: dict(each.texts) for code, each in LANGUAGES.items()}
        for code, texts in changes.items():
            whole = {key: said for key, said in texts.items() if said.strip()}
            self._texts.setdefault(_code(code), {}).update(whole)
        self._default = default

    @property
    def languages(self) -> tuple[str, ...]:
        """Return the codes of all languages that have texts."""
        return tuple(self._texts)

    def render(self, key: str, /, language: str | None = None, **values: object) -> str:
        """Return the text under `key` with its values inserted once: braces in a value stay as they are.

        `pt-BR` is answered in `pt`, a language without that text in the default one. Raises KeyError for a key that no text
        has.
        """
        return _PLACE.sub(lambda place: str(values.get(place[1], place[0])), self._text(key, language))

    def render_all(self, key: str, /, **values: object) -> Mapping[str, str]:
        """Return the text in every language by its code, and in the default one under the empty key."""
        return {"": self.render(key, None, **values)} | {code: self.render(key, code, **values) for code in self._texts}

    def _text(self, key: str, language: str | None) -> str:
        for code in (language, self._default):
            for each in _nearest(code or ""):
                if key in self._texts.get(each, ()):
                    return self._texts[each][key]
        return ENGLISH[key]


def validate_texts(changes: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return what is wrong with a business's texts: one sentence each, with the language, the key and what to do."""
    return [fault for code, texts in changes.items() for fault in _faults_of_language(code, texts)]


def _code(language: str) -> str:
    return language.strip().lower().replace("_", "-")


def _nearest(language: str) -> tuple[str, str]:
    """Return the codes to look up: the language itself, then its base (`pt-BR`, then `pt`)."""
    code = _code(language)
    return code, code.partition("-")[0]


def _faults_of_language(language: str, texts: Mapping[str, str]) -> list[str]:
    code, base = _nearest(language)
    if not _CODE.fullmatch(code):
        return [f"{language} is no language code; {_meant_language(code) or 'write two letters, such as en'}"]
    found = [fault for key, said in texts.items() for fault in _faults_of_text(f"{language}.{key}", key, said)]
    missing = [f"{language}.{key}" for key in ENGLISH if key not in texts and base not in LANGUAGES]
    if missing:
        found.append(f"{', '.join(missing)}: missing; a language that SARA does not know needs every text")
    return found


def _faults_of_text(name: str, key: str, said: str) -> list[str]:
    if key not in ENGLISH:
        return [f"{name} is none of SARA's texts; {_meant(key, ENGLISH) or 'there are ' + ', '.join(ENGLISH)}"]
    if len(said) > MAX_LENGTH:
        return [f"{name} is longer than {MAX_LENGTH} characters; say it in fewer"]
    if not said.strip():
        return [f"{name} is empty; write a text, or leave the line out to keep SARA's own"]
    wanted, used = (list(dict.fromkeys(_PLACE.findall(each))) for each in (ENGLISH[key], said))
    possible = ", ".join(f"{{{place}}}" for place in wanted)
    remedy = f"it can have {possible}" if wanted else "take it out"
    strange = {place: _meant(place, wanted, "{{{}}}") for place in used if place not in wanted}
    found = [f"{name} has {{{place}}}, which is never filled in; {meant or remedy}" for place, meant in strange.items()]
    # A place that is only misspelt is told once.
    lacking = [place for place in wanted if place not in used and not any(f"{{{place}}}" in meant for meant in strange.values())]
    return found + [f"{name} lacks {{{place}}}; put it where its value is to stand" for place in lacking]


def _meant(name: str, known: Iterable[str], shape: str = "{}") -> str:
    """Return `did you mean away?`, or nothing if no known name comes near."""
    near = difflib.get_close_matches(name.strip()[:100], list(known), 1)
    return f"did you mean {shape.format(near[0])}?" if near else ""


def _meant_language(name: str) -> str:
    """Return the suggestion for a language that is named instead of its code, in English or nearly so."""
    names = {language.name.lower(): code for code, language in LANGUAGES.items()}
    near = difflib.get_close_matches(name[:100], names, 1)
    return f"did you mean {names[near[0]]}?" if near else ""
