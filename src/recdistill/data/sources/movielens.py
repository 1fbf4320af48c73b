"""The three MovieLens formats, as GroupLens publishes them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import polars as pl

from recdistill.data.columns import ITEM, RATING, TIME, USER
from recdistill.data.sources.log import Log
from recdistill.data.sources.plain_text import (
    parse_table,
    read_separated,
    require_file,
    require_utf8,
)

TEMPLATE: Final = "{title}. {genres}"
_EVENT_COLUMNS: Final = [USER, ITEM, RATING, TIME]
_GENRES_100K: Final = re.findall(
    r"\S+",
    "unknown Action Adventure Animation Children's Comedy Crime Documentary Drama Fantasy "
    "Film-Noir Horror Musical Mystery Romance Sci-Fi Thriller War Western",
)


def read_100k(folder: Path) -> Log:
    """`u.data` and `u.item` (Latin-1, genres as nineteen flags)."""
    ratings, films = folder / "u.data", folder / "u.item"
    events = read_separated(ratings, "\t", _EVENT_COLUMNS)
    columns = [ITEM, "title", "released", "video", "url", *_GENRES_100K]
    items = read_separated(films, "|", columns, encoding="latin-1")
    flags = [pl.when(pl.col(genre) == "1").then(pl.lit(genre)) for genre in _GENRES_100K]
    genres = pl.concat_list(flags).list.drop_nulls().list.join(", ")
    items = items.select(ITEM, "title", "released", genres.alias("genres"))
    return _log("movielens-100k", events, items, ratings, films)


def read_1m(folder: Path) -> Log:
    """`ratings.dat` and `movies.dat` (Latin-1, `::` between fields)."""
    ratings, films = folder / "ratings.dat", folder / "movies.dat"
    events = read_separated(ratings, "::", _EVENT_COLUMNS)
    return _log("movielens-1m", events, films_1m(folder), ratings, films)


def films_1m(folder: Path) -> pl.DataFrame:
    """The films of MovieLens 1M."""
    films = read_separated(
        folder / "movies.dat", "::", [ITEM, "title", "genres"], encoding="latin-1"
    )
    return films.with_columns(_listed("genres"))


def read_latest_small(folder: Path) -> Log:
    """`ratings.csv` and `movies.csv` with headers."""
    ratings, films = folder / "ratings.csv", folder / "movies.csv"
    names = {"userId": USER, "movieId": ITEM}
    events, items = (_headed(path).rename(names, strict=False) for path in (ratings, films))
    items = items.with_columns(_listed("genres"))
    return _log("movielens-latest-small", events, items, ratings, films)


def _headed(path: Path) -> pl.DataFrame:
    require_file(path)
    require_utf8(path)
    return parse_table(path.read_bytes(), path, separator=",")


def _listed(column: str) -> pl.Expr:
    genres = pl.col(column).str.replace_all("|", ", ", literal=True)
    return pl.when(genres != "(no genres listed)").then(genres).alias(column)


def _log(name: str, events: pl.DataFrame, items: pl.DataFrame, *files: Path) -> Log:
    return Log(name, events.lazy(), items.lazy(), files, TEMPLATE)
