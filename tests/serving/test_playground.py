"""The playground in a real browser, by keyboard: what it shows, how it looks, and what it keeps to itself."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from served import listening

from recdistill.serving.beside import Beside
from recdistill.serving.rules import Rule, Rules
from recdistill.serving.teacher import StoredTeacher
from recdistill.signals import TopK
from recdistill.teachers import RecommenderTeacher, label

TOOL = Path(__file__).parents[2] / "tools" / "chromium.py"
RULES = Rules(
    {
        "tender": Rule(allow={"genres": ("romance", "music")}),
        "night": Rule(deny={"genres": ("crime",)}, when={"daypart": ("night",)}),
    }
)
LIST = "[...document.querySelectorAll('#{0} .title')].map(one => one.textContent)"
STUDENT, TEACHER = LIST.format("student"), LIST.format("teacher")
REST = "!document.querySelector('.busy')"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    specification = importlib.util.spec_from_file_location("chromium_tool", TOOL)
    chromium = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(chromium)
    executable = chromium.find()
    if executable is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI must look at the page: install chromium.")
        pytest.skip("No chromium on the PATH: the page is not looked at.")
    with chromium.browser(executable) as running:
        yield running


@pytest.fixture(scope="module")
def run(tiny_dataset, tmp_path_factory) -> Path:
    from recdistill.models.sasrec import SASRec

    folder = tmp_path_factory.mktemp("taught") / "run"
    model = SASRec.for_dataset(tiny_dataset, width=8, heads=1, blocks=1, history=50, seed=8)
    label(RecommenderTeacher.around(model), tiny_dataset, folder / "signals", [TopK(k=25)])
    (folder / "dataset").symlink_to(tiny_dataset.folder)
    return folder


@pytest.fixture
def client(serve, run):
    return serve(beside=Beside(rules=RULES, teacher=StoredTeacher(run), playground=True))


@pytest.fixture
def page(client) -> Iterator[str]:
    with listening(client.app) as (_, port):
        yield f"http://127.0.0.1:{port}/"


def enter(browser, page: str, token: str, width: int = 1280, scheme: str = "light") -> None:
    browser.visit(page, width, scheme)
    browser.press("Tab")  # to the key, the first thing there is
    browser.type(token)
    browser.press("Enter")
    browser.wait_for(f"{STUDENT}.length === 10")


def told(client, **body) -> list[str]:
    items = client.post("/v1/recommend", {"k": 10, **body}).json()["items"]
    return [one["title"] for one in items]


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_and_asks_nobody_else(browser, page, client, width, scheme) -> None:
    enter(browser, page, client.token, width, scheme)
    take_example(browser)
    assert browser.evaluate("innerWidth") == width
    assert browser.evaluate("document.documentElement.scrollWidth") == width
    assert browser.complaints() == []
    assert {url.removeprefix(page) for url in browser.requests()} - {"data:,"} == {
        "", "version", "v1/examples", "v1/recommend", "v1/teacher"
    }  # fmt: skip
    small = (
        "[...document.querySelectorAll('button, input, select')].filter(e => e.checkVisibility()"
    )
    small += " && e.type !== 'checkbox').filter(e => e.getBoundingClientRect().height < 32).length"
    assert browser.evaluate(small) == 0


def take_example(browser) -> None:
    script = "(s => { s.value = '0'; s.dispatchEvent(new Event('change')); })"
    browser.evaluate(f"{script}(document.getElementById('examples'))")
    browser.wait_for(f"{TEACHER}.length > 0 && {REST}")


def test_by_keyboard_from_the_key_to_a_list(browser, page, client) -> None:
    """Title, arrow, Enter: the item stands in the history, and the list is the server's."""
    enter(browser, page, client.token)
    assert browser.evaluate(STUDENT) == told(client, history=[])
    assert browser.evaluate("document.activeElement.id") == "search"
    browser.type("western 2")
    browser.wait_for("document.querySelectorAll('#found button').length > 1")
    second = browser.evaluate("document.querySelectorAll('#found button')[1].textContent")
    browser.press("ArrowDown")
    browser.press("ArrowDown")
    browser.press("Enter")
    chosen = "[...document.querySelectorAll('#history span')].map(one => one.textContent)"
    browser.wait_for(f"{chosen}.length === 1 && {REST}")
    assert browser.evaluate(chosen) == [second]
    film = f"i{int(second.split()[-1]):04d}"
    assert browser.evaluate(STUDENT) == told(client, history=[film])
    browser.type("space 3")
    browser.wait_for("document.querySelectorAll('#found button').length > 0")
    browser.press("Enter")  # the first
    browser.wait_for(f"{chosen}.length === 2 && {REST}")
    browser.type("x")
    browser.wait_for("document.querySelectorAll('#found li').length > 0")
    browser.press("Escape")
    assert browser.evaluate("document.querySelectorAll('#found li').length") == 0


def test_student_and_teacher_side_by_side_with_reasons(browser, page, client) -> None:
    enter(browser, page, client.token)
    assert not browser.evaluate("document.getElementById('teacher-card').hidden")
    note = "document.getElementById('teacher-note').textContent"
    assert "was not asked" in browser.evaluate(note)
    take_example(browser)
    example = client.get("/v1/examples").json()["examples"][0]["history"]
    history = [one["item"] for one in example]
    body = {"history": history, "k": 10}
    assert browser.evaluate(STUDENT) == told(client, history=history)
    answer = client.post("/v1/teacher", body).json()["items"]
    assert browser.evaluate(TEACHER) == [one["title"] for one in answer]
    assert browser.evaluate(note) == ""
    explained = client.post("/v1/recommend", body | {"explain": True}).json()["items"]
    whys = "[...document.querySelectorAll('#student .why')].map(one => one.textContent)"
    expected = [one["because"][0]["title"] for one in explained if one["because"]]
    shown = browser.evaluate(whys)
    assert expected
    assert len(shown) == len(expected)
    assert all(title in text for title, text in zip(expected, shown, strict=True))
    assert re.fullmatch(
        r"[\d.]+ ms", browser.evaluate("document.getElementById('student-time').textContent")
    )
    boxes = "['student', 'teacher'].map(id => document.getElementById(id).getBoundingClientRect())"
    assert browser.evaluate(
        f"(b => b[0].right <= b[1].left && Math.abs(b[0].top - b[1].top) < 60)({boxes})"
    )


def test_length_exclusions_and_rules_change_the_list(browser, page, client) -> None:
    enter(browser, page, client.token)
    plain = told(client, history=[])
    set_to = "(e => {{ e.value = '{1}'; e.dispatchEvent(new Event('input')); }})(document.getElementById('{0}'))"
    browser.evaluate(set_to.format("k", 4))
    browser.wait_for(f"{STUDENT}.length === 4 && {REST}")
    browser.evaluate("document.querySelector('#student button[aria-label^=\"Leave out\"]').click()")
    browser.wait_for(f"{STUDENT}[0] !== {plain[0]!r} && {REST}")
    assert browser.evaluate(STUDENT) == plain[1:5]
    assert browser.evaluate("document.getElementById('exclusions').textContent").startswith(
        plain[0]
    )
    browser.evaluate("document.querySelector('#exclusions button').click()")
    browser.wait_for(f"{STUDENT}[0] === {plain[0]!r} && {REST}")
    browser.evaluate("[...document.querySelectorAll('#rules input')].at(-1).click()")
    browser.wait_for(f"{STUDENT}.every(title => /romance|music/.test(title)) && {REST}")
    assert browser.evaluate(STUDENT) == told(client, history=[], k=4, rules=["tender"])
    browser.evaluate(set_to.format("context-daypart", "night"))
    browser.wait_for(REST)
    assert browser.complaints() == []


def test_a_wrong_key_opens_nothing_and_no_key_is_kept(browser, page, client) -> None:
    browser.visit(page, 1280)
    browser.press("Tab")
    browser.type("rd_00000000_wrong")
    browser.press("Enter")
    browser.wait_for("!document.getElementById('trouble').hidden")
    assert "API key" in browser.evaluate("document.getElementById('trouble').textContent")
    assert browser.evaluate("document.getElementById('room').hidden")
    enter(browser, page, client.token)
    kept = "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href,"
    kept += " document.documentElement.outerHTML, document.getElementById('key').value])"
    assert client.token.split("_", 2)[2] not in browser.evaluate(kept)
    browser.visit(page, 1280)
    assert not browser.evaluate("document.getElementById('door').hidden")


def test_titles_are_text_and_the_policy_lets_nothing_else_run(
    browser, page, client, student, monkeypatch
) -> None:
    evil = "<img src=x onerror='document.title=\"run\"'><script>document.title='run'</script>"
    monkeypatch.setitem(student.own.names.__dict__, "titles", [evil] * 40)
    enter(browser, page, client.token)
    assert browser.evaluate(STUDENT) == [evil] * 10
    script = "document.body.append(Object.assign(document.createElement('script'), {textContent: 'document.title=1'}))"
    browser.evaluate(script)
    assert browser.evaluate("document.title") == "RecDistill playground"
    assert any("Content Security Policy" in text for text in browser.complaints())


def test_the_page_is_open_and_all_else_is_closed(client, serve) -> None:
    answer = client.get("/", headers={"authorization": ""})
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"(src|href)=\"(?!data:,)", answer.text)
    for path in ("/v1/examples", "/version", "/index.html", "/v1"):
        assert client.get(path, headers={"authorization": ""}).status_code == 401
    assert client.ask("POST", "/", headers={"authorization": ""}).status_code == 401
    assert serve().get("/", headers={"authorization": ""}).status_code == 401
