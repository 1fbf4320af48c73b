"""An endpoint that fails for a while leaves no trace: labels made over an outage are those made without one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import pytest
from chat_server import Seen, chat_server, knowing

from recdistill.errors import EndpointError, SignalError
from recdistill.signals import Signals, TopK
from recdistill.teachers import label, labelling, make_teacher
from recdistill.teachers.words import WordsConfig


@dataclass
class Moody:
    """Answers, or fails for 40 % of the prompts while it is `sick`; always the same ones."""

    sick: bool = True
    bad: set[str] = field(default_factory=set)

    def __call__(self, seen: Seen):
        if self.sick and _share(seen.user) < 0.4:
            self.bad.add(seen.user)
            return 500, {"error": {"message": "out of order"}}
        return knowing(seen)


def _share(text: str) -> float:
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) / 2**32


@pytest.fixture
def taught(tmp_path, make_dataset):
    dataset = make_dataset(tmp_path, users=8, items=20, events=90)

    def make(server, ledger="ledger", endpoint=None, **settings):
        config = {
            "kind": "chat",
            "endpoint": {
                "base_url": server.url,
                "model": "m",
                "known_as": "a server",
                "backoff": 0.01,
                **(endpoint or {}),
            },
            "candidates": {"model": {"kind": "item-knn"}, "number": 5},
            "ledger": str(tmp_path / f"{ledger}.sqlite"),
            "form": "text",
            "blend": {"judge": 2.0},
            **settings,
        }
        return make_teacher(config).fit(dataset)

    make.dataset = dataset
    return make


def _files(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.rglob("*.safetensors"))}


def test_labels_over_an_outage_are_those_without_one(taught, tmp_path):
    kinds = [TopK(k=3)]
    with chat_server(moody := Moody()) as server:
        with pytest.raises(EndpointError, match="out of order") as told:
            label(taught(server), taught.dataset, tmp_path / "one", kinds)
        failed = len(moody.bad)
        assert failed > 10
        assert f"{failed:,} questions have no answer yet from m at a server" in told.value.message
        assert "only these are asked" in told.value.hint
        with pytest.raises(SignalError, match="interrupted"):
            Signals.open(tmp_path / "one")
        moody.sick, server.seen = False, []
        label(taught(server), taught.dataset, tmp_path / "one", kinds)
        assert {seen.user for seen in server.seen} == moody.bad
        assert len(server.seen) == failed
        label(taught(server, ledger="other"), taught.dataset, tmp_path / "two", kinds)
    assert _files(tmp_path / "one") == _files(tmp_path / "two")


def test_many_batches_are_all_asked_and_written_in_their_order(taught, tmp_path, monkeypatch):
    """Nothing is written behind the first gap, and everything behind it is asked all the same."""
    monkeypatch.setattr(labelling, "_BATCH", 8)
    kinds, small = [TopK(k=3)], {"shard_rows": 24}
    with chat_server(moody := Moody()) as server:
        with pytest.raises(EndpointError):
            label(taught(server), taught.dataset, tmp_path / "one", kinds, **small)
        asked = {seen.user for seen in server.seen}
        moody.sick = False
        label(taught(server), taught.dataset, tmp_path / "one", kinds, **small)
        assert {seen.user for seen in server.seen} == asked
        label(taught(server, ledger="other"), taught.dataset, tmp_path / "two", kinds, **small)
    assert len(_files(tmp_path / "one")) > 2
    assert _files(tmp_path / "one") == _files(tmp_path / "two")


def test_a_profile_is_not_taken_for_missing_over_an_outage(taught):
    with chat_server(Moody()) as server:
        model = taught(server).recommender
        histories = taught.dataset.contexts().distinct().histories
        server.mind = lambda seen: (502, {"error": {"message": "gone"}})
        with pytest.raises(EndpointError, match="no answer yet"):
            WordsConfig(of="profile").texts(model, histories.take(slice(0, 6)))
        server.mind = lambda seen: "Likes it."
        texts = WordsConfig(of="profile").texts(model, histories.take(slice(0, 6)))
        assert texts == ["Likes it."] * 6


def test_how_much_the_judge_counts_is_not_settled_over_an_outage(taught):
    with chat_server(moody := Moody()) as server:
        with pytest.raises(EndpointError, match="no answer yet"):
            taught(server, blend=None)
        moody.sick = False
        mended = taught(server, blend=None)
        assert len(server.seen) > 0
        healthy = taught(server, ledger="other", blend=None)
    assert mended.notes == healthy.notes
    assert mended.identity().revision == healthy.identity().revision


def test_whether_schemas_are_kept_is_not_settled_over_an_outage(taught, tmp_path):
    with chat_server(knowing) as server:
        answer, server.answer = server.answer, lambda body: (503, {"error": {"message": "busy"}})
        with pytest.raises(EndpointError, match="busy"):
            label(taught(server, form="auto"), taught.dataset, tmp_path / "one", [TopK(k=3)])
        server.answer = answer
        label(taught(server, form="auto"), taught.dataset, tmp_path / "one", [TopK(k=3)])
        assert all("response_format" in seen.body for seen in server.seen)


def test_a_share_may_stay_open_where_somebody_says_so_and_is_told(taught, tmp_path):
    """Half of the prompts may fail; 40 % do. Histories of which both orders failed are silent, and counted."""
    with chat_server(moody := Moody()) as server:
        teacher = taught(server, endpoint={"unanswered": 0.5})
        signals = label(teacher, taught.dataset, tmp_path / "one", [TopK(k=3)])
        strict = taught(server)
        assert teacher.identity() == strict.identity()
    manifest = signals["top-k"].manifest
    pairs = [seen.user for seen in server.rankings]
    both = _histories(server.rankings, moody.bad)
    assert manifest.silent == {"failed": both}
    assert 0 < both < len(set(pairs)) / 2


def test_silences_are_counted_by_their_reasons(taught, tmp_path):
    """Of refusals, of what cannot be read, and of what the budget does not allow."""

    def mixed(seen: Seen):
        history = "|".join(text for _, text in seen.history)
        if _share(history) < 0.3:
            return {"choices": [{"message": {"role": "assistant", "refusal": "no"}}]}
        return "what?" if _share(history) < 0.5 else knowing(seen)

    with chat_server(mixed) as server:
        teacher = taught(server, budget={"calls": 100}, endpoint={"concurrency": 1})
        signals = label(teacher, taught.dataset, tmp_path / "one", [TopK(k=3)])
    assert len(server.seen) == 100
    silent = signals["top-k"].manifest.silent
    shares = {"|".join(text for _, text in seen.history) for seen in server.seen}
    refused = sum(_share(one) < 0.3 for one in shares)
    unreadable = sum(0.3 <= _share(one) < 0.5 for one in shares)
    contexts = sum(taught.dataset.contexts().distinct().histories.lengths > 0)
    assert silent == {
        "refused": refused,
        "unreadable": unreadable,
        "unasked": contexts - len(shares),
    }


def _histories(seen: list[Seen], bad: set[str]) -> int:
    """How many histories, with these candidates, were never answered."""
    by_history: dict[str, list[bool]] = {}
    for prompt in {one.user: one for one in seen}.values():
        shown = str([text for _, text in prompt.history])
        by_history.setdefault(shown, []).append(prompt.user in bad)
    return sum(all(failed) for failed in by_history.values())
