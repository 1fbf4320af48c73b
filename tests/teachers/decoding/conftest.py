"""Tiny causal models of several architectures, each saved once."""

from __future__ import annotations

import pytest
from tiny_decoders import save_decoder

from recdistill.teachers.decoding.decoder import Decoder
from recdistill.teachers.decoding.settings import SourceConfig
from recdistill.teachers.decoding.source import Source
from recdistill.teachers.decoding.voice import Voice, VoiceConfig
from recdistill.teachers.prompts import Template


@pytest.fixture(scope="session")
def decoder_folder(tmp_path_factory):
    """`decoder_folder(kind)`: where a tiny model of an architecture lies."""
    root, made = tmp_path_factory.mktemp("decoders"), {}

    def of(kind: str, **settings):
        name = "-".join([kind, *(f"{key}={value}" for key, value in settings.items())])
        if name not in made:
            made[name] = save_decoder(root / name, kind, **settings)
        return made[name]

    return of


@pytest.fixture(scope="session")
def decoder(decoder_folder):
    """`decoder(kind)`: the same, loaded."""
    loaded = {}

    def of(kind: str, **settings) -> Decoder:
        folder = decoder_folder(kind, **settings)
        if folder not in loaded:
            loaded[folder] = Decoder.load(folder, SourceConfig(model=str(folder)))
        return loaded[folder]

    return of


TITLES = ["The crime story 1", "The space story 2", "The crime story 12", "Alien", "Aliens", "M"]
LINES = "{% block user %}{% for item in history %}{{ item.text }}\n{% endfor %}{% endblock %}"


@pytest.fixture(scope="session")
def make_voice(decoder_folder):
    """`make_voice(kind, titles=…, folder=…, template=…, **settings)`: a tiny model that knows six titles."""

    def make(kind: str, titles=TITLES, folder=None, template=LINES, **settings) -> Voice:
        source = Source(SourceConfig(model=str(folder or decoder_folder(kind))))
        config = VoiceConfig(**{"history": 4, **settings})
        return Voice(source, titles, config, Template("lines", template))

    return make
