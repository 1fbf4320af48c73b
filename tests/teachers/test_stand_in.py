"""What stands in for a teacher is made like the teacher that is fitted."""

from __future__ import annotations

import torch

from recdistill.models.internals import Anatomy
from recdistill.teachers import RecommenderTeacher
from recdistill.teachers.stand_in import stand_in


def test_a_recommender_is_made_as_it_will_be(tiny_dataset):
    model = {"kind": "sasrec", "width": 12, "blocks": 3, "heads": 2, "history": 7}
    teacher = RecommenderTeacher.of(model=model, training={"epochs": 1})
    before = torch.get_rng_state()
    hollow = stand_in(teacher.config)
    assert torch.equal(torch.get_rng_state(), before), "nobody's random numbers are used up"
    fitted = teacher.fit(tiny_dataset).recommender
    assert Anatomy.of(hollow.network) == Anatomy.of(fitted.network) == Anatomy(3, 12, 2)
    assert hollow.get_config() == fitted.get_config()
