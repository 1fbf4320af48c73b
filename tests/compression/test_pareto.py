"""Fronts and knees, by hand and by what must hold of any."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from recdistill.compression.pareto import Variant, front, knee
from recdistill.compression.settings import AnyTolerance, Tolerance

WHOLE = Variant("whole", 0.100, 4_000, 2e-3)
HALF = Variant("half", 0.099, 2_000, 1e-3)
TINY = Variant("tiny", 0.050, 1_000, 1e-3)
WORSE = Variant("worse", 0.098, 2_000, 1.5e-3)

variants = st.lists(
    st.builds(
        Variant,
        st.just("any"),
        st.integers(1, 5).map(float),
        st.integers(1, 5),
        st.integers(1, 5).map(float),
    ),
    min_size=1,
    max_size=8,
)


def test_by_hand():
    assert front([WHOLE, WORSE, HALF, TINY]) == [WHOLE, HALF, TINY]
    assert knee(front([WHOLE, WORSE, HALF, TINY])) == HALF
    assert knee([]) is None
    assert knee([WHOLE]) == WHOLE
    assert knee([WHOLE, TINY]) == TINY  # no bulge between two


@given(variants)
def test_a_front_holds_whatever_is_best_in_something_and_nothing_that_is_beaten(several):
    found = front(several)
    assert max(one.quality for one in several) == max(one.quality for one in found)
    assert min(one.bytes for one in several) == min(one.bytes for one in found)
    assert min(one.seconds for one in several) == min(one.seconds for one in found)
    for one in several:
        better = [
            other
            for other in found
            if other.quality >= one.quality
            and other.bytes <= one.bytes
            and other.seconds <= one.seconds
        ]
        assert better  # each is on the front, or beaten by somebody on it
        assert (one in found) == all(other.costs == one.costs for other in better)
    assert front(found) == found
    assert knee(found) in found


def test_a_knee_is_farthest_from_the_chord():
    """Two costs (time is the same): the distance from the line through both ends, by its formula."""
    sizes, qualities = (8_000, 4_000, 2_000, 1_000), (0.100, 0.099, 0.095, 0.070)
    several = [Variant(str(n), q, n, 1e-3) for n, q in zip(sizes, qualities, strict=True)]
    ends = [(math.log(one.bytes), one.quality) for one in (several[0], several[-1])]
    spans = [abs(ends[0][axis] - ends[1][axis]) for axis in (0, 1)]

    def distance(one: Variant) -> float:
        x, y = (
            (math.log(one.bytes) - ends[1][0]) / spans[0],
            (ends[0][1] - one.quality) / spans[1],
        )
        (x0, y0), (x1, y1) = (1.0, 0.0), (0.0, 1.0)
        return abs((y1 - y0) * x - (x1 - x0) * y + x1 * y0 - y1 * x0) / math.hypot(1, 1)

    assert front(several) == several
    assert knee(several) == max(several, key=distance) == several[2]


def test_times_that_hardly_differ_do_not_put_anything_off_the_front():
    slower = Variant("slower", HALF.quality, HALF.bytes, HALF.seconds * 1.09)
    assert front([HALF, slower]) == [HALF, slower]
    slow = Variant("slow", HALF.quality, HALF.bytes, HALF.seconds * 1.11)
    assert front([slow, HALF]) == [HALF]
    larger = Variant("larger", HALF.quality, 2 * HALF.bytes, HALF.seconds / 1.09)
    assert front([larger, HALF]) == [HALF]


def test_a_tolerance_in_short_and_what_it_allows():
    adapter = TypeAdapter(AnyTolerance)
    assert adapter.validate_python(0.01) == Tolerance(share=0.01)
    easy, strict = Tolerance(share=0.01), Tolerance(share=0.01, proof="interval")
    assert easy.allows(0.009, 0.03)
    assert not strict.allows(0.009, 0.03)
    assert strict.allows(-0.01, 0.01)
    assert not easy.allows(0.0101, 0.02)
