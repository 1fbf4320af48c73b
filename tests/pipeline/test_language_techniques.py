"""`recipes/techniques/language/`: a language model's layers, distilled into fewer of them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from language import decoder
from recipe_files import check_beginning

from recdistill.config.tree import RunConfig, load_config
from recdistill.data.sequences import Sequences
from recdistill.distill.copying import LayersInit
from recdistill.errors import ConfigError
from recdistill.models.decoder import Decoder
from recdistill.models.growing import grown
from recdistill.models.recommender import Recommender, SequenceModel
from recdistill.pipeline.pipeline import Pipeline
from recdistill.pipeline.run_folder import RunFolder
from recdistill.training.options import RunOptions

HOME = Path(__file__).parents[2] / "recipes" / "techniques" / "language"
FEWER = HOME / "fewer-layers.yaml"


@pytest.fixture(scope="module")
def backbone(tmp_path_factory) -> Path:
    return decoder(tmp_path_factory.mktemp("lm"), layers=6)


def small(backbone: Path, source: Path | str = "movielens-100k", path: Path = FEWER) -> RunConfig:
    model = f"kind: decoder, model: {backbone}, width: 8, history: 10"
    return load_config(
        path,
        [
            f"dataset={{source: {source}, name: tiny}}",
            f"teacher={{kind: recommender, model: {{{model}, layers: 6}}, training: {{epochs: 2}}}}",
            f"student={{{model}, layers: 3}}",
            "signals=[{kind: top-k, k: 5}]",
            "training={epochs: 2, batch_size: 32}",
            "evaluation={seeds: 1, resamples: 1000, latency_requests: 0}",
            "trackers=[]",
        ],
    )


def test_says_what_it_is_and_what_to_expect():
    check_beginning(FEWER)


@pytest.fixture(scope="module")
def finished(backbone, make_source, tmp_path_factory) -> Pipeline:
    home = tmp_path_factory.mktemp("fewer-layers")
    source = make_source(home, users=30, items=40, events=600)
    config = small(backbone, source)
    pipeline = Pipeline(config, RunFolder(home / "run"), RunOptions())
    with pipeline.folder.locked():
        pipeline.evaluate()
    return pipeline


def test_a_run_from_end_to_end(finished: Pipeline):
    student, twin = finished.students.student[0].model, finished.students.twin[0].model
    assert isinstance(student, Decoder)
    assert isinstance(finished.teacher.recommender, Decoder)
    assert len(student.network.layers.layers) == 3
    assert not torch.equal(student.item_table(), twin.item_table())
    losses = finished.students.student[0].log.epochs[0].losses
    assert {"next-item", "hint", "magnitude", "early"} <= set(losses)
    assert "hint" not in finished.students.twin[0].log.epochs[0].losses


@torch.no_grad()
def test_it_begins_as_its_teacher_with_layers_left_out(finished: Pipeline):
    teacher, student = finished.teacher.recommender, finished.students.twin[0].model
    assert isinstance(student, SequenceModel)
    assert isinstance(teacher, Decoder)
    assert LayersInit().hand_over(student, teacher) == (1, 3, 5)
    teacher.network.layers.layers = torch.nn.ModuleList(
        teacher.network.layers.layers[number] for number in (1, 3, 5)
    )
    teacher.network.layers.config.num_hidden_layers = 3
    histories = Sequences.from_lists([[3, 1, 4], [1, 5]])
    wanted = teacher.states(histories)
    torch.testing.assert_close(student.states(histories), wanted, rtol=0, atol=0)


@torch.no_grad()
def test_it_goes_on_in_another_catalogue(finished: Pipeline):
    student = finished.students.student[0].model
    fewer = type(student.vocabulary)(student.vocabulary.ids[5:])
    moved: Recommender = grown(student, fewer)
    torch.testing.assert_close(moved.item_table(), student.item_table()[5:], rtol=0, atol=0)


def test_other_models_are_refused_while_it_is_read(backbone: Path):
    with pytest.raises(ConfigError, match="the student's kind is sasrec, the teacher's decoder"):
        load_config(
            FEWER,
            [
                f"teacher.model={{kind: decoder, model: {backbone}, width: 8}}",
                "student={kind: sasrec, width: 8}",
                "recipe={init: {what: layers}, objectives: [{kind: next-item}]}",
            ],
        )
    with pytest.raises(ConfigError, match="has 6 layers"):
        load_config(
            FEWER,
            [f"student.model={backbone}", "student.layers=7", f"teacher.model.model={backbone}"],
        )
