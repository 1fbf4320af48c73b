"""A client that somebody else's generator makes of the OpenAPI document works against the server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from started import started

PACKAGE = "openapi-python-client"
"""In an environment of its own: it wants an older typer than the command line here."""
PROGRAM = """
import sys
from generated import AuthenticatedClient
from generated.api.default import (
    delete_v1_items_item, get_version, get_readyz, post_v1_events, post_v1_items, post_v1_items_search,
    post_v1_recommend, post_v1_recommend_batch, post_v1_similar,
)
from generated.models import (
    BatchRequest, EventsRequest, ItemsRequest, NewItem, Problem, RecommendRequest, SearchRequest, SentEvent,
    SimilarRequest,
)

client = AuthenticatedClient(base_url=sys.argv[1], token=sys.argv[2], raise_on_unexpected_status=True)
with client:
    assert get_readyz.sync(client=client).status == "ok"
    version = get_version.sync(client=client)
    assert version.items == 40, version
    told = post_v1_recommend.sync(client=client, body=RecommendRequest(history=["i0001", "i0006"], k=3, explain=True))
    assert len(told.items) == 3 and told.bundle == version.bundle, told
    assert told.items[0].because is not None
    events = EventsRequest(events=[SentEvent(id="e", user="ann", item="i0001")])
    assert post_v1_events.sync(client=client, body=events).new == 1
    by_user = post_v1_recommend.sync(client=client, body=RecommendRequest(user="ann", k=2))
    by_history = post_v1_recommend.sync(client=client, body=RecommendRequest(history=["i0001"], k=2))
    assert by_user == by_history
    batch = BatchRequest(requests=[RecommendRequest(history=[]), RecommendRequest(history=["i0002"])])
    assert len(post_v1_recommend_batch.sync(client=client, body=batch).answers) == 2
    assert len(post_v1_similar.sync(client=client, body=SimilarRequest(item="i0003")).items) == 10
    new = ItemsRequest(items=[NewItem(item="fresh", title="Fresh", like=["i0003"])])
    assert post_v1_items.sync(client=client, body=new).accepted == 1
    found = post_v1_items_search.sync(client=client, body=SearchRequest(text="fresh"))
    assert [one.item for one in found.items] == ["fresh"]
    assert delete_v1_items_item.sync("fresh", client=client).status == "removed"
    problem = post_v1_similar.sync(client=client, body=SimilarRequest(item="fresh"))
    assert isinstance(problem, Problem) and problem.status == 422 and problem.hint is not None, problem
    print("all well")
"""


@pytest.fixture(scope="module")
def generator(tmp_path_factory) -> Path:
    """The folder of programs of an environment with the generator."""
    home = tmp_path_factory.mktemp("generator")
    subprocess.run([sys.executable, "-m", "venv", home], check=True)
    made = subprocess.run(
        [home / "bin" / "pip", "install", "--quiet", PACKAGE], capture_output=True
    )
    if made.returncode:
        pytest.skip(f"{PACKAGE} cannot be installed here.")
    return home / "bin"


@pytest.mark.slow
def test_a_generated_client_works(generator, tiny_dataset, tmp_path) -> None:
    from recdistill.bundle.export import export
    from recdistill.models.sasrec import SASRec

    model = SASRec.for_dataset(tiny_dataset, width=16, heads=2, blocks=1, history=8, seed=3)
    export(model, tiny_dataset, tmp_path / "bundle")
    where = ["--histories", tmp_path / "data" / "h.sqlite", "--pseudonym-key", tmp_path / "key"]
    with started(tmp_path / "bundle", *where, "--deadline", 10) as server:
        document = httpx.get(f"{server.url}/openapi.json", headers=server.headers)
        (tmp_path / "openapi.json").write_bytes(document.content)
        command = [generator / PACKAGE, "generate", "--meta", "none", "--fail-on-warning"]
        command += ["--path", tmp_path / "openapi.json", "--output-path", tmp_path / "generated"]
        config = tmp_path / "config.yaml"
        config.write_text("post_hooks: []\n")
        made = subprocess.run([*command, "--config", config], capture_output=True, text=True)
        assert made.returncode == 0, made.stdout + made.stderr
        program = [generator / "python", "-c", PROGRAM, server.url, server.token]
        told = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True)
        assert told.stdout.strip() == "all well", told.stderr[-3000:]
