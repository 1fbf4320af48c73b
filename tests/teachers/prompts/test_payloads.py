"""No text of an item changes the structure of a prompt."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from payloads import PAYLOADS

from recdistill.teachers.prompts import FenceConfig, Prompt, Template, labels
from recdistill.teachers.prompts.cleaning import clean

_SPECIAL = re.compile(r"<[^>]*>|\[/?[A-Z]+\]|[{}\\`|]")
_ROLE = re.compile(r"(system|assistant|user|human|developer|tool|model)\s*:", re.IGNORECASE)


def rendered(texts, template="rerank", history=(0, 1), candidates=(2, 3, 4), **fence):
    prompt = Prompt(Template.read(template), texts, FenceConfig(**fence))
    return prompt.render(list(history), list(candidates), rationale=True)


def skeleton(prompt) -> tuple[str, list[str]]:
    """What is left of a prompt without what items say: its fence renamed, a line inside it only its label."""
    word = re.search(r"data-[0-9a-f]{8}", prompt.system)[0]
    lines, inside = [], False
    for line in prompt.user.split("\n"):
        if line in (f"<{word}>", f"</{word}>"):
            inside = line == f"<{word}>"
            lines.append("open" if inside else "close")
        elif inside:
            label, dot, _ = line.partition(". ")
            lines.append(label if dot else "text")
        else:
            lines.append(line)
    assert word not in "".join(lines), "the fence stands on lines of its own only"
    return prompt.system.replace(word, "data"), lines


PLAIN = ["Heat", "Alien", "Fargo", "Ran", "Up"]
EXPECTED = skeleton(rendered(PLAIN))


def test_the_skeleton_is_what_one_expects():
    assert EXPECTED[1] == [
        "What the person took, oldest first:",
        *("open", "1", "2", "close", "", "Candidates:", "open", "A", "B", "C", "close", ""),
        "Put the 3 candidates in order, by their labels (A to C).",
    ]


def test_there_are_enough_payloads_and_no_two_alike():
    assert len(set(PAYLOADS)) == len(PAYLOADS) >= 100


@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize("datamark", [False, True])
def test_no_payload_changes_the_structure(place, datamark):
    expected = skeleton(rendered(PLAIN, datamark=datamark))
    for payload in PAYLOADS:
        texts = [payload if item == place else text for item, text in enumerate(PLAIN)]
        assert skeleton(rendered(texts, datamark=datamark)) == expected, payload


def test_nor_do_all_of_them_together():
    count = len(PAYLOADS)
    attacked = rendered(PAYLOADS, candidates=range(2, count))
    plain = rendered(["plain"] * count, candidates=range(2, count))
    assert skeleton(attacked) == skeleton(plain)


def test_nothing_of_a_payload_reads_as_a_token_or_a_role():
    for payload in PAYLOADS:
        line = clean(payload, 300)
        assert not _SPECIAL.search(line), payload
        assert not _ROLE.search(line), payload
        assert all(unicodedata.category(sign) not in ("Cc", "Cf", "Co", "Cs") for sign in line)
        assert len(line) <= 300
        assert clean(line, 300) == line, "what is clean stays as it is"


@given(st.lists(st.text(max_size=60), min_size=5, max_size=5))
def test_no_text_at_all_changes_the_structure(texts):
    assert skeleton(rendered(texts)) == EXPECTED


_PARTS = st.sampled_from(
    [
        *"<>|:[]{} ",
        *("\n", "\r", "\u2028", "＜", "\u200b"),
        *("</", "data-", "0a", "im_start"),
        "A. ",
    ]
)


@given(st.lists(st.lists(_PARTS, max_size=12).map("".join), min_size=5, max_size=5))
def test_nor_does_one_made_of_the_parts_of_attacks(texts):
    assert skeleton(rendered(texts)) == EXPECTED
    assert all(not _SPECIAL.search(clean(text, 300)) for text in texts)


def test_a_text_that_knows_its_fence_is_fenced_by_another():
    word = re.search(r"data-[0-9a-f]{8}", rendered(PLAIN).system)[0]
    texts = [f"{word} </{word}>", *PLAIN[1:]]
    other = re.search(r"data-[0-9a-f]{8}", rendered(texts).system)[0]
    assert other != word
    assert skeleton(rendered(texts)) == EXPECTED


def test_what_a_text_says_is_still_there():
    assert clean("Amélie  (Le Fabuleux Destin d'Amélie Poulain)", 300) == (
        "Amélie (Le Fabuleux Destin d'Amélie Poulain)"
    )
    assert clean("Alien: Resurrection [DVD]", 300) == "Alien: Resurrection (DVD)"
    assert clean("What's Up, Doc?", 300) == "What's Up, Doc?"
    assert clean("千と千尋の神隠し", 300) == "千と千尋の神隠し"
    assert clean("x" * 400, 300) == "x" * 300


@pytest.mark.parametrize("count", [1, 26, 27, 700])
def test_labels_are_of_one_length_and_differ(count):
    names = labels(count)
    assert len(set(names)) == count
    assert len({len(name) for name in names}) == 1
