"""Terms that these two models cannot serve are refused while the configuration is read."""

from __future__ import annotations

import pytest
import yaml

from recdistill.config.located import LocatedYaml
from recdistill.config.tree import parse_config
from recdistill.errors import ConfigError

SASREC = {"kind": "sasrec", "width": 96, "blocks": 3, "heads": 3, "history": 50}
ONE = {"kind": "recommender", "model": SASREC}
TEXT = {"kind": "text-encoder", "head": {"width": 32, "history": 20}}
POPULAR = {"kind": "recommender", "model": {"kind": "popularity"}}


def parse(teacher, *terms):
    config = {
        "dataset": {"source": "movielens-100k"},
        "teacher": teacher,
        "signals": [{"kind": "top-k"}],
        "student": {"kind": "sasrec", "width": 64, "blocks": 2, "history": 50},
        "recipe": {"objectives": [{"kind": "next-item"}, *terms]},
    }
    return parse_config(LocatedYaml.parse(yaml.safe_dump(config), "test"))


def together(*members, **more):
    return {"kind": "ensemble", "members": list(members), **more}


def member(number):
    return {"kind": "member", "number": number}


@pytest.mark.parametrize(
    ("teacher", "term", "said"),
    [
        (ONE, {"kind": "hint", "layers": [[0, 3]]}, "layer 3 of the teacher, which has 3"),
        (ONE, {"kind": "hint", "mapping": "none"}, "width 64 .* 96"),
        (ONE, {"kind": "attention-map", "heads": "match"}, "has 1 and the teacher 3"),
        (ONE, {"kind": "value-relation", "relation_heads": 48}, "`relation_heads: 32`"),
        (ONE, {"kind": "kl", "head": {"kind": "exit", "block": 1}}, "at most 0"),
        (TEXT, {"kind": "hint"}, "sees 20 items of a history, its student 50"),
        (POPULAR, {"kind": "hint"}, "no sequence model"),
        (together(ONE, POPULAR), {"kind": "hint"}, "several models"),
        (together(ONE, POPULAR), {"kind": "hint", "of": member(1)}, "no sequence model"),
        (together(ONE, POPULAR), {"kind": "kl", "of": member(2)}, "it has 2"),
        (together(ONE, POPULAR, weights=[0.0, 1.0]), {"kind": "kl", "of": member(1)}, "it has 1"),
    ],
)
def test_refused_before_anything_is_trained(teacher, term, said):
    with pytest.raises(ConfigError, match=said):
        parse(teacher, term)


@pytest.mark.parametrize(
    ("teacher", "term"),
    [
        (ONE, {"kind": "hint", "layers": "spread"}),
        (ONE, {"kind": "value-relation", "relation_heads": 32}),
        (together(POPULAR, ONE), {"kind": "attention-map", "of": member(1)}),
        (together(TEXT, together(ONE)), {"kind": "kl", "of": "average", "head": "auxiliary"}),
        (TEXT, {"kind": "kl", "of": "itself", "head": "exit"}),
    ],
)
def test_what_can_be_compared_is_taken(teacher, term):
    assert parse(teacher, term).recipe.looks_inside
