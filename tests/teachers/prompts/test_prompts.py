from __future__ import annotations

import pytest

from recdistill.errors import ConfigError
from recdistill.teachers.prompts import (
    FenceConfig,
    Prompt,
    Template,
    checked,
    shipped_templates,
)

TEXTS = ["Heat", "Alien", "Fargo", "Ran"]


def own(tmp_path, text: str) -> str:
    file = tmp_path / "own.j2"
    file.write_text(text)
    return str(file)


def test_a_template_says_what_it_says(tmp_path):
    name = own(
        tmp_path,
        "{% block system %}Be brief. {{ fence.rule }}{% endblock %}"
        "{% block user %}{% for item in history %}{{ item.label }}={{ item.text }};{% endfor %}"
        "{{ candidates[0].label }}={{ candidates[0].text }} {{ more }}{% endblock %}",
    )
    prompt = Prompt(Template.read(name), TEXTS).render([2, 0], [3], more="!")
    assert prompt.user == "1=Fargo;2=Heat;A=Ran !"
    assert prompt.system.startswith("Be brief. Lines between <data-")


def test_the_system_block_may_be_left_out(tmp_path):
    name = own(tmp_path, "{% block user %}hello{% endblock %}")
    prompt = Prompt(Template.read(name), TEXTS).render([0])
    assert (prompt.system, prompt.user) == ("", "hello")


@pytest.mark.parametrize("name", ["rerank", "next-item", "profile", "describe"])
def test_those_that_come_with_the_package_can_be_filled(name):
    assert name in shipped_templates()
    assert checked(name, rationale=True) == name
    prompt = Prompt(Template.read(name), TEXTS).render([0, 1], [2], rationale=False)
    assert prompt.system
    assert prompt.user


@pytest.mark.parametrize("datamark", [False, True])
def test_datamarking_joins_words(datamark):
    prompt = Prompt(Template.read("describe"), ["A long day"], FenceConfig(datamark=datamark))
    found = prompt.render([], [0])
    assert ("AˆlongˆdayX".removesuffix("X") in found.user) == datamark
    assert ("joined by ˆ" in found.system) == datamark


def test_an_item_without_text_is_said_to_have_none():
    assert "(no text)" in Prompt(Template.read("describe"), [""]).render([], [0]).user


def test_a_prompt_holds_its_history_and_candidates_and_nothing_else():
    texts = [f"item{number:03d}" for number in range(100)]
    history, candidates = [5, 17, 3], [40, 41]
    found = Prompt(Template.read("rerank"), texts).render(history, candidates, rationale=False)
    for number, text in enumerate(texts):
        assert (text in found.user + found.system) == (number in [*history, *candidates])
    changed = [
        text if number in [*history, *candidates] else "other" for number, text in enumerate(texts)
    ]
    assert (
        Prompt(Template.read("rerank"), changed).render(history, candidates, rationale=False)
        == found
    )


def test_identity_is_of_what_is_said_and_how():
    template = Template.read("rerank")
    found = {
        Prompt(template, TEXTS).identity,
        Prompt(template, TEXTS, FenceConfig(datamark=True)).identity,
        Prompt(template, TEXTS, FenceConfig(max_characters=50)).identity,
        Prompt(Template("rerank", template.text + " "), TEXTS).identity,
    }
    assert len(found) == 4
    assert Prompt(Template("other name", template.text), ["x"]).identity in found


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("{% block user %}{{ histroy }}{% endblock %}", "histroy", "history"),
        ("{% block user %}{{ history[0].tilte }}{% endblock %}", "tilte", ""),
        ("{% block user %}\n{% for %}{% endblock %}", "malformed in line 2", "Jinja"),
        ("hello", "no block 'user'", "endblock"),
        ("{% block user %}{% include '/etc/passwd' %}{% endblock %}", "cannot be filled", ""),
        (
            "{% block user %}{{ history.__class__.__mro__[1].__subclasses__() }}{% endblock %}",
            "cannot be filled",
            "",
        ),
        ("{% block user %}{{ history.append(1) }}{% endblock %}", "cannot be filled", ""),
        (
            "{% block user %}{{ range(10000000) | list | length }}{% endblock %}",
            "cannot be filled",
            "",
        ),
        ("{% block user %}{{ 1 / 0 }}{% endblock %}", "cannot be filled", ""),
    ],
)
def test_a_template_that_is_wrong_is_refused(tmp_path, text, message, hint):
    name = own(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        Prompt(Template.read(name), TEXTS).render([0, 1], [2])
    assert message in caught.value.message
    assert hint in caught.value.hint
    with pytest.raises(ValueError, match="template"):
        checked(name)


def test_an_unknown_template_names_the_nearest():
    with pytest.raises(ConfigError, match="rerunk") as caught:
        Template.read("rerunk")
    assert "Did you mean 'rerank'?" in caught.value.hint
