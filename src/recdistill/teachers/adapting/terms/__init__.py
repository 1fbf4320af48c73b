"""What a small encoder may learn of the whole one's inside, one file a kind."""

from typing import Annotated

from pydantic import Field

from recdistill.settings import KindInShort
from recdistill.teachers.adapting.terms.input_gradient import InputGradient
from recdistill.teachers.adapting.terms.value_relation import ValueRelation

TermConfig = Annotated[ValueRelation | InputGradient, Field(discriminator="kind"), KindInShort]
"""A further term; its `kind` is enough."""
