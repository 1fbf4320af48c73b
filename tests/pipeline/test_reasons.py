"""From what a teacher wrote to the report's page, and where it was asked for to the bundle; nobody is asked again."""

from __future__ import annotations

import json
import re

import polars as pl
import pytest
import yaml
from chat_server import chat_server, knowing

from recdistill.bundle.loading import load_bundle
from recdistill.cli.app import run
from recdistill.config.tree import BundleConfig
from recdistill.data.dataset import Dataset
from recdistill.pipeline.pipeline import open_pipeline


def go(config: dict, folder, *words: str) -> None:
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    assert run([*words, str(path), "--into", str(folder / "run"), "--quiet"]) == 0


@pytest.fixture
def light(tiny, make_source, tmp_path) -> dict:
    source = make_source(tmp_path, users=12, items=20, events=200)
    return {
        **tiny,
        "dataset": {"source": str(source), "name": "tiny"},
        "signals": [{"kind": "top-k", "k": 10}],
        "recipe": {"objectives": [{"kind": "next-item"}, {"kind": "kl", "temperature": 1.0}]},
        "training": {"epochs": 1, "batch_size": 32},
        "evaluation": {"seeds": 1, "resamples": 1000, "latency_requests": 5},
    }


def quotes(folder) -> list[str]:
    page = (folder / "run/report/report.html").read_text()
    return re.findall(r"<blockquote dir=.auto.>(.*?)</blockquote>", page)


def dataset_of(folder) -> Dataset:
    return open_pipeline(folder / "run", None, [], quiet=True).dataset


def test_what_a_chat_model_wrote(light, tmp_path, capsys):
    with chat_server(knowing) as server:
        light["teacher"] = {
            "kind": "chat",
            "endpoint": {"base_url": server.url, "model": "scripted", "concurrency": 16},
            "candidates": {"model": {"kind": "item-knn"}, "number": 4},
            "ledger": str(tmp_path / "ledger.sqlite"),
            "sample": 8,
            "orderings": 1,
            "form": "text",
            "rationale": True,
            "blend": {"base": 0.5, "judge": 1.0},
        }
        go(light, tmp_path, "evaluate")
        calls = len(server.seen)
        found = quotes(tmp_path)
        assert 1 <= len(found) <= 4
        assert all(
            re.fullmatch(r"They like (crime|romance|western|space|music)\.", one) for one in found
        )
        go({**light, "bundle": {"reasons": True}}, tmp_path, "export")
        assert len(server.seen) == calls, "what is known is carried, and nobody is asked"
    bundle, dataset = load_bundle(tmp_path / "run/bundle"), dataset_of(tmp_path)
    distinct = len(dataset.contexts().distinct())
    assert distinct / 2 < bundle.info.reasons.count <= distinct + 8
    # A chat model explains what it puts first, by the kind of the latest item here; nothing else is explained.
    histories = [
        dataset.vocabulary.decode(context).to_list()
        for context in map(dataset.contexts().histories.__getitem__, range(30))
        if len(context)
    ]
    told = bundle.explained(histories, bundle.recommend(histories, k=20, filter_seen=False))
    kinds = dict(
        zip(*(bundle.items[name].to_list() for name in ("item_id", "genres")), strict=True)
    )
    some = told.filter(pl.col("why").is_not_null()).to_dicts()
    assert len(some) == some_rows(told) > len(histories) / 2
    for one in some:
        assert one["why"] == f"They like {kinds[histories[one['user_id']][-1]]}."
    files = b"".join(path.read_bytes() for path in (tmp_path / "run/bundle").iterdir())
    assert not any(str(user).encode() in files for user in dataset.users.ids)
    capsys.readouterr()
    row = some[0]
    asked = ["--history", " ".join(histories[row["user_id"]]), "-k", "20", "--include-seen"]
    assert run(["recommend", str(tmp_path / "run/bundle"), *asked]) == 0
    assert f"why: {row['why']}" in capsys.readouterr().out


def test_reasons_stay_where_nobody_asked_for_them(finished_run):
    assert "reasons" not in BundleConfig().model_dump(), "runs made before keep their keys"
    assert not (finished_run / "bundle/reasons.parquet").exists()


def some_rows(told: pl.DataFrame) -> int:
    """A chat model explains what it puts first: one item a context at most."""
    return told.filter(pl.col("why").is_not_null())["user_id"].n_unique()


def test_what_a_file_brings(light, tmp_path):
    go(light, tmp_path, "label")
    dataset = dataset_of(tmp_path)
    rows = [
        {
            "user_id": user,
            "items": [f"i{(number + step) % 20:04d}" for step in range(6)],
            "why": [f"reason {step} of {number}\x1b[31m" for step in range(6)],
        }
        for number, user in enumerate(dataset.users.ids)
    ]
    said = tmp_path / "said.jsonl"
    said.write_text("\n".join(map(json.dumps, rows)))
    light["teacher"] = {
        "kind": "file",
        "lists": {"path": str(said), "why": "why"},
        "candidates": {"model": {"kind": "item-knn"}, "number": 20},
        "blend": {"base": 0.1, "judge": 1.0},
        "leaks": "allow",
    }
    light["bundle"] = {"reasons": True}
    go(light, tmp_path, "run")
    assert all(re.fullmatch(r"reason \d of \d+\[31m", one) for one in quotes(tmp_path))
    assert quotes(tmp_path)
    bundle = load_bundle(tmp_path / "run/bundle")
    users = [number for number in range(12) if dataset.train.histories.lengths[number]]
    histories = [
        dataset.vocabulary.decode(dataset.train.histories[number]).to_list() for number in users
    ]
    told = bundle.explained(histories, bundle.recommend(histories, k=20, filter_seen=False))
    for one in told.to_dicts():
        number = users[one["user_id"]]
        step = (int(one["item_id"][1:]) - number) % 20
        assert one["why"] == (f"reason {step} of {number}[31m" if step < 6 else None)
