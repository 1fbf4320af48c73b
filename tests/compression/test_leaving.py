"""A pruned student leaves the building like any other."""

from __future__ import annotations

import pytest
from prunable import some_plan

from recdistill.bundle.export import export
from recdistill.compression.cutting import shrink
from recdistill.compression.importance.contract import singular
from recdistill.models.sasrec import SASRec

pytest.importorskip("onnxruntime")


@pytest.mark.parametrize("positions", ["learned", "rotary"])
def test_a_pruned_student_is_exported_and_answers_alike(tiny_dataset, tmp_path, positions):
    """`export` itself compares PyTorch and ONNX Runtime on 1,000 histories, and refuses what does not agree."""
    student = SASRec.for_dataset(
        tiny_dataset, width=8, blocks=3, heads=4, widening=2, history=10, positions=positions
    )
    shrink(student, some_plan(0, singular(student.item_table())[1][:, :3]))
    bundle = export(student, tiny_dataset, tmp_path / "bundle")
    ids = tiny_dataset.vocabulary.ids
    mine = student.recommend([[ids[0], ids[5]], []], k=5)
    theirs = bundle.recommend([[ids[0], ids[5]], []], k=5)
    assert mine["item_id"].to_list() == theirs["item_id"].to_list()
