"""Texts joined to users and items."""

from __future__ import annotations

import pytest

from recdistill.data.hearsay.settings import TextsAboutItems, TextsAboutUsers
from recdistill.data.hearsay.texts import join_item_texts, join_user_texts
from recdistill.errors import DataError
from tests.support.films import PEOPLE, dense


def test_texts_about_users(films, write):
    said = [
        {"user_id": 2, "words": ["space", "dread"]},
        {"user_id": 1, "words": "Likes the surreal."},
        {"user_id": 3, "words": "I'm sorry, but as an AI language model, I have no opinions."},
        {"user_id": 7, "words": "Nobody knows."},
        {"user_id": 4, "words": ""},
    ]
    file = TextsAboutUsers(path=write("said.jsonl", said), text="words")
    found = join_user_texts(file, films)
    assert found.texts == ["space, dread", "Likes the surreal."]
    assert films.users.decode(found.users).to_list() == [2, 1]
    assert found.histories[0].tolist() == dense(*PEOPLE[2][:4])
    counts = found.report.counts
    assert (counts["refusals"], counts["empty_texts"], counts["about_unknown_users"]) == (1, 1, 1)
    assert found.report.examples["refusals"][0].startswith("I'm sorry, but as an AI")
    with pytest.raises(DataError, match="joined to 'films'"):
        join_user_texts(TextsAboutUsers(path=file.path, user_id="words", text="words"), films)


def test_texts_about_items_by_id_or_by_title(films, write):
    by_id = write("said.json", {"100": "A hacker wakes up.", "115": " ", "116": "Gold.", "9": "?"})
    found = join_item_texts(TextsAboutItems(path=by_id, item_id="@key", text="@value"), films)
    assert {at + 100: text for at, text in enumerate(found.texts) if text} == {
        100: "A hacker wakes up.",
        116: "Gold.",
    }
    counts = found.report.counts
    assert (counts["joined"], counts["items_without_text"], counts["empty_texts"]) == (2, 16, 1)
    by_title = write(
        "said.csv", "film,plot\nThe Matrix,A hacker.\nThe Matrix (1999),Twice.\nEmma,No.\n"
    )
    found = join_item_texts(TextsAboutItems(path=by_title, item_id="film", text="plot"), films)
    assert found.texts[0] == "A hacker."
    assert found.report.counts["repeated"] == 1
    assert found.report.names.ways == {"normalised": 2, "unknown": 1}
