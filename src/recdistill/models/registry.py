"""The kinds of models, by the names that configurations use."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from pydantic import ValidationError

from recdistill.errors import ConfigError, nearest
from recdistill.models.recommender import Recommender
from recdistill.settings import Settings

_KINDS = {
    "sasrec": ("recdistill.models.sasrec", "SASRec"),
    "decoder": ("recdistill.models.decoder", "Decoder"),
    "popularity": ("recdistill.models.popularity", "Popularity"),
    "item-knn": ("recdistill.models.item_knn", "ItemKNN"),
    "given": ("recdistill.models.given", "Given"),
}


def model_class(kind: str) -> type[Recommender]:
    """The class of a kind of model.

    Raises:
        ConfigError: there is no such kind; the hint names the nearest.
    """
    if kind not in _KINDS:
        raise ConfigError(f"Unknown kind of model '{kind}'.", nearest(kind, _KINDS))
    module, name = _KINDS[kind]
    return getattr(import_module(module), name)


def settings(model: type[Recommender], values: Mapping[str, Any]) -> Settings:
    """The checked hyper-parameters of a model.

    Raises:
        ConfigError: a key is unknown or a value does not fit; the hint names the nearest key.
    """
    try:
        return model.Config(**values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or model.kind
        unknown = first["type"] == "extra_forbidden"
        raise ConfigError(
            f"{model.kind}: unknown setting '{key}'."
            if unknown
            else f"{model.kind}: '{key}' cannot be {first['input']!r}: {first['msg']}.",
            nearest(key, model.Config.model_fields) if unknown else "",
        ) from error
