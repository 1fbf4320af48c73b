"""Which files hold what, and where in a record it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from recdistill.data.hearsay.matching import Matching
from recdistill.data.hearsay.mentions import AnyListField, ListField
from recdistill.data.sources.registry import under_data
from recdistill.errors import DataError
from recdistill.files import file_sha256
from recdistill.settings import Settings

LeakPolicy = Literal["refuse", "scrub", "allow"]


class ToldFile(Settings):
    """A file of what somebody's model said."""

    path: Path
    """A table (.parquet, .csv, .tsv), JSON, or JSON lines (.jsonl, .log), gzipped or not; also looked for under
    `$RECDISTILL_DATA`."""

    @property
    def file(self) -> Path:
        """Where it lies.

        Raises:
            DataError: nowhere.
        """
        found = under_data(self.path)
        if not found.is_file():
            raise DataError(
                f"There is no file {self.path}.",
                "Paths start where the command runs, or at $RECDISTILL_DATA.",
            )
        return found

    @property
    def besides(self) -> list[str]:
        """The content of the file."""
        return [file_sha256(self.file)]


class AboutUsers(ToldFile):
    """A file whose records are about users."""

    user_id: str | None = "user_id"
    """The field with the user a record is about, as the user stands at the end of training; `@key` where records are
    the values of an object of objects; `null` where records are not about one user."""
    shift: int = 0
    """What is added to it, for files that count users from 0 where the log counts from 1."""
    repeated: Literal["first", "last"] = "last"
    """Which of several records about the same counts; logs are appended to, so the last."""


class ListsFile(AboutUsers):
    """Ranked lists, best first; items by id or by title."""

    history: AnyListField | None = None
    """The field with the items a list was made from, oldest first. Without `user_id` it says what the list is about;
    with it, it is what the user's key is checked by."""
    items: AnyListField = ListField(field="items")
    """The field with the list."""
    rows: Literal["list", "item"] = "list"
    """Whether a record holds a whole list, or one item of one (all records of a user together are the list)."""
    scores: str | None = None
    """The field with the scores of the items, or of the item."""
    scale: Literal["score", "probability"] = "score"
    """What scores are: anything that is higher for better items, taken as it is; or probabilities, whose logarithm is
    taken."""
    confidence: str | None = None
    """The field with how sure a list is, from 0 to 1: its preferences are multiplied by it."""
    why: str | None = Field(default=None, exclude_if=lambda given: given is None)
    """The field with the reasons, in words: of each item, or one text, which is taken for that of the first item. They
    are shown to people, and nothing learns from them."""
    candidates: AnyListField | None = None
    """The field with what the model was shown to choose from; of other items it then says nothing."""
    longest: PositiveInt = 100
    """Longer lists are cut, and counted."""
    matching: Matching = Matching()

    @model_validator(mode="after")
    def _about_something(self) -> ListsFile:
        if self.rows == "item" and self.history is not None and self.user_id is None:
            raise ValueError("records of one item each cannot be about a history: give whole lists")
        if self.user_id is None and self.history is None and self.rows == "list":
            raise ValueError(
                "whose lists are they? Give `user_id`, or `history`; or `rows: item` where every record is about one "
                "item and nobody in particular"
            )
        return self

    @property
    def about(self) -> Literal["users", "histories", "everybody"]:
        """What its statements are about."""
        if self.user_id is not None:
            return "users"
        return "histories" if self.history is not None else "everybody"


class TextsAboutUsers(AboutUsers):
    """Texts about users: profiles, preferences, interests."""

    text: str = "text"
    """The field with the text, or with a list of words."""
    user_id: str | None = "user_id"
    title: str | None = Field(default=None, exclude_if=lambda given: given is None)
    """The catalogue's column with the titles that are looked for in the texts; `title` or `name` when not given."""


class TextsAboutItems(ToldFile):
    """Texts about items: descriptions, summaries."""

    item_id: str = "item_id"
    """The field with the item, by id or by title; `@key` where texts are the values of an object."""
    text: str = "text"
    """The field with the text."""
    name: str = Field(default="said", pattern=r"^\w+$")
    """What templates call it, as in `{title}. {said}`."""
    matching: Matching = Matching()
