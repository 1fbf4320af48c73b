from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

import recdistill


def declared():
    tree = ast.parse(Path(inspect.getfile(recdistill)).with_suffix(".pyi").read_text())
    return {
        alias.asname: node.module
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_the_stub_and_the_lazy_loader_tell_the_same():
    assert declared() == recdistill._HOME_OF
    assert set(dir(recdistill)) == {"__version__", *declared()}


@pytest.mark.parametrize("name", sorted(declared()))
def test_every_public_name_loads_and_is_documented(name):
    value = getattr(recdistill, name)
    assert callable(value)
    assert inspect.getdoc(value)


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'SASRek'"):
        _ = recdistill.SASRek
