"""Fronts and knees, by hand and by what must hold of any."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from recdistill.compression.pareto import Variant, beyond, front, knee

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
    lost = beyond([WHOLE, HALF, WORSE], WHOLE, 0.015)
    assert [(one.name, round(share, 9)) for one, share in lost] == [("worse", 0.02)]


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
