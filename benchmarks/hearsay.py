"""What language models said elsewhere: how much of it joins, and what of it could not have been known.

    RECDISTILL_DATA=… python benchmarks/hearsay.py

Reads `goodreads-llm` and `llm-outputs` under `$RECDISTILL_DATA`: outputs of GPT-3.5, Qwen, Gemma and Llamas, as their
makers left them. Leave-one-out throughout: it is what they were made for. Minutes on a processor, nothing is trained.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from common import Claim, finish

from recdistill.data.dataset import Dataset
from recdistill.data.hearsay.evidence import Finding, ItemWords
from recdistill.data.hearsay.leaks import Guard
from recdistill.data.hearsay.lists import join_lists
from recdistill.data.hearsay.settings import ListsFile, TextsAboutItems, TextsAboutUsers
from recdistill.data.hearsay.texts import join_item_texts, join_user_texts
from recdistill.data.holdout import open_test
from recdistill.data.preparation import load_dataset
from recdistill.errors import DataError

DATA = Path(os.environ["RECDISTILL_DATA"])
FILMS, BOOKS = "llm-outputs/ml-100k", "goodreads-llm"
MODELS = (
    "gemma-2-9b",
    "llama-3-1-8b",
    "llama-3-2-1b",
    "llama-3-2-3b",
    "llama-3-8b_len24",
    "qwen-2-5-7b",
)
NAMED, SHOWN = 10, 19
"""Who orders 19 candidates blindly and names ten names the right one in 10 of 19 cases."""
Row = Mapping[str, Any]
Found = Iterator[Row | Claim]


def said(path: str, **fields: Any) -> ListsFile:
    """A file of lists, from plain data."""
    return ListsFile.model_validate({"path": path, **fields})


def prompted(field: str, what: str) -> dict[str, str]:
    """Items that a prompt lists in a line behind `what`."""
    return {"field": field, "pattern": rf"{what}\): (.*)\.$", "separator": ", "}


def row(file: str, counts: Mapping[str, int], findings: Sequence[Finding] = (), **more: Any) -> Row:
    """One file."""
    return {
        "file": file,
        "records": counts["records"],
        "joined": counts["joined"],
        **more,
        **{f"{one.what} naming the test": f"{one.named}/{one.checked}" for one in findings},
        "leak": any(one.leaks for one in findings),
    }


def rerankings(films: Dataset, guard: Guard) -> Found:
    """Six models, 19 candidates each, for the same users."""
    rates: list[float] = []
    for model in MODELS:
        file = said(
            f"{FILMS}/rerank/{model}.json",
            user_id="@key",
            shift=1,
            items="predictions_3",
            candidates="candidate_set",
            history=prompted("input_1", "NEWEST"),
        )
        lists = join_lists(file, films)
        _, findings = guard.lists(lists, "allow")
        named, shown = findings
        rates.append(named.named / shown.named)
        names, outside = lists.report.names, lists.report.counts["items_outside_the_candidates"]
        yield row(
            model, lists.report.counts, findings, found=names.found / names.total, invented=outside
        )
        yield Claim(
            f"{model}: share of candidate sets with the test item", shown.named / shown.checked, 0.5
        )
    yield Claim(
        "best of six over chance, hits among ten of 19",
        max(rates) / (NAMED / SHOWN),
        1.25,
        "at most",
    )


def foreign_keys(films: Dataset) -> Found:
    """Lists whose keys count other users: what they say of the history is not in it."""
    file = said(
        f"{FILMS}/rerank/gpt-3.5-three-stage.json",
        user_id="PID",
        shift=1,
        items={"field": "Predictions", "pattern": r"\d+\.\s.*? - ([^\n\]]+)"},
        history=prompted("Input_1", "watched movies"),
    )
    try:
        join_lists(file, films)
        refused = False
    except DataError as error:
        print(error.message)
        refused = True
    yield Claim("GPT-3.5's re-rankings, whose keys are other users, are refused", float(refused), 1)


def books(titled: Dataset, guard: Guard) -> Found:
    """A book for each cold user, by a model that was not told the catalogue."""
    for version in (1, 2):
        file = said(f"{BOOKS}/generator_v{version}.log", user_id="uid", items="book.title")
        began = time.perf_counter()
        lists = join_lists(file, titled)
        took = time.perf_counter() - began
        _, findings = guard.lists(lists, "allow")
        names = lists.report.names
        yield row(
            file.path.name,
            lists.report.counts,
            findings,
            found=names.found / names.total,
            **names.ways,
            seconds=took,
        )
        yield Claim(
            f"{file.path.name}: share of titles in the catalogue",
            names.found / names.total,
            0.1,
            "at most",
        )
        (seen,) = findings
        what = f"{file.path.name}: share of lists, where found, that name the last book"
        yield Claim(what, seen.named / seen.checked, 0.3)


def texts(dataset: Dataset, guard: Guard, path: str, **fields: Any) -> tuple[Row, Finding]:
    """Texts about users."""
    told = join_user_texts(TextsAboutUsers(path=Path(path), **fields), dataset)
    _, (finding,) = guard.texts(told, ItemWords(dataset), "allow")
    known = {f"words know, histories of {one.histories}": one.known for one in finding.words}
    print(finding)
    return row(Path(path).name, told.report.counts, [finding], **known), finding


def profiles(films: Dataset, interests: Dataset, at_films: Guard, at_books: Guard) -> Found:
    """What was said of users, in sentences and in words."""
    told, finding = texts(
        films, at_films, f"{FILMS}/user_preferences.json", user_id="@key", text="@value"
    )
    yield told
    yield Claim(
        "share of preference texts that name the last film", finding.named / finding.checked, 0.13
    )
    told, finding = texts(
        interests, at_books, f"{BOOKS}/user_profiler.log", user_id="uid", text="interest"
    )
    yield told
    short = next(one for one in finding.words if one.histories == "1-3")
    yield Claim("interests of users with at most five books know the last one", short.known, 0.5)


def items(films: Dataset, one_million: Dataset) -> Found:
    """What was said of films."""
    path = f"{FILMS}/item_descriptions.json"
    told = join_item_texts(TextsAboutItems(path=Path(path), item_id="@key", text="@value"), films)
    yield row("item_descriptions.json", told.report.counts)
    file = said(
        "llm-outputs/ml-1m/movies_augmentation.csv",
        user_id=None,
        items="movie_id",
        rows="item",
        scores="rating",
        longest=5000,
    )
    counts = join_lists(file, one_million).report.counts
    yield row(file.path.name, counts, refusals=counts["scores_that_are_no_numbers"])
    yield Claim("scores that are refusals in prose", counts["scores_that_are_no_numbers"], 20)


def everything(folder: Path) -> Found:
    """All files; prepared logs go into `folder`."""
    split = {"kind": "leave-one-out"}
    log = str(DATA / BOOKS / "histories.jsonl.gz")
    ids = {"user_id": "uid", "item_id": "bids", "catalogue_id": "bid"}
    titles = folder / "book.tsv"  # which it is, whatever its name says
    titles.write_bytes((DATA / BOOKS / "book.csv").read_bytes())
    films = load_dataset("movielens-100k", into=folder / "films", split=split)
    one_million = load_dataset("movielens-1m", into=folder / "1m", split=split)
    told = DATA / BOOKS / "book-desc.csv"
    described = load_dataset(
        log, into=folder / "a", items=told, columns=ids, text="{desc}", split=split
    )
    titled = load_dataset(log, into=folder / "b", items=titles, columns=ids, split=split)
    at_films, at_books, at_titled = (
        Guard(open_test(one.folder), "test", one) for one in (films, described, titled)
    )
    yield from rerankings(films, at_films)
    yield from foreign_keys(films)
    yield from books(titled, at_titled)
    yield from profiles(films, described, at_films, at_books)
    yield from items(films, one_million)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = [*everything(Path(folder))]
    rows = [one for one in found if not isinstance(one, Claim)]
    finish("hearsay", "full", rows, [one for one in found if isinstance(one, Claim)])


if __name__ == "__main__":
    main()
