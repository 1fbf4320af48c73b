"""What a chat model is asked: the same candidates in several orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field, PositiveInt, field_validator

from recdistill.asking import Answer, Message, Request, require_sendable
from recdistill.files import parse_json
from recdistill.settings import Settings, validated
from recdistill.teachers.endpoints import request
from recdistill.teachers.prompts import FenceConfig, Rendered, checked

Form = Literal["json-schema", "json-object", "text"]
_ALTERNATIVES = 20
"""As many as endpoints give."""


class ListwiseConfig(Settings):
    """How candidates are put before a chat model."""

    text: str | None = None
    """How an item becomes text, such as `{title} ({year})`; the dataset's own template when not given."""
    template: str = "rerank"
    """The prompt: `rerank`, or a file of your own (Jinja; blocks `system` and `user`)."""
    fence: FenceConfig = FenceConfig()
    """How texts of items are kept apart from what the prompt says."""
    history: PositiveInt = 20
    """How many of the latest items are shown."""
    orderings: int = Field(default=2, ge=1, le=8)
    """In how many orders the candidates are shown, a call each; each second order is the one before it backwards. How
    far the answers agree tells how far they are believed. With 1, nobody can tell."""
    form: Literal["auto", "json-schema", "json-object", "text"] = "auto"
    """What the endpoint is held to; `auto` asks one short question to find out whether it can keep to a JSON schema."""
    logprobs: bool = False
    """Whether to ask for probabilities of tokens, and take them for how sure the model is."""
    rationale: bool = False
    """Whether to ask for a sentence that says why."""
    max_tokens: PositiveInt = 400
    """Longest answer."""
    options: dict[str, Any] = Field(default={})
    """More options of the request, such as `temperature` (0 unless given); `null` leaves one out."""

    @field_validator("template")
    @classmethod
    def _can_be_filled(cls, name: str) -> str:
        return checked(name, rationale=False)

    @field_validator("options")
    @classmethod
    def _can_be_sent(cls, options: dict[str, Any]) -> dict[str, Any]:
        with validated():
            require_sendable(options)
        return options

    def request(self, prompt: Rendered, labels: Sequence[str], form: Form) -> Request:
        """The request that puts `prompt` to a model."""
        return request(prompt, self._options(_held_to(form, labels, self.rationale)))

    def _options(self, form: Mapping[str, Any]) -> dict[str, Any]:
        usual: dict[str, Any] = {"temperature": 0, "max_tokens": self.max_tokens, **form}
        if self.logprobs:
            usual |= {"logprobs": True, "top_logprobs": _ALTERNATIVES}
        if "max_completion_tokens" in self.options:
            del usual["max_tokens"]
        return {name: value for name, value in (usual | self.options).items() if value is not None}


def probe() -> Request:
    """A short question that tells whether an endpoint keeps to a JSON schema."""
    said = 'Answer with {"ranking": ["A"]}.'
    return Request(
        (Message("user", said),), {"max_tokens": 32, **_held_to("json-schema", ["A"], False)}
    )


def kept(answer: Answer) -> bool:
    """Whether what an endpoint answered to `probe` is what the schema asks for."""
    try:
        found = parse_json(answer.text or "")
    except ValueError:
        return False
    return isinstance(found, dict) and found.get("ranking") == ["A"]


def _held_to(form: Form, labels: Sequence[str], rationale: bool) -> dict[str, Any]:
    if form == "text":
        return {}
    if form == "json-object":
        return {"response_format": {"type": "json_object"}}
    entries = {"type": "array", "items": {"type": "string", "enum": list(labels)}}
    properties: dict[str, Any] = {"ranking": entries}
    if rationale:
        properties["rationale"] = {"type": "string"}
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    named = {"name": "ranking", "strict": True, "schema": schema}
    return {"response_format": {"type": "json_schema", "json_schema": named}}
