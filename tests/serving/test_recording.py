"""Requests are kept as a sample of nobody, and asked again of a bundle before it answers."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from started import started, wait_until

from recdistill.errors import BundleError, ConfigError
from recdistill.serving.answering import Student
from recdistill.serving.messages import RecommendRequest
from recdistill.serving.pointer import Pointer
from recdistill.serving.recording import MOST, Recording, recorded
from recdistill.serving.shelf import warmed


def asked(number: int) -> RecommendRequest:
    return RecommendRequest(history=[f"i{number:04}"], k=number % 50 + 1)


def test_a_sample_is_bounded_and_as_likely_to_hold_the_first_as_the_last(tmp_path) -> None:
    held = Counter[int]()
    for seed in range(40):
        recording = Recording(tmp_path / f"{seed}.json", seed=seed)
        for number in range(3 * MOST):
            recording.note([asked(number)])
        recording.write()
        kept = [int(one.history[0][1:]) for one in recorded(recording.path)]
        assert len(kept) == len(set(kept)) == MOST
        held.update(number // MOST for number in kept)
    # A third of each sample from each third of the requests; four standard deviations are 3 %.
    assert all(abs(held[third] / (40 * MOST) - 1 / 3) < 0.03 for third in range(3))


def test_nobody_is_in_it(tmp_path) -> None:
    recording = Recording(tmp_path / "recording.json")
    whole = RecommendRequest(user="canary-user", history=["i1"] * 2000, candidates=["i2"] * 9000)
    recording.note([whole])
    recording.write()
    text = recording.path.read_text()
    assert "canary" not in text
    assert recording.path.stat().st_mode & 0o777 == 0o600
    (kept,) = recorded(recording.path)
    assert (len(kept.history), len(kept.candidates), kept.user) == (200, 200, None)


def test_the_file_is_written_now_and_then_and_a_full_disk_is_survived(tmp_path) -> None:
    recording = Recording(tmp_path / "recording.json", every=0.0)
    recording.note([asked(1)])
    wait_until(lambda: len(recorded(recording.path)) == 1)
    (tmp_path / "file").write_text("")
    Recording(tmp_path / "file" / "recording.json").write()
    lost = Recording(tmp_path / "file" / "recording.json")
    lost.note([asked(1)])
    lost.write()


@pytest.mark.parametrize("text", ["", "{}", '[{"k": 0}]', '[{"who": 1}]', "\xff"])
def test_what_is_no_recording_is_said(tmp_path, text) -> None:
    path = tmp_path / "recording.json"
    assert recorded(path) == []
    path.write_text(text, encoding="latin-1")
    with pytest.raises(ConfigError, match="no recording"):
        recorded(path)


def test_a_bundle_is_asked_what_was_asked(bundle_folder, monkeypatch) -> None:
    seen: list[RecommendRequest] = []
    whole = Student.recommend

    def watched(self, requests):
        seen.extend(requests)
        return whole(self, requests)

    monkeypatch.setattr(Student, "recommend", watched)
    gone = RecommendRequest(history=[], candidates=["no longer here"])
    replayed = [asked(n) for n in range(20)] + [gone]
    warmed(bundle_folder, replayed=replayed)
    assert seen[-21:] == replayed

    def fail(self, requests):
        if requests[0] == asked(8):
            raise BundleError("It gives what is not finite.")
        return whole(self, requests)

    monkeypatch.setattr(Student, "recommend", fail)
    with pytest.raises(BundleError, match="not finite"):
        warmed(bundle_folder, replayed=replayed)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_server_records_and_warms_itself(folder, tmp_path, workers) -> None:
    """Opt-in: what is asked of one server is in the file when it stops, and the next begins with it."""
    path = tmp_path / "recording.json"
    options = ("--workers", workers, "--histories", "none", "--recording", path)
    with started(folder, *options) as server:
        for number in range(6):
            server.once({"history": [f"i{number:04}"], "k": 3})
        server.stop()
    assert {one["k"] for one in json.loads(path.read_text())} == {3}
    with started(folder, *options) as server:
        server.once({"history": ["i0007"], "k": 4})
        path.unlink()  # the sample goes on in memory, and bundles change as before
        Pointer(folder).promote("b")
        titles = {"history": [], "k": 4}
        wait_until(lambda: server.once(titles).body["items"][0]["title"].startswith("b"))
        server.stop()
    assert {one["k"] for one in json.loads(path.read_text())} == {3, 4}
