from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recdistill.evaluation.report import wording

numbers = st.floats(min_value=1e-5, max_value=1e9) | st.floats(min_value=-1e9, max_value=-1e-5)


def parsed(text: str) -> float:
    return float(text.replace(wording.THIN, "").replace(wording.MINUS, "-").strip("%+"))


@given(numbers)
def test_significant_digits_are_those_of_the_exponent_form(value: float) -> None:
    expected = float(f"{value:.2e}")
    read = parsed(wording.significant(value))
    if abs(value) >= 100:  # whole numbers keep all their digits
        assert read == round(value)
    else:
        assert read == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.05514, "0.0551"),
        (0.1, "0.100"),
        (9.999, "10.0"),
        (1234.5, "1\u202f234"),
        (-0.5, "−0.500"),
        (0, "0"),
        (math.nan, "–"),
        (math.inf, "–"),
    ],
)
def test_significant(value: float, text: str) -> None:
    assert wording.significant(value) == text


@given(st.floats(min_value=-50, max_value=50))
def test_a_percentage_is_near_its_share(share: float) -> None:
    read = parsed(wording.percent(share, signed=True))
    assert read == pytest.approx(100 * share, abs=0.5 if abs(share) >= 0.0995 else 0.05001)


@pytest.mark.parametrize(
    ("share", "plain", "with_sign"),
    [
        (0.1234, "12\u202f%", "+12\u202f%"),
        (-0.012, "−1.2\u202f%", "−1.2\u202f%"),
        (0.04, "4\u202f%", "+4\u202f%"),
        (0.0, "0\u202f%", "0\u202f%"),
        (-0.0001, "0\u202f%", "0\u202f%"),
        (0.0999, "10\u202f%", "+10\u202f%"),
        (1.0, "100\u202f%", "+100\u202f%"),
        (12.5, "1\u202f250\u202f%", "+1\u202f250\u202f%"),
    ],
)
def test_percent(share: float, plain: str, with_sign: str) -> None:
    assert wording.percent(share) == plain
    assert wording.percent(share, signed=True) == with_sign


def test_a_percentage_of_nothing_known() -> None:
    assert wording.percent(math.nan) == "–"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.00061, "610\u202fµs"),
        (0.0113, "11.3\u202fms"),
        (4.1, "4.1\u202fs"),
        (171.4, "2.9\u202fmin"),
        (7200, "2.0\u202fh"),
        (172800, "2.0\u202fd"),
        (2.5e-8, "25.0\u202fns"),
        (0, "0\u202fs"),
        (math.inf, "–"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert wording.duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12, "12\u202fB"),
        (856e3, "856\u202fkB"),
        (95.6e6, "95.6\u202fMB"),
        (2e9, "2.00\u202fGB"),
        (3.1e12, "3.10\u202fTB"),
    ],
)
def test_size(value: float, text: str) -> None:
    assert wording.size(value) == text


def test_scaled_without_a_unit() -> None:
    assert wording.scaled(214e3) == "214\u202fk"
    assert wording.scaled(7) == "7"
    assert wording.scaled(7.25) == "7.25"


@pytest.mark.parametrize(
    ("student", "teacher", "text"),
    [
        (1, 9, "1/9 of"),
        (10, 15, "67\u202f% of"),
        (10, 10, "the same as"),
        (21, 10, "2.1 times"),
        (0, 10, "–"),
    ],
)
def test_fraction(student: float, teacher: float, text: str) -> None:
    assert wording.fraction(student, teacher) == text


def test_plural_and_signed() -> None:
    assert wording.plural(1, "user") == "1 user"
    assert wording.plural(1500, "user") == "1\u202f500 users"
    assert wording.plural(2, "query", "queries") == "2 queries"
    assert wording.signed(0.0123) == "+0.012"
    assert wording.signed(-0.0123) == "−0.012"
