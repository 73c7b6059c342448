"""Telephone numbers as people write them, and the equivalent spellings of one number.

Providers name a number by its bare digits, country code first. In some countries a number has several such forms, and WhatsApp
knows people by the one that they registered with: the others are the same person.
"""

from __future__ import annotations

import re
import unicodedata

MIN_DIGITS, MAX_DIGITS = 7, 15
"""Digits of a whole number with its country code, as the ITU allows them; shorter ones exist only within a country."""

_SCHEME = re.compile(r"(?:tel|whatsapp|sms):(?://)?", re.IGNORECASE)
_MARKS = frozenset("-./()[]\u00b7\u2022")
_ITALY = "39"
"""Where the zero before an area code is part of the number, also from abroad."""


def read_number(written: str) -> str | None:
    """Return the bare digits of a number in any notation; None for anything else, an id for instance.

    `+55 (11) 91234-5678`, `0055 11 91234.5678` and `5511912345678` are the same. A number without its country code keeps its
    leading zero: `find_number_fault` says what is wrong with it.
    """
    text = unicodedata.normalize("NFKC", written)
    text = "".join(char for char in text if unicodedata.category(char) != "Cf").strip()
    text = text[found.end() :].strip() if (found := _SCHEME.match(text)) else text
    abroad = text.startswith(("+", "00"))
    text = text.removeprefix("+").lstrip()
    # `(0)` is dialled within the country only.
    parts = re.split(r"\(\s*0\s*\)", text, maxsplit=1)
    if abroad and len(parts) == 2 and (before := _digits(parts[0])) is not None:
        text = parts[0] + ("0" if before.removeprefix("00") == _ITALY else "") + parts[1]
    digits = _digits(text)
    return (digits.removeprefix("00") or None) if digits else None


def find_number_fault(written: str) -> str | None:
    """Return what is wrong with a number, and what to do; None for a valid one and for text that is no number."""
    digits, text = read_number(written), written.strip()
    if digits is None:
        return "is no telephone number; write it as +49 170 1234567" if text.startswith("+") else None
    if digits.startswith("0"):
        return "begins with 0 and so lacks the country code; write it as +49 170 1234567"
    if text != digits and not MIN_DIGITS <= len(digits) <= MAX_DIGITS:  # digits alone may be an id
        return f"has {len(digits)} digits, and a number with its country code has {MIN_DIGITS} to {MAX_DIGITS}; write it as +49 170 1234567"
    return None


def number_spellings(digits: str) -> tuple[str, ...]:
    """Return the forms that a number may have at a provider, `digits` itself first."""
    found = [digits]
    for country, variants in _COUNTRIES.items():
        if digits.startswith(country):
            found += [country + local for local in variants(digits.removeprefix(country))]
    return tuple(dict.fromkeys(found))


def _digits(text: str) -> str | None:
    """Return the digits of a text that contains only digits and separators; None for any other text."""
    kept: list[str] = []
    for char in text:
        if char.isdecimal():
            kept.append(str(unicodedata.decimal(char)))
        elif not (char.isspace() or char in _MARKS or unicodedata.category(char) == "Pd"):
            return None
    return "".join(kept)


def _brazil(local: str) -> list[str]:
    """Return the other form: two digits of the area and eight or, since 2016 for mobile numbers, nine of the line."""
    if len(local) == 11 and local[2] == "9":
        return [local[:2] + local[3:]]
    return [f"{local[:2]}9{local[2:]}"] if len(local) == 10 else []


def _mexico(local: str) -> list[str]:
    """Return the other form: ten digits, and before 2019 a 1 in front of mobile numbers called from abroad."""
    if len(local) == 11 and local[0] == "1":
        return [local[1:]]
    return [f"1{local}"] if len(local) == 10 else []


def _argentina(local: str) -> list[str]:
    """Return the other forms: ten digits; mobile numbers have a 9 in front from abroad, and a 15 after the area within the
    country.
    """
    if len(local) == 11 and local[0] == "9":
        return [local[1:]]
    if len(local) == 10:
        return [f"9{local}"]
    within = [local[:area] + local[area + 2 :] for area in (2, 3, 4) if len(local) == 12 and local[area : area + 2] == "15"]
    return [form for each in within for form in (f"9{each}", each)]


def _ivory_coast(local: str) -> list[str]:
    """Return the other forms: eight digits, since 2021 with two of the operator in front."""
    operators = ("01", "05", "07", "21", "25", "27")
    if len(local) == 10 and local.startswith(operators):
        return [local[2:]]
    return [operator + local for operator in operators] if len(local) == 8 else []


def _benin(local: str) -> list[str]:
    """Return the other form: eight digits, since 2024 with 01 in front."""
    if len(local) == 10 and local.startswith("01"):
        return [local[2:]]
    return [f"01{local}"] if len(local) == 8 else []


_COUNTRIES = {"55": _brazil, "52": _mexico, "54": _argentina, "225": _ivory_coast, "229": _benin}
"""Countries in which the same number has several forms, by their code."""
