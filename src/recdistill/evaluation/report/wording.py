"""Numbers as people read them: significant digits, real minus signs, units kept to their number."""

from __future__ import annotations

import math

THIN = "\u202f"  # narrow no-break space: between a number and its unit
MINUS = "\u2212"
NONE = "–"

Real = float | int
"""Whole numbers too: checkers that take types at their word do not count them as floats."""

_DECIMAL = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_DURATIONS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))


def significant(value: Real, digits: int = 3) -> str:
    """`value` with `digits` significant digits, thousands grouped, never in exponent form.

    >>> significant(0.05514), significant(1234.5), significant(-0.5)
    ('0.0551', '1\u202f234', '−0.500')
    """
    if not math.isfinite(value):
        return NONE
    if value == 0:
        return "0"
    decimals = max(digits - 1 - _exponent(value, digits), 0)
    text = f"{abs(value):,.{min(decimals, 9)}f}".replace(",", THIN)
    return f"{MINUS}{text}" if value < 0 else text


def _exponent(value: Real, digits: int) -> int:
    # Through the formatted number, so that 9.999 counts as 10.0 once it is rounded.
    return int(f"{abs(value):.{digits - 1}e}".split("e")[1])


def count(value: Real) -> str:
    """A whole number with grouped thousands."""
    return f"{value:,.0f}".replace(",", THIN).replace("-", MINUS)


def percent(share: Real, signed: bool = False) -> str:
    """A share (0.123) as a percentage; with a decimal below ten per cent only.

    >>> percent(0.1234), percent(-0.012, signed=True)
    ('12\u202f%', '−1.2\u202f%')
    """
    if not math.isfinite(share):
        return NONE
    value = 100 * share
    text = f"{abs(value):,.{0 if round(abs(value), 1) >= 10 else 1}f}".replace(",", THIN)
    text = text.removesuffix(".0") or "0"
    return f"{_sign(value, text, signed)}{text}{THIN}%"


def signed(value: Real, digits: int = 2) -> str:
    """A difference, with its sign."""
    text = significant(value, digits)
    return f"+{text}" if value > 0 else text


def _sign(value: Real, text: str, plus: bool) -> str:
    if not text.strip("0."):
        return ""
    return MINUS if value < 0 else "+" if plus else ""


def size(number_of_bytes: Real) -> str:
    """Bytes in decimal units."""
    return scaled(number_of_bytes, "B")


def scaled(value: Real, unit: str = "") -> str:
    """A large number with a decimal prefix: `scaled(8.4e6, "FLOP")` is 8.40 MFLOP."""
    for factor, prefix in _DECIMAL:
        if abs(value) >= factor:
            return f"{significant(value / factor)}{THIN}{prefix}{unit}"
    return f"{significant(value) if value % 1 else count(value)}{THIN}{unit}".rstrip(THIN)


def duration(seconds: Real) -> str:
    """A duration in the largest unit that leaves at least one."""
    if not math.isfinite(seconds):
        return NONE
    for factor, unit in _DURATIONS:
        if seconds >= factor:
            return f"{significant(seconds / factor, 2 if factor >= 1 else 3)}{THIN}{unit}"
    return f"0{THIN}s" if seconds == 0 else f"{significant(seconds * 1e9)}{THIN}ns"


def plural(number: Real, one: str, many: str | None = None) -> str:
    """`1 user`, `2 users`."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


SAME = "the same as"
"""What `fraction` says of two sizes that hardly differ."""


def fraction(part: Real, whole: Real) -> str:
    """A size beside another in words: `1/9 of`, `2.1 times`, `the same as`."""
    if part <= 0 or whole <= 0:
        return NONE
    ratio = whole / part
    if ratio >= 1.95:
        return f"1/{count(ratio)} of"
    if ratio > 1.05:
        return f"{percent(part / whole)} of"
    return SAME if ratio > 0.95 else f"{significant(part / whole, 2)} times"
