"""A real endpoint: `transformers serve` with a model that the test makes, asked by us and by the official client."""

from __future__ import annotations

import numpy as np
import pytest
from served_model import save_parrot, served

from recdistill.asking import BudgetConfig, EndpointConfig
from recdistill.data.sequences import Sequences
from recdistill.teachers.listwise import ChatJudge, Endpoint, ListwiseConfig
from recdistill.teachers.prompts import Prompt, Template

pytestmark = pytest.mark.slow
TEXTS = [f"The {kind} story {n}" for n in range(4) for kind in ("crime", "romance", "western")]
REPLY = '{"ranking": ["B", "A", "D", "C"]}'
HISTORIES = Sequences.from_lists([[3, 0], [1, 4, 7], [2]])
CANDIDATES = np.array([[1, 6, 5, 9], [0, 2, 10, 11], [3, 4, 5, 8]])


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served") / "parrot"
    prompt, draw = Prompt(Template.read("rerank"), TEXTS), np.random.default_rng(0)
    rendered = [
        prompt.render(
            draw.permutation(12)[: 1 + number % 3].tolist(),
            draw.permutation(12)[:4].tolist(),
            rationale=False,
        )
        for number in range(30)
    ]
    save_parrot(folder, [(one.system, one.user) for one in rendered], REPLY)
    with served(folder) as url:
        yield EndpointConfig(base_url=url, model=str(folder), timeout=240.0, concurrency=2)


def judge(endpoint, tmp_path, **settings) -> ChatJudge:
    whom = Endpoint(endpoint, BudgetConfig(), tmp_path / "ledger.sqlite")
    return ChatJudge(ListwiseConfig(max_tokens=40, **settings), whom, TEXTS)


def test_a_served_model_is_heard_and_its_love_of_places_is_seen(endpoint, tmp_path):
    alone = judge(endpoint, tmp_path, orderings=1, form="auto")
    found = alone.judge(HISTORIES, CANDIDATES)
    assert alone._form == "text", "this server does not keep to schemas"
    for row in range(3):
        (order,) = alone._given(HISTORIES, CANDIDATES)[row]
        ranks = dict(zip(order.tolist(), [2, 1, 4, 3], strict=True))
        np.testing.assert_allclose(
            found[row], [-np.log(ranks[item]) for item in CANDIDATES[row]], rtol=1e-6
        )
    both = judge(endpoint, tmp_path, form="text")
    assert np.isnan(both.judge(HISTORIES, CANDIDATES)).all(), "it says the same of any order"
    assert both.tally.facts["agreement"] < -0.5
    assert both.tally.facts["questions"] == 6


def test_the_official_client_hears_the_same(endpoint, tmp_path):
    from openai import OpenAI

    one, first = (
        judge(endpoint, tmp_path, orderings=1, form="text"),
        HISTORIES.take(slice(0, 1)).packed(),
    )
    (request,) = one._requests(first, one._given(first, CANDIDATES[:1]))
    (ours,) = one.answers([request])
    turns = [{"role": turn.role, "content": turn.content} for turn in request.messages]
    with OpenAI(base_url=endpoint.base_url, api_key="none") as client:
        theirs = client.chat.completions.create(
            model=endpoint.model, messages=turns, temperature=0, max_tokens=40
        )
    assert ours.text == theirs.choices[0].message.content == REPLY
    assert (ours.usage.prompt, ours.usage.completion) == (
        theirs.usage.prompt_tokens,
        theirs.usage.completion_tokens,
    )
