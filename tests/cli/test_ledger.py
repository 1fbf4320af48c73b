"""`recdistill ledger`: bills by hand, and errors that are asked again; nothing that was said is shown."""

from __future__ import annotations

import json

import pytest
from billed import PRICES, request

from recdistill.asking import Cost, EndpointConfig, Ledger, Usage
from recdistill.asking.costs import BudgetConfig
from recdistill.asking.requests import Question
from recdistill.cli.app import run

HERE = EndpointConfig(base_url="http://here/v1", model="small", prices=PRICES)
LARGE = HERE.model_copy(update={"model": "large"})
SECRET = "what Anna watched"


def say(status: int = 200, text: str | None = "fine") -> tuple[int, bytes]:
    answer = {"choices": [{"message": {"content": text}}], "usage": None}
    return status, json.dumps(answer if status == 200 else {"error": {"message": SECRET}}).encode()


@pytest.fixture
def path(tmp_path):
    """Five questions: three of one model (one good, two errors), of another an error and a lost one."""
    file = tmp_path / "ledger.sqlite"
    with Ledger(file) as ledger:
        for number, (endpoint, account, answer) in enumerate(
            [
                (HERE, "me", say()),
                (HERE, "me", say(400)),
                (HERE, "you", (200, f"<html>{SECRET}</html>".encode())),
                (LARGE, "me", say(422)),
                (LARGE, "me", None),
            ]
        ):
            asked = Question(request(f"{SECRET} {number}"), endpoint)
            ledger.plan([asked])
            attempt = ledger.send(asked, account, BudgetConfig())
            assert isinstance(attempt, str)
            if answer is None:
                ledger.fail(attempt, "lost", "no answer")
                ledger.give_up(asked.key)
            else:
                ledger.receive(attempt, *answer)
                ledger.settle([(attempt, Cost(1, 10 * number, 7 * number), Usage(10 * number, 0))])
    return file


def told(capsys, *arguments: object) -> str:
    assert run(["ledger", *map(str, arguments)]) == 0
    said = capsys.readouterr()
    assert SECRET not in said.out + said.err
    return said.out


def test_the_bill_by_model(path, capsys) -> None:
    text = told(capsys, "bill", "--ledger", path)
    assert (
        "small at http://here/v1\n  3 calls: 3 answered, 0 turned away, 0 lost\n  paid   30 tokens"
        in text
    )
    assert (
        "large at http://here/v1\n  2 calls: 1 answered, 0 turned away, 1 lost\n  paid   30 tokens"
        in text
    )
    worst = Question(request(f"{SECRET} 4"), LARGE).worst
    assert f"maybe  {worst.tokens:,} tokens more" in text
    assert "account" not in text


def test_the_bill_by_account_as_data(path, capsys) -> None:
    found = json.loads(told(capsys, "bill", "--accounts", "--json", "--ledger", path))
    small = {"endpoint": "http://here/v1", "model": "small"}
    paid = {(one["model"], one["account"]): one["paid"] for one in found}
    assert paid["small", "me"] == {"calls": 2, "tokens": 10, "picos": 7}
    assert paid["small", "you"] == {"calls": 1, "tokens": 20, "picos": 14}
    assert paid["large", "me"] == {"calls": 1, "tokens": 30, "picos": 21}
    assert small.items() <= found[-1].items()
    assert len(found) == 3


def answered(path) -> int:
    with Ledger(path) as ledger:
        keys = [row[0] for row in ledger.database.rows("SELECT key FROM questions")]
        return len(ledger.answers(keys))


def test_errors_are_asked_again(path, capsys) -> None:
    text = told(capsys, "reopen", "--errors", "--dry-run", "--ledger", path)
    assert "errors: 3; they would be asked again" in text
    assert answered(path) == 4
    text = told(capsys, "reopen", "--errors", "--model", "small", "--ledger", path)
    assert (
        "small at http://here/v1: 1 × no sense in the answer\nsmall at http://here/v1: 1 × HTTP 400"
        in text
    )
    assert "errors: 2; they are asked again" in text
    assert answered(path) == 2
    assert "errors: 1;" in told(capsys, "reopen", "--errors", "--ledger", path)
    assert "errors: 0;" in told(capsys, "reopen", "--errors", "--ledger", path)
    assert answered(path) == 1, "the good answer stays"
    assert "small at http://here/v1\n  3 calls" in told(capsys, "bill", "--ledger", path)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["reopen"], "Say --errors"),
        (["reopen", "--errors", "--model", "smal"], "Did you mean 'small'?"),
        (["reopen", "--errors", "--endpoint", "http://there/v1"], "Valid: http://here/v1."),
        (["bill", "--ledger", "nowhere.sqlite"], "There is no ledger nowhere.sqlite"),
    ],
)
def test_what_makes_no_sense_is_refused(path, capsys, arguments, complaint) -> None:
    given = [] if "--ledger" in arguments else ["--ledger", str(path)]
    assert run(["ledger", *arguments, *given]) == 2
    assert complaint in capsys.readouterr().err


def test_looking_makes_no_ledger(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / name)
    assert run(["ledger", "bill"]) == 2
    assert list(tmp_path.iterdir()) == []
    Ledger().close()
    assert "Nothing was asked." in told(capsys, "bill")
