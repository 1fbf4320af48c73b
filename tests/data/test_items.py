"""Templates: what is there is said, what is missing leaves no trace."""

from __future__ import annotations

import polars as pl
import pytest

from recdistill.data.items import Items, default_template
from recdistill.errors import DataError

FILMS = pl.DataFrame(
    {
        "item_id": [1, 2, 3, 4],
        "title": ["Heat", None, "Alien", " "],
        "year": [1995, 1979, None, None],
        "genres": ["Crime", "Horror", "Horror, Sci-Fi", ""],
    }
)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{title}", ["Heat", "", "Alien", ""]),
        (
            "{title} ({year}). {genres}",
            ["Heat (1995). Crime", "(1979). Horror", "Alien. Horror, Sci-Fi", ""],
        ),
        (
            "Title: {title}. Genres: {genres}.",
            [
                "Title: Heat. Genres: Crime.",
                "Genres: Horror.",
                "Title: Alien. Genres: Horror, Sci-Fi.",
                "",
            ],
        ),
        ("{genres} - {title}!", ["Crime - Heat!", "Horror", "Horror, Sci-Fi - Alien!", ""]),
    ],
)
def test_missing_values_leave_no_trace(template: str, expected: list[str]) -> None:
    assert Items(FILMS, template).texts() == expected


def test_items_without_text_are_reported() -> None:
    items = Items(FILMS, "{title}")
    assert items.without_text().tolist() == [1, 3]
    assert items.without_text("{genres}").tolist() == [3]
    assert len(items) == 4


def test_an_unknown_field_is_refused_with_the_nearest() -> None:
    with pytest.raises(DataError, match="'titel'") as caught:
        Items(FILMS, "{titel}").texts()
    assert "Did you mean 'title'?" in caught.value.hint


@pytest.mark.parametrize(
    ("template", "message"), [("", "no text"), ("plain", "no field"), ("{title", "malformed")]
)
def test_templates_without_fields_are_refused(template: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Items(FILMS, template).texts()


def test_the_hash_knows_the_template_and_the_texts() -> None:
    items = Items(FILMS, "{title}")
    other = Items(FILMS.with_columns(title=pl.lit("Heat")), "{title}")
    hashes = {items.text_hash(), items.text_hash("{genres}"), other.text_hash()}
    assert len(hashes) == 3
    assert items.text_hash() == items.text_hash("{title}")


def test_the_default_template_names_what_usually_carries_text() -> None:
    assert default_template(["item_id", "genres", "title"]) == "{title}. {genres}"
    assert default_template(["item_id", "price"]) == ""
    assert Items(FILMS, "{title}").fields == ["item_id", "title", "year", "genres"]
