from __future__ import annotations

import shutil

import numpy as np
import pytest

from recdistill.data.sequences import Sequences
from recdistill.errors import CheckpointError
from recdistill.teachers.decoding.judge import LikelihoodJudge
from recdistill.teachers.decoding.likelihood import lengths, log_likelihoods
from recdistill.teachers.decoding.voice import Voice, VoiceConfig
from recdistill.teachers.judging import load_judge, save_judge

HISTORIES = Sequences.from_lists([[0, 3], [2], [4, 1, 0, 5, 3]])
CANDIDATES = np.array([[1, 2, 5], [0, 1, 3], [2, 5, 1]])


def test_it_says_how_likely_titles_are_after_what_was_taken(make_voice):
    voice = make_voice("gpt2", batch_tokens=150)  # one or two prompts at a time
    found = LikelihoodJudge(voice).judge(HISTORIES, CANDIDATES)
    for row in range(3):
        prompt = voice.prompts(HISTORIES.take(np.array([row])))
        text = voice.source.decoder.tokenizer.decode(prompt[0])
        assert text == "".join(f"{voice.titles[item]}\n" for item in HISTORIES[row][-4:])
        (alone,) = log_likelihoods(voice.branches(prompt), voice.trie, CANDIDATES[row : row + 1])
        np.testing.assert_allclose(found[row], alone, atol=1e-4)
    per_token = LikelihoodJudge(voice, "token").judge(HISTORIES, CANDIDATES)
    np.testing.assert_allclose(per_token, found / lengths(voice.trie, CANDIDATES), rtol=1e-5)


def test_of_items_without_a_title_it_says_nothing(make_voice):
    voice = make_voice("gpt2", titles=["The crime story 1", "", "Alien", "x", "y", "z"])
    found = LikelihoodJudge(voice).judge(HISTORIES, CANDIDATES)
    assert np.isnan(found).tolist() == (CANDIDATES == 1).tolist()


def test_it_is_kept_with_its_words_and_known_by_them(make_voice, tmp_path):
    judge = LikelihoodJudge(make_voice("gpt2"), "token")
    save_judge(judge, tmp_path)
    again = load_judge(tmp_path)
    assert isinstance(again, LikelihoodJudge)
    assert again.identity() == judge.identity()
    np.testing.assert_array_equal(
        again.judge(HISTORIES, CANDIDATES), judge.judge(HISTORIES, CANDIDATES)
    )


@pytest.mark.parametrize(
    "change",
    [
        {"titles": ["another", *"bcdef"]},
        {"history": 3},
        {"ending": "text"},
        {"template": "{% block user %}{{ history[0].text }}{% endblock %}"},
        {"kind": "llama"},
    ],
)
def test_whatever_decides_what_it_says_is_in_its_identity(make_voice, change):
    plain = make_voice("gpt2")
    assert make_voice("gpt2", batch_tokens=99).identity == plain.identity
    assert make_voice(**{"kind": "gpt2", **change}).identity != plain.identity


def test_another_model_in_the_same_place_is_refused(decoder_folder, make_voice, tmp_path):
    folder = shutil.copytree(decoder_folder("gpt2"), tmp_path / "model")
    save_judge(LikelihoodJudge(make_voice("gpt2", folder=folder)), tmp_path / "judge")
    shutil.copy(decoder_folder("llama") / "model.safetensors", folder)
    with pytest.raises(CheckpointError, match="not those that the teacher was made with"):
        load_judge(tmp_path / "judge")


def test_prompts_leave_room_for_titles(make_voice):
    voice = make_voice("gpt2", title_tokens=500, prompt_tokens=4096)
    assert voice.prompting.room == 512 - 500
    assert Voice(voice.source, voice.titles, VoiceConfig(), voice.template).prompting.room == 464
