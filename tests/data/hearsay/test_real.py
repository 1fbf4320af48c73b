"""Real outputs of language models, joined and checked: what is known to be wrong with them is found. Needs the data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from recdistill.data.hearsay.evidence import Finding, ItemWords
from recdistill.data.hearsay.leaks import Guard
from recdistill.data.hearsay.lists import join_lists
from recdistill.data.hearsay.settings import ListsFile, TextsAboutItems, TextsAboutUsers
from recdistill.data.hearsay.texts import join_item_texts, join_user_texts
from recdistill.data.holdout import open_test
from recdistill.data.preparation import load_dataset
from recdistill.errors import DataError

DATA = Path(os.environ.get("RECDISTILL_DATA", "nowhere"))
pytestmark = pytest.mark.skipif(
    not (DATA / "llm-outputs").is_dir(), reason="needs llm-outputs under RECDISTILL_DATA"
)
LEAVE_ONE_OUT = {"kind": "leave-one-out"}
RERANK = "llm-outputs/ml-100k/rerank"
PROMPT = r"{}\): (.*)\.$"
MODELS = (
    "gemma-2-9b",
    "llama-3-1-8b",
    "llama-3-2-1b",
    "llama-3-2-3b",
    "llama-3-8b_len24",
    "qwen-2-5-7b",
)


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ml-100k")
    return load_dataset("movielens-100k", into=folder / "prepared", split=LEAVE_ONE_OUT)


@pytest.fixture(scope="module")
def books(tmp_path_factory):
    return load_dataset(
        str(DATA / "goodreads-llm" / "histories.jsonl.gz"),
        into=tmp_path_factory.mktemp("goodreads") / "prepared",
        items=DATA / "goodreads-llm" / "book-desc.csv",
        columns={"user_id": "uid", "item_id": "bids", "catalogue_id": "bid"},
        text="{desc}",
        split=LEAVE_ONE_OUT,
    )


@pytest.fixture(scope="module")
def titled(tmp_path_factory):
    """The same with titles in place of descriptions."""
    return load_dataset(
        str(DATA / "goodreads-llm" / "histories.jsonl.gz"),
        into=tmp_path_factory.mktemp("titled") / "prepared",
        items=_titles(tmp_path_factory.mktemp("titles")),
        columns={"user_id": "uid", "item_id": "bids", "catalogue_id": "bid"},
        split=LEAVE_ONE_OUT,
    )


def _titles(folder: Path) -> Path:
    """`book.csv` is a TSV; only its name says otherwise."""
    path = folder / "book.tsv"
    path.write_bytes((DATA / "goodreads-llm" / "book.csv").read_bytes())
    return path


def at_test(dataset) -> Guard:
    return Guard(open_test(dataset.folder), "test", dataset)


@pytest.mark.parametrize("model", MODELS)
def test_rerankings_of_candidates_that_hold_the_answer(films, model):
    past = {"field": "input_1", "pattern": PROMPT.format("NEWEST"), "separator": ", "}
    file = ListsFile(
        path=f"{RERANK}/{model}.json",
        user_id="@key",
        shift=1,
        items="predictions_3",
        candidates="candidate_set",
        history=past,
    )
    lists = join_lists(file, films)
    counts = lists.report.counts
    assert counts["records_without_a_list"] == 3  # config, runtime, avg_metrics
    assert counts["joined"] >= 149
    # The key is right: what the prompts call the history is the history.
    assert counts["stated_items_in_the_history"] > 0.94 * counts["stated_items_found"]
    _, (named, shown) = at_test(films).lists(lists, "allow")
    # Every set holds the film that its makers held out; ours is that one for about 60 % (ties in time).
    assert shown.leaks
    assert shown.named > 0.55 * shown.checked
    # Near chance: of 19 candidates 10 are named, so 10/19 of the targets that were shown would be.
    assert named.named < 0.65 * shown.named
    if model == "llama-3-2-1b":
        assert counts["items_outside_the_candidates"] > 500
        assert lists.report.names.ways["unknown"] > 300
    with pytest.raises(DataError, match="candidate sets"):
        at_test(films).lists(lists, "refuse")
    # Taken with a shift that is wrong by one, it is refused.
    with pytest.raises(DataError, match="are not those of the log"):
        join_lists(file.model_copy(update={"shift": 0}), films)


@pytest.mark.parametrize("shift", [0, 1])
def test_rerankings_whose_keys_count_other_users(films, shift):
    def prompt(what):
        return {"field": "Input_1", "pattern": PROMPT.format(what), "separator": ", "}

    file = ListsFile(
        path=f"{RERANK}/gpt-3.5-three-stage.json",
        user_id="PID",
        shift=shift,
        items={"field": "Predictions", "pattern": r"\d+\.\s.*? - ([^\n\]]+)"},
        candidates=prompt("candidate movies"),
        history=prompt("watched movies"),
    )
    with pytest.raises(DataError, match="are not those of the log"):
        join_lists(file, films)
    lists = join_lists(file.model_copy(update={"history": None}), films)
    assert lists.report.counts["joined"] >= 168
    assert lists.report.names.found > 0.94 * lists.report.names.total


@pytest.mark.parametrize("version", [1, 2])
def test_books_from_the_whole_world(titled, version):
    file = ListsFile(
        path=f"goodreads-llm/generator_v{version}.log", user_id="uid", items="book.title"
    )
    lists = join_lists(file, titled)
    counts, names = lists.report.counts, lists.report.names
    assert counts["records"] == 2306
    # One title a user, few of them in the catalogue, however they are written.
    assert names.total == 2306
    agreeing = names.ways["exact"] + names.ways["normalised"]
    assert 0.06 < agreeing / names.total < 0.1
    assert names.ways["unknown"] > 0.8 * names.total
    # What is in the catalogue at all is a third of the time the very last book: the model had been shown it.
    _, (finding,) = at_test(titled).lists(lists, "allow")
    assert finding.leaks
    assert finding.named > 0.3 * finding.checked


@pytest.mark.slow
def test_interests_of_readers_with_few_books_were_made_from_all_of_them(books):
    file = TextsAboutUsers(path="goodreads-llm/user_profiler.log", user_id="uid", text="interest")
    texts = join_user_texts(file, books)
    assert (texts.report.counts["records"], len(texts)) == (23089, 23088)
    _, (finding,) = at_test(books).texts(texts, ItemWords(books), "allow")
    assert finding.leaks
    groups = {one.histories: one for one in finding.words}
    # Three books to learn from and two held out: five in all, and all five were read.
    assert groups["1-3"].known > 0.65
    # Of longer histories only the first five were: what came last is known by taste.
    assert groups["4-7"].known < 0.4
    with pytest.raises(DataError, match="with histories of 1-3"):
        at_test(books).texts(texts, ItemWords(books), "scrub")


@pytest.mark.slow
def test_preferences_name_the_last_film(films):
    file = TextsAboutUsers(
        path="llm-outputs/ml-100k/user_preferences.json", user_id="@key", text="@value"
    )
    texts, words = join_user_texts(file, films), ItemWords(films)
    assert len(texts) == 938
    _, (finding,) = at_test(films).texts(texts, words, "allow")
    assert isinstance(finding, Finding)
    assert 0.13 < finding.named / finding.checked < 0.17
    assert finding.expected < 3
    assert finding.leaks
    with pytest.raises(DataError, match="held out for test"):
        at_test(films).texts(texts, words, "refuse")


def test_descriptions_of_films(films):
    file = TextsAboutItems(
        path="llm-outputs/ml-100k/item_descriptions.json", item_id="@key", text="@value"
    )
    found = join_item_texts(file, films)
    assert found.report.counts["joined"] == 1659
    assert found.report.counts["items_without_text"] == 23
    assert found.report.counts["refusals"] == 0


def test_scores_that_are_refusals(tmp_path_factory):
    films = load_dataset(
        "movielens-1m", into=tmp_path_factory.mktemp("1m") / "prepared", split=LEAVE_ONE_OUT
    )
    file = ListsFile(
        path="llm-outputs/ml-1m/movies_augmentation.csv",
        user_id=None,
        items="movie_id",
        rows="item",
        scores="rating",
        longest=5000,
    )
    lists = join_lists(file, films)
    counts = lists.report.counts
    assert counts["records"] == 3883
    assert counts["scores_that_are_no_numbers"] == 20
    assert lists.report.examples["scores_that_are_no_numbers"][0].startswith("I'm sorry")
    assert len(lists.items[0]) == 3863
    for key, least in (("movie_id", 3883), ("title", 3860)):  # some titles were spelled anew
        texts = TextsAboutItems(path=file.path, item_id=key, text="summary")
        assert join_item_texts(texts, films).report.counts["joined"] >= least
