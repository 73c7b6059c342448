"""Numbers as people write them, and the spellings of the same number."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sara.domain.phone_numbers import find_number_fault, number_spellings, read_number
from tests.fakes import steady


def test_a_number_is_read_however_it_is_written() -> None:
    rows = {
        "+55 (11) 91234-5678": "5511912345678",
        "+55 11 91234-5678": "5511912345678",
        "0055 11 91234.5678": "5511912345678",
        "5511912345678": "5511912345678",
        "+5511912345678": "5511912345678",
        "tel:+55-11-91234-5678": "5511912345678",
        "whatsapp:+5511912345678": "5511912345678",
        "+55 11 91234‑5678": "5511912345678",
        "+55 11 91234–5678": "5511912345678",
        "＋５５　１１　９１２３４－５６７８": "5511912345678",
        "\u202a+55 11 91234-5678\u202c": "5511912345678",
        "+52 1 55 1234 5678": "5215512345678",
        "+54 9 11 1234-5678": "5491112345678",
        "+49 (0) 170 / 1234567": "491701234567",
        "+49(0)1701234567": "491701234567",
        "0049 (0)170 1234567": "491701234567",
        "+44 (0)20 7946 0958": "442079460958",
        "+39 (0)6 1234 5678": "390612345678",
        "+39 06 1234 5678": "390612345678",
        "+1 (555) 000-1111": "15550001111",
        "1.555.000.1111": "15550001111",
        "٠٠٩٦٦ ٥٠ ١٢٣ ٤٥٦٧": "966501234567",
        "+९१ ९८७६५ ४३२१०": "919876543210",
        "+91 98765 43210": "919876543210",
        "+62 812-3456-7890": "6281234567890",
        "+33 6 12 34 56 78": "33612345678",
        "0170 1234567": "01701234567",
        "(011) 91234-5678": "01191234567" + "8",
        "US.13491208655302741918": None,
        "rita": None,
        "1x2": None,
        "+": None,
        "": None,
        "00": None,
        "++49170": None,
        "+49 call Rita 170": None,
        "+49 170 1234567 ext. 3": None,
        "p3": None,
    }
    for written, digits in rows.items():
        assert read_number(written) == digits, written


def test_what_is_wrong_with_a_number_is_said_and_an_id_is_left_alone() -> None:
    for written in (
        "+55 11 91234-5678",
        "5511912345678",
        "00 49 170 1234567",
        "US.1349",
        "rita",
        "@rita",
        "3f2a-77",
        "12345",
        "+39 06 1234 5678",
    ):
        assert find_number_fault(written) is None, written
    rows = {
        "0170 1234567": "lacks the country code",
        "(011) 91234-5678": "lacks the country code",
        "0": "lacks the country code",
        "+49": "has 2 digits",
        "+12345": "has 5 digits",
        "+49 170 1234567 1234567": "has 19 digits",
        "+49 call Rita": "is no telephone number",
        "++49 170 1234567": "is no telephone number",
    }
    for written, said in rows.items():
        assert said in (find_number_fault(written) or ""), written
        assert "write it as +" in (find_number_fault(written) or ""), written


def test_the_spellings_of_a_number_in_each_country_that_has_several() -> None:
    same = [
        ("5511912345678", "551112345678"),
        ("5531987654321", "553187654321"),
        ("5215512345678", "525512345678"),
        ("5491112345678", "541112345678"),
        ("5492231234567", "542231234567"),
        ("2250712345678", "22512345678"),
        ("2290197123456", "22997123456"),
    ]
    for one, other in same:
        assert other in number_spellings(one), one
        assert one in number_spellings(other), other
        assert number_spellings(one)[0] == one
    assert "5491112345678" in number_spellings("54111512345678"), "15 behind the area, as people dial within Argentina"
    assert "5492231234567" in number_spellings("54223151234567")
    for alone in (
        "15550001111",
        "491701234567",
        "551234",
        "52",
        "549",
        "447700900123",
        "919876543210",
        "55119123456789",
        "5255123456789",
    ):
        assert number_spellings(alone) == (alone,), alone


@steady
@given(st.text(max_size=40))
def test_whatever_is_written_is_read_without_an_error_and_digits_stay_digits(written: str) -> None:
    digits = read_number(written)
    assert digits is None or (digits.isascii() and digits.isdecimal())
    assert digits is None or read_number(f"+{digits}") == digits or digits.startswith("00")
    assert find_number_fault(written) is None or digits is None or "write it as" in (find_number_fault(written) or "")


@steady
@given(st.sampled_from(["55", "52", "54", "225", "229", "1", "49"]), st.text("0123456789", min_size=6, max_size=12))
def test_every_spelling_leads_back_to_the_number(country: str, local: str) -> None:
    for spelling in number_spellings(country + local):
        assert spelling.startswith(country)
        if len(country + local) != 14:  # a number with a 15 in it is dialled so, and no provider's form
            assert country + local in number_spellings(spelling)
