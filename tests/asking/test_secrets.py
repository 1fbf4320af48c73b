"""The key goes to the endpoint in a header, and nowhere else: not to disk, not to a log, not into an error."""

from __future__ import annotations

import logging
import random
import string
import traceback
from pathlib import Path

import pytest
from billed import BillingServer, request, requests
from pydantic import ValidationError

from recdistill.asking import Asker, BatchConfig, BudgetConfig, EndpointConfig, Ledger
from recdistill.config.located import LocatedYaml
from recdistill.config.tree import parse_config
from recdistill.errors import ConfigError, EndpointError
from recdistill.progress import LineProgress

CANARY = "sk-canary-8f3a91"
VARIABLE = "RECDISTILL_TEST_KEY"


class Screen:
    """Everything that a person, or a log file, would see."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        pass


@pytest.fixture(scope="module")
def guarded():
    with BillingServer(key=CANARY) as running:
        yield running


def written(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())


def test_the_key_opens_the_door_and_is_seen_nowhere(guarded, tmp_path, monkeypatch, caplog) -> None:
    monkeypatch.setenv(VARIABLE, f" {CANARY}\n")  # as files with keys end
    caplog.set_level(logging.DEBUG)
    screen = Screen()
    endpoint = guarded.endpoint(api_key_env=VARIABLE, timeout=1.0)
    asked = [
        *requests(3),
        *(request(f"[[{fault} x9]] ?") for fault in ("500", "hang", "reset", "400", "html")),
    ]
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        asker = Asker(endpoint, ledger, BudgetConfig(calls=100))
        answers = asker.ask(asked, LineProgress(screen))
        batched = endpoint.model_copy(
            update={"batch": BatchConfig(poll_seconds=0.02), "model": "batch"}
        )
        answers += Asker(batched, ledger).ask(requests(3), LineProgress(screen))
        everything = [
            answers,
            asker.bill(),
            asker.plan(asked),
            vars(asker),
            endpoint.model_dump_json(),
        ]
    assert (
        answers[0].text
        == Asker(endpoint, Ledger(tmp_path / "ledger.sqlite")).ask(requests(1))[0].text
    )
    seen = (screen.text + caplog.text + repr(everything)).encode() + written(tmp_path)
    assert b"said " in seen  # it is what was written that is searched
    assert CANARY.encode() not in seen


def test_an_endpoint_that_quotes_the_key_is_not_quoted(
    guarded, tmp_path, monkeypatch, caplog
) -> None:
    wrong = "sk-wrong-canary-77"
    monkeypatch.setenv(VARIABLE, wrong)
    caplog.set_level(logging.DEBUG)
    with Ledger(tmp_path / "ledger.sqlite") as ledger, pytest.raises(EndpointError) as refused:
        Asker(guarded.endpoint(api_key_env=VARIABLE), ledger).ask(requests(1, "who am I"))
    told = "".join(traceback.format_exception(refused.value))
    assert "Incorrect API key provided: [secret]" in told
    assert VARIABLE not in told or wrong not in told
    assert wrong.encode() not in told.encode() + caplog.text.encode() + written(tmp_path)


def test_a_key_that_is_none_spoils_no_answer(ledger, monkeypatch) -> None:
    """Servers of one's own want any word as a key; where that word stands in an answer, it is the answer's."""
    with BillingServer(key="said") as server:
        monkeypatch.setenv(VARIABLE, "said")
        (answer,) = Asker(server.endpoint(api_key_env=VARIABLE), ledger).ask(requests(1))
    assert answer.text.startswith("said ")


@pytest.mark.parametrize("value", ["two words", "sk-\u00e9", "a\nb", "a\x00b"])
def test_what_is_no_key_is_refused_without_being_quoted(server, ledger, monkeypatch, value) -> None:
    monkeypatch.setattr("os.environ", {VARIABLE: value})
    with pytest.raises(ConfigError, match=VARIABLE) as refused:
        Asker(server.endpoint(api_key_env=VARIABLE), ledger).ask(requests(1, "bad key"))
    assert value not in str(refused.value)


def test_a_missing_key_is_named_by_its_variable(server, ledger, monkeypatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(ConfigError, match=f"{VARIABLE} holds no key"):
        Asker(server.endpoint(api_key_env=VARIABLE), ledger).ask(requests(1, "no key"))


def test_who_only_plans_needs_no_key(server, ledger, monkeypatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert Asker(server.endpoint(api_key_env=VARIABLE), ledger).plan(requests(2)).calls == 2


def test_the_ledger_is_for_its_owner_only(tmp_path) -> None:
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        assert ledger.path.stat().st_mode & 0o077 == 0


def random_word(letters: str, length: int, seed: int) -> str:
    return "".join(random.Random(seed).choices(letters, k=length))


BASE62 = string.ascii_letters + string.digits
PASTED = [
    "sk-proj-abcdefghijklmnop",
    "sk_live_abcdefghijklmnopqrst",
    "two words",
    "",
    "9lives",
    "KÉY",
    "A" * 65,
    *(f"hf_{random_word(string.ascii_letters, 34, seed)}" for seed in range(5)),
    *(f"gsk_{random_word(BASE62, 52, seed)}" for seed in range(5)),
    *(f"AIza{random_word(BASE62, 35, seed)}" for seed in range(5)),
    *(f"k{random_word(BASE62, 39, seed)}" for seed in range(20)),
    *(f"f{random_word('0123456789abcdef', 39, seed)}" for seed in range(20)),
]
NAMES = [
    "OPENAI_API_KEY",
    "openai_key_2",
    "HF_TOKEN",
    "hf_token_of_production",
    "MyOpenAiApiKeyForProduction",
    "AZUREOPENAIAPIKEY2026",
    "SK_KEY",
    "_",
    "K8S_NAMESPACE_LLM_API_KEY_EU_WEST_1",
]


@pytest.mark.parametrize("pasted", PASTED)
def test_a_key_in_place_of_its_variable_is_refused_and_not_quoted(pasted) -> None:
    with pytest.raises(ValidationError, match="must name an environment variable") as refused:
        EndpointConfig(base_url="http://h/v1", model="m", api_key_env=pasted)
    assert not pasted or pasted not in str(refused.value)


@pytest.mark.parametrize("name", NAMES)
def test_names_of_variables_are_taken(name) -> None:
    assert EndpointConfig(base_url="http://h/v1", model="m", api_key_env=name).api_key_env == name


SECRET = "hunter2canary"
CHAT = """
dataset: {{source: movielens-100k}}
signals: [{{kind: top-k}}]
teacher: {}
"""


@pytest.mark.parametrize(
    ("teacher", "told"),
    [
        (f"{{kind: chat, endpoint: {{model: m, base_url: 'https://me:{SECRET}@h/v1'}}}}", "no name, password"),
        (f"{{kind: chat, endpoint: {{model: m, base_url: 'https://h/v1?api_key={SECRET}'}}}}", "no name, password"),
        (f"{{kind: chat, endpoint: {{model: m, base_url: 'https://h:{SECRET}'}}}}", "must name a port"),
        (f"{{kind: chat, endpoint: 'https://me:{SECRET}@h/v1'}}", "it could hold a secret"),
        (f"{{kind: chat, endpoint: {{model: m, base_url: 'http://h', api_key_env: sk-{SECRET}}}}}", "name an env"),
        (f"{{kind: chat, endpoint: {{model: m, base_url: 'http://h', api_key: sk-{SECRET}}}}}", "unknown key"),
        (f"{{kind: ensemble, members: [{{kind: chat, endpoint: ['{SECRET}']}}]}}", "it could hold a secret"),
        (f"{{kind: text-encoder, describing: {{endpoint: '{SECRET}'}}}}", "it could hold a secret"),
        (f"{{kind: chat, endpoint: {{model: m, base_url: https://me:{SECRET}@h: x}}}}", "not valid YAML"),
    ],
)  # fmt: skip
def test_a_refused_configuration_is_not_quoted_where_a_secret_may_be(teacher, told) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_config(LocatedYaml.parse(CHAT.format(teacher), "run.yaml"))
    assert told in str(refused.value)
    assert "line" in str(refused.value)
    assert SECRET not in "".join(traceback.format_exception(refused.value))


def test_an_override_is_not_quoted() -> None:
    source = LocatedYaml.parse("teacher: {endpoint: here}", "run.yaml")
    for assignment in (f"teacher.endpoint.base_url={SECRET}", f"teacher.endpoint={SECRET}: ["):
        with pytest.raises(ConfigError, match=r"--set teacher\.endpoint") as refused:
            source.override([assignment])
        assert SECRET not in str(refused.value)
