"""Inheriting item vectors, against PCA by scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from recdistill.distill.initialise import TeacherInit, inherit_features, inherit_vectors
from recdistill.errors import ConfigError


def world(items=40, width=6, teacher_width=16):
    generator = torch.Generator().manual_seed(1)
    table = torch.randn(items, width, generator=generator) * 0.02
    teacher = torch.randn(items, teacher_width, generator=generator) @ torch.randn(
        teacher_width, teacher_width, generator=generator
    )
    known = torch.ones(items, dtype=torch.bool)
    known[[3, 17]] = False
    return table, teacher[known], known


def test_known_items_get_scaled_principal_components():
    table, teacher, known = world()
    before = table.clone()
    found = inherit_vectors(table, teacher, known)
    pca = PCA(6, svd_solver="full").fit(teacher.numpy())
    wanted = pca.transform(teacher.numpy())
    wanted *= before.std().item() / wanted.std(ddof=1)
    signs = np.sign((wanted * table[known].numpy()).sum(0))
    np.testing.assert_allclose(table[known], wanted * signs, atol=1e-6)
    assert found.items == 38
    assert found.explained == pytest.approx(pca.explained_variance_ratio_.sum(), rel=1e-5)


def test_unknown_items_keep_their_own_start():
    table, teacher, known = world()
    before = table.clone()
    inherit_vectors(table, teacher, known)
    torch.testing.assert_close(table[~known], before[~known], rtol=0, atol=0)
    assert (table[known] != before[known]).all()


def test_size_is_the_students_and_mean_is_zero():
    table, teacher, known = world()
    before = table.std()
    inherit_vectors(table, teacher * 1000 + 5, known)
    torch.testing.assert_close(table[known].std(), before, rtol=1e-4, atol=0)
    assert table[known].mean(0).abs().max() < 1e-6


def test_features_are_the_vectors_themselves_centred_and_scaled_by_one_factor():
    _, teacher, known = world()
    features = torch.full((40, 16), 9.0)
    found = inherit_features(features, teacher * 1000 + 5, known)
    centred = StandardScaler(with_std=False).fit_transform(teacher.numpy())
    np.testing.assert_allclose(
        features[known], centred / np.sqrt((centred**2).mean()), rtol=1e-3, atol=1e-4
    )
    assert not features[~known].any()  # the mean
    assert (found.items, found.explained) == (38, 1.0)


def test_features_of_another_width_are_refused():
    _, teacher, known = world()
    with pytest.raises(
        ConfigError, match=r"have width 16, but the student .* of width 7"
    ) as caught:
        inherit_features(torch.zeros(40, 7), teacher, known)
    assert "{kind: offset, features: 16}" in caught.value.hint


def test_neighbours_survive_where_the_width_suffices():
    table, teacher, known = world(width=16)
    inherit_vectors(table, teacher, known)
    ours, theirs = torch.cdist(table[known], table[known]), torch.cdist(teacher, teacher)
    ratio = ours[0, 1] / theirs[0, 1]
    torch.testing.assert_close(ours, theirs * ratio, rtol=1e-3, atol=1e-4)


def test_a_narrow_teacher_leaves_columns_over():
    table, teacher, known = world(width=8, teacher_width=3)
    before = table.clone()
    inherit_vectors(table, teacher, known)
    torch.testing.assert_close(table[:, 3:], before[:, 3:], rtol=0, atol=0)


def test_a_parameter_is_changed_in_place_without_gradients():
    table, teacher, known = world()
    parameter = torch.nn.Parameter(table)
    inherit_vectors(parameter, teacher, known)
    assert parameter.grad_fn is None
    assert parameter.requires_grad


def test_settings():
    assert TeacherInit.model_validate({"from": "teacher", "what": "item-vectors"}) == TeacherInit()
    assert TeacherInit().model_dump() == {"from": "teacher", "what": "item-vectors"}
    with pytest.raises(ValidationError):
        TeacherInit.model_validate({"from": "nobody"})
