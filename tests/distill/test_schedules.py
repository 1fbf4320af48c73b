"""Schedules against values worked out by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from recdistill.distill.schedules import (
    Constant,
    Cosine,
    Linear,
    Schedule,
    Step,
    Temperature,
    Weight,
    Within,
    extremes,
    times,
    value,
)

SCHEDULE = TypeAdapter(Schedule)
WEIGHT = TypeAdapter(Weight)
TEMPERATURE = TypeAdapter(Temperature)


def at(schedule, progress):
    return value(SCHEDULE.validate_python(schedule), float(progress), {})


@pytest.mark.parametrize("progress", [0.0, 0.3, 1.0])
def test_a_number_is_a_schedule(progress):
    assert at(0.7, progress) == 0.7
    assert at({"kind": "constant", "value": 0.7}, progress) == 0.7


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ({"kind": "linear", "from": 4.0, "to": 1.0}, {0: 4.0, 0.5: 2.5, 1: 1.0}),
        ({"kind": "linear", "from": 0, "to": 1, "end": 0.1}, {0: 0, 0.05: 0.5, 0.1: 1, 0.9: 1}),
        (
            {"kind": "linear", "from": 2, "to": 0, "begin": 0.5, "end": 0.75},
            {0.2: 2, 0.5: 2, 0.625: 1, 0.75: 0, 1: 0},
        ),
        (
            {"kind": "cosine", "from": 1.0, "to": 0.0},
            {0: 1, 1 / 3: 0.75, 0.5: 0.5, 2 / 3: 0.25, 1: 0},
        ),
        ({"kind": "step", "from": 1.0, "to": 0.0}, {0: 1, 0.49: 1, 0.5: 0, 1: 0}),
        (
            {"kind": "step", "from": 4, "to": 1, "at": [0.2, 0.4, 0.6]},
            {0.1: 4, 0.2: 3, 0.39: 3, 0.4: 2, 0.6: 1, 1: 1},
        ),
    ],
)
def test_values_by_hand(schedule, expected):
    for progress, wanted in expected.items():
        assert at(schedule, progress) == pytest.approx(wanted, abs=1e-12)


def test_cosine_is_the_annealing_formula():
    for progress in (0.1, 0.35, 0.8):
        wanted = 0.2 + (1.5 - 0.2) * (1 + math.cos(math.pi * progress)) / 2
        assert at({"kind": "cosine", "from": 1.5, "to": 0.2}, progress) == pytest.approx(wanted)


@settings(deadline=None, max_examples=25)
@given(
    st.sampled_from(["linear", "cosine", "step"]),
    st.floats(0, 100),
    st.floats(0, 100),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_a_ramp_is_monotone_and_within_its_extremes(kind, start, end, earlier, later):
    earlier, later = sorted((earlier, later))
    schedule = SCHEDULE.validate_python({"kind": kind, "from": start, "to": end})
    first, second = value(schedule, earlier, {}), value(schedule, later, {})
    low, high = extremes(schedule)
    assert low - 1e-9 <= first <= high + 1e-9
    assert (second - first) * (end - start) >= -1e-9


def test_extremes():
    assert extremes(3.0) == (3.0, 3.0)
    assert extremes(Constant(value_=2.0)) == (2.0, 2.0)
    assert extremes(Linear(from_=4, to=1)) == (1, 4)


def test_both_names_are_accepted_and_yaml_names_are_written():
    schedule = Cosine(from_=1.0, to=0.3)
    assert schedule == SCHEDULE.validate_python({"kind": "cosine", "from": 1.0, "to": 0.3})
    dumped = schedule.model_dump()
    assert dumped["from"] == 1.0
    assert "from_" not in dumped
    assert SCHEDULE.validate_python(dumped) == schedule
    assert SCHEDULE.validate_python(Constant(value_=2).model_dump()) == Constant(value_=2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "linear", "from": 1},
        {"kind": "linear", "from": 1, "to": 0, "begin": 0.5, "end": 0.5},
        {"kind": "cosine", "from": 1, "to": 0, "end": 1.5},
        {"kind": "step", "from": 1, "to": 0, "at": []},
        {"kind": "quadratic", "from": 1, "to": 0},
        {"kind": "linear", "from": 1, "to": math.nan},
        {"kind": "linear", "form": 1, "from": 1, "to": 0},
    ],
)
def test_malformed_schedules_are_refused(wrong):
    with pytest.raises(ValidationError):
        SCHEDULE.validate_python(wrong)


@pytest.mark.parametrize(
    "wrong", [-0.1, math.inf, math.nan, {"kind": "linear", "from": 1, "to": -1}]
)
def test_weights_below_zero_or_infinite_are_refused(wrong):
    with pytest.raises(ValidationError):
        WEIGHT.validate_python(wrong)


def test_the_refusal_tells_the_number_seen():
    with pytest.raises(ValidationError, match=r"at least 0.*reaches -1 … 1"):
        WEIGHT.validate_python({"kind": "linear", "from": 1, "to": -1})


@pytest.mark.parametrize("wrong", [0, 0.0, -2, {"kind": "cosine", "from": 4, "to": 0}])
def test_temperatures_of_zero_or_less_are_refused(wrong):
    with pytest.raises(ValidationError, match="greater than 0"):
        TEMPERATURE.validate_python(wrong)


def test_limits_above():
    rate = Within(0.0, high=1.0)
    assert rate(0.5) == 0.5
    with pytest.raises(ValueError, match="at most 1"):
        rate(Step(from_=0.5, to=1.5))


def test_zero_weight_is_allowed():
    assert WEIGHT.validate_python(0) == 0


ADAPTIVE = {"kind": "adaptive", "from": 1.0, "to": 0.2, "target": 0.5, "begin": 0.4}


@pytest.mark.parametrize(
    ("measured", "wanted"),
    [
        (None, 1.0),
        (0.0, 1.0),
        (0.2, 1.0),
        (0.35, 0.6),
        (0.4, 1.0 - 0.8 * 2 / 3),
        (0.5, 0.2),
        (0.9, 0.2),
    ],
)
def test_an_adaptive_schedule_follows_the_gap_and_not_the_time(measured, wanted):
    feedback = {} if measured is None else {"ndcg@10": measured}
    adaptive = SCHEDULE.validate_python(ADAPTIVE)
    for progress in (0.0, 0.5, 1.0):
        assert value(adaptive, progress, feedback) == pytest.approx(wanted)
    assert extremes(adaptive) == (0.2, 1.0)


def test_an_adaptive_schedule_that_aims_at_nothing_stays_where_it_is():
    adaptive = SCHEDULE.validate_python({"kind": "adaptive", "from": 3.0, "to": 1.0})
    assert value(adaptive, 0.5, {"ndcg@10": 0.3}) == 3.0


@pytest.mark.parametrize("change", [{"target": 0}, {"begin": 1}, {"metric": "mrr"}])
def test_an_adaptive_schedule_refuses(change):
    with pytest.raises(ValidationError):
        SCHEDULE.validate_python({**ADAPTIVE, **change})


@given(
    schedule=st.sampled_from(
        [
            0.7,
            {"kind": "constant", "value": 0.7},
            {"kind": "linear", "from": 4, "to": 1, "begin": 0.2, "end": 0.5},
            {"kind": "cosine", "from": 0, "to": 3},
            {"kind": "step", "from": 4, "to": 1, "at": [0.2, 0.4, 0.6]},
            {"kind": "adaptive", "from": 2, "to": 1, "target": 0.1, "begin": 0.3},
            {"kind": "adversarial", "from": 2, "low": 1, "high": 4},
        ]
    ),
    factor=st.floats(0.01, 100),
    progress=st.floats(0, 1),
    reached=st.floats(0, 0.2),
)
def test_times_a_factor_at_every_moment(schedule, factor, progress, reached):
    """Values are multiplied and moments are not; what comes of it is a schedule that could have been written."""
    written = SCHEDULE.validate_python(schedule)
    scaled, heard = times(written, factor), {"ndcg@10": reached}
    assert value(scaled, progress, heard) == pytest.approx(factor * value(written, progress, heard))
    assert extremes(scaled) == pytest.approx([factor * end for end in extremes(written)])
    plain = SCHEDULE.dump_python(scaled, mode="json", by_alias=True)
    assert SCHEDULE.validate_python(plain) == scaled
