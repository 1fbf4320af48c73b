"""Bundles change places under load: nothing fails, and no answer mixes two."""

from __future__ import annotations

import asyncio
import json
import threading
import time

import pytest

from recdistill.cli.app import run
from recdistill.errors import BundleError, ConfigError
from recdistill.serving.answering import Student, open_student
from recdistill.serving.keys import SCOPES, KeyRing, make_key
from recdistill.serving.limits import Limits
from recdistill.serving.pointer import POINTER, Pointer
from recdistill.serving.shelf import Keeper, Shelf, warmed


class Heard:
    """Who answers, and what was refused."""

    def __init__(self) -> None:
        self.promotions: list[str] = []
        self.refusals: list[str] = []

    def promoted(self, student: Student) -> None:
        self.promotions.append(student.path.name)

    def refused(self, error: Exception) -> None:
        self.refusals.append(str(error))


def test_swaps_under_load_fail_nothing_and_mix_nothing(folder) -> None:
    """Twelve promotions, three of them broken, while six clients ask without a pause."""
    from served import Client

    from recdistill.serving.app import Application

    pointer = Pointer(folder)
    shelf, heard = Shelf(warmed(pointer.bundle)), Heard()
    key, token = make_key(SCOPES)
    client = Client(Application(shelf, KeyRing([key]), Limits(deadline=30)), token)
    marks = {open_student(folder / mark).digest: mark for mark in "abc"}
    keeper = Keeper(shelf, pointer, heard, every=0.01)
    plan, done = [*"bc", "broken", *"ab", "broken", *"cab", "broken", *"ca"], threading.Event()

    def promote() -> None:
        for name in plan:
            seen = len(heard.promotions) + len(heard.refusals)
            pointer.promote(name)
            while len(heard.promotions) + len(heard.refusals) == seen:
                time.sleep(0.002)
        done.set()

    async def ask(http):
        async def one():
            answers = []
            while not done.is_set():
                answers.append(await http.post("/v1/recommend", json={"history": ["i0001"]}))
                await asyncio.sleep(0)
            return answers

        return [a for answers in await asyncio.gather(*(one() for _ in range(6))) for a in answers]

    keeper.start()
    threading.Thread(target=promote).start()
    answers = client.run(ask)
    keeper.stop()
    client.close()
    assert heard.promotions == [name for name in plan if name != "broken"]
    assert len(heard.refusals) == plan.count("broken")
    assert {answer.status_code for answer in answers} == {200}
    told = [answer.json() for answer in answers]
    assert all(one["title"][0] == marks[each["bundle"]] for each in told for one in each["items"])
    assert {each["bundle"] for each in told} == set(marks)
    assert len(answers) > len(plan)


def test_promote_and_rollback_from_the_command_line(folder, capsys) -> None:
    assert run(["promote", str(folder), "b"]) == 0
    assert run(["promote", str(folder), "c"]) == 0
    assert Pointer(folder).read().before == ("a", "b")
    assert run(["promote", str(folder), "broken"]) == BundleError.exit_code
    assert Pointer(folder).read().bundle == "c"
    for expected in "ba":
        assert run(["rollback", str(folder)]) == 0
        assert Pointer(folder).bundle == folder / expected
    assert run(["rollback", str(folder)]) == ConfigError.exit_code
    assert run(["promote", str(folder), "brokn"]) == ConfigError.exit_code
    assert "'broken'" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["..", "../a", "/etc", "a/b", ".hidden", "", "a\x00"])
def test_a_pointer_leads_nowhere_else(folder, name) -> None:
    with pytest.raises(ConfigError):
        Pointer(folder).promote(name)
    (folder / POINTER).write_text(json.dumps({"bundle": name}))
    with pytest.raises(ConfigError, match="no pointer"):
        Pointer(folder).read()


def test_links_are_no_bundles(folder) -> None:
    (folder / "link").symlink_to(folder / "b")
    with pytest.raises(ConfigError, match="no bundle 'link'"):
        Pointer(folder).promote("link")


def test_scores_that_are_no_numbers_are_refused(bundle_folder, monkeypatch) -> None:
    from recdistill.serving import shelf
    from recdistill.serving.messages import Recommendations, Recommended

    nan = Recommendations([Recommended("i0001", float("nan"))], "")
    monkeypatch.setattr(shelf.Student, "recommend", lambda self, requests: [nan])
    with pytest.raises(BundleError, match="no numbers"):
        warmed(bundle_folder)


def test_a_server_whose_student_hangs_is_alive_and_not_ready(client, monkeypatch) -> None:
    assert client.get("/readyz").status_code == 200
    monkeypatch.setattr("recdistill.serving.status._FRESH", 0.0)
    monkeypatch.setattr("recdistill.serving.status._PATIENCE", 0.1)
    released = threading.Event()
    asked = []

    def hang(self, requests):
        asked.append(requests)
        released.wait(10)
        raise ValueError("and fails")

    monkeypatch.setattr(Student, "recommend", hang)

    async def probes(http):
        found = [(await http.get("/readyz")).status_code for _ in range(4)]
        alive = (await http.get("/livez")).status_code
        released.set()
        await asyncio.sleep(0.2)
        return found, alive

    assert client.run(probes) == ([503] * 4, 200)
    assert len(asked) == 1  # however many ask
