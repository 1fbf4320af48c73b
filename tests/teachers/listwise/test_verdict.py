from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from recdistill.teachers.listwise.certainty import certainty
from recdistill.teachers.listwise.orderings import orderings
from recdistill.teachers.listwise.verdict import Ballot, correlation, ranks, verdict


def ballot(order, shown=None, **more) -> Ballot:
    count = len(order)
    places = np.arange(count) if shown is None else np.array(shown)
    return Ballot(ranks(order, count), places, **more)


def test_those_that_were_left_out_share_what_is_left():
    assert ranks([2, 0], 5).tolist() == [2, 4, 1, 4, 4]
    assert ranks([1, 0, 2], 3).tolist() == [2, 1, 3]


def test_one_answer_counts_fully_where_one_was_asked_for_and_half_where_two_were():
    alone = verdict([ballot([1, 0, 2])], 1, 3)
    np.testing.assert_allclose(alone.judgement, -np.log([2, 1, 3]), rtol=1e-6)
    assert alone.agreement is None
    half = verdict([ballot([1, 0, 2])], 2, 3)
    np.testing.assert_allclose(half.judgement, alone.judgement / 2, rtol=1e-6)


def test_two_that_agree_in_part_count_as_far_as_they_agree():
    one, two = ballot([0, 1, 2, 3]), ballot([1, 0, 2, 3])
    found = verdict([one, two], 2, 4)
    rho = spearmanr(one.ranks, two.ranks).statistic
    assert found.agreement == pytest.approx(rho)
    np.testing.assert_allclose(found.judgement, -rho * np.log([1.5, 1.5, 3, 4]), rtol=1e-5)


def test_two_that_contradict_each_other_say_nothing():
    found = verdict([ballot([0, 1, 2]), ballot([2, 1, 0])], 2, 3)
    assert np.isnan(found.judgement).all()
    assert found.agreement == pytest.approx(-1)
    assert np.isnan(verdict([], 2, 3).judgement).all()


def test_who_ranks_as_was_shown_is_biased():
    first = ballot([0, 1, 2, 3], shown=[0, 1, 2, 3])
    last = ballot([3, 2, 1, 0], shown=[3, 2, 1, 0])
    found = verdict([first, last], 2, 4)
    assert found.bias == pytest.approx(1.0)
    assert np.isnan(found.judgement).all()


def test_certainty_is_taken_where_it_is_told():
    told = [ballot([0, 1, 2], certainty=0.9), ballot([0, 2, 1], certainty=0.5)]
    found = verdict(told, 2, 3)
    np.testing.assert_allclose(found.judgement, -0.7 * np.log([1, 2.5, 2.5]), rtol=1e-6)


@given(st.lists(st.permutations(range(6)), min_size=2, max_size=2))
def test_agreement_is_spearmans(orders):
    one, two = (ranks(order, 6) for order in orders)
    assert correlation(one, two) == pytest.approx(spearmanr(one, two).statistic, abs=1e-12)


def token(text, chance, **others):
    tops = [{"token": name, "logprob": math.log(p)} for name, p in {text: chance, **others}.items()]
    return {"token": text, "logprob": math.log(chance), "top_logprobs": tops}


def test_certainty_is_the_share_of_the_first_label_among_labels():
    tokens = [
        token('{"', 1.0),
        token("ranking", 1.0),
        token('":["', 0.9),
        token("B", 0.6, A=0.2, Z=0.1, the=0.1),
    ]
    assert certainty(tokens, ["A", "B"], "B") == pytest.approx(0.75)
    assert certainty([token('["B', 0.5), token('"', 1.0)], ["A", "B"], "B") == pytest.approx(1.0)


def _spelled(*parts: tuple[str, float]) -> list[dict]:
    """Tokens with their probabilities; where another label might have stood, it had the rest."""
    rest = {"A": "B", "B": "A"}
    return [
        {
            "token": text,
            "logprob": math.log(p),
            "top_logprobs": [
                {"token": text, "logprob": math.log(p)},
                *(
                    {"token": rest[name], "logprob": math.log(1 - p)}
                    for name in rest
                    if name in text and p < 1
                ),
            ],
        }
        for text, p in parts
    ]


@pytest.mark.parametrize(
    "before",
    [
        [("<think>", 1.0), ("A", 0.99), (" first", 1.0), ("</think>", 1.0)],
        [
            ("Is", 1.0),
            (" A", 0.99),
            (" it", 1.0),
            ("</th", 1.0),
            ("ink>\n", 1.0),
        ],  # opened in the prompt
        [("A", 0.99), (" looks", 1.0), (" good", 1.0), (".", 1.0)],
        [('{"', 1.0), ("note", 1.0), ('":"', 1.0), ("A", 0.99), ('"}', 1.0)],
        [('{"ranking":', 1.0), ('["B"]}', 0.99), ("no", 1.0)],
    ],
)
@pytest.mark.parametrize(
    "said",
    [
        [('{"', 1.0), ("ranking", 1.0), ('":', 1.0), (' ["', 1.0), ("A", 0.31), ('","B"]}', 1.0)],
        [('{"ranking', 1.0), ('":["A', 0.31), ('","', 1.0), ("B", 1.0), ('"]}', 1.0)],
    ],
)
def test_certainty_is_that_of_the_ranking_and_not_of_a_thought(before, said):
    assert certainty(_spelled(*before, *said), ["A", "B"], "A") == pytest.approx(0.31)


def test_an_order_in_plain_words_is_read_behind_the_thought():
    tokens = _spelled(("<think>", 1.0), ("A", 0.99), ("</think>", 1.0), ("A", 0.31), (" > B", 1.0))
    assert certainty(tokens, ["A", "B"], "A") == pytest.approx(0.31)
    assert certainty(tokens[:2], ["A", "B"], "A") is None, "a thought without an end is no answer"


@pytest.mark.parametrize(
    "tokens",
    [
        None,
        [],
        "B",
        [7],
        [{"token": "B"}],
        [{"token": "B", "logprob": "x"}],
        [{"token": 3, "logprob": 0}],
        [token("C", 0.5)],
    ],
)
def test_without_probabilities_there_is_no_certainty(tokens):
    assert certainty(tokens, ["A", "B"], "B") is None


def test_huge_probabilities_are_clamped():
    assert certainty([{"token": "B", "logprob": 1e300}], ["B"], "B") == 1.0
    assert certainty([{"token": "B", "logprob": -1e300}], ["B"], "B") == 0.0


def test_each_second_order_is_the_one_before_backwards():
    history, candidates = np.array([3, 1], dtype=np.int32), np.array([9, 2, 7, 5, 4, 8])
    found = orderings(history, candidates, 5)
    assert (np.sort(found, axis=1) == np.sort(candidates)).all()
    np.testing.assert_array_equal(found[1], found[0][::-1])
    np.testing.assert_array_equal(found[3], found[2][::-1])
    assert (found[0] != found[2]).any()


def test_the_order_depends_on_what_is_asked_and_not_on_the_bases():
    history, candidates = np.array([3, 1], dtype=np.int32), np.arange(12)
    found = orderings(history, candidates, 1)
    np.testing.assert_array_equal(found, orderings(history, candidates[::-1].copy(), 1))
    assert (found != orderings(np.array([1, 3], dtype=np.int32), candidates, 1)).any()


def test_no_place_is_preferred():
    first = [orderings(np.array([n], dtype=np.int32), np.arange(5), 1)[0, 0] for n in range(1000)]
    counts = np.bincount(first, minlength=5)
    assert (abs(counts - 200) < 5 * np.sqrt(160)).all()


def test_a_reason_is_that_of_an_answer_that_put_first_what_is_first():
    one = ballot([0, 1, 2, 3], rationale="zero first")
    two = ballot([1, 0, 2, 3], rationale="one first")
    three = ballot([1, 2, 0, 3], rationale="one first again")
    found = verdict([one, two, three], 3, 4)
    assert (found.best, found.reason, found.rationale) == (1, "one first", "zero first")
    told = verdict([one, ballot([1, 0, 2, 3]), ballot([1, 2, 0, 3])], 3, 4)
    assert (told.best, told.reason, told.rationale) == (1, None, "zero first")
    contradicting = verdict([one, ballot([3, 2, 1, 0], rationale="x")], 2, 4)
    assert (contradicting.best, contradicting.reason) == (None, None)
    assert verdict([], 2, 4).best is None
