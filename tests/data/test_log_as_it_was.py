"""`filters.before`: the log as it was at a moment."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pydantic import ValidationError

from recdistill.config.located import load
from recdistill.data.configuration import DatasetConfig
from recdistill.data.preparation import input_identity, load_dataset
from recdistill.data.sources.registry import open_log
from recdistill.errors import DataError

FIRST = 1_600_000_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four users, all at once: item `n` at second `10 n`; a log that stops at step 10 lies beside the whole one."""
    steps, users = range(20), range(4)
    log = pl.DataFrame(
        {
            "user_id": [f"u{user}" for _ in steps for user in users],
            "item_id": [f"i{step:02d}" for step in steps for _ in users],
            "timestamp": [FIRST + 10 * step for step in steps for _ in users],
        }
    )
    for name, rows in (("whole", log), ("short", log.head(40))):
        (tmp_path / name).mkdir()
        rows.write_parquet(tmp_path / name / "log.parquet")
    return tmp_path


def prepared(source: Path, into: Path, before: Any = None) -> Any:
    filters = {} if before is None else {"before": before}
    return load_dataset(source, into=into, name="log", filters=filters)


@pytest.mark.parametrize(
    "moment",
    [
        FIRST + 100,
        datetime.fromtimestamp(FIRST + 100, UTC).isoformat(),
        datetime.fromtimestamp(FIRST + 100, UTC).replace(tzinfo=None).isoformat(),
        datetime.fromtimestamp(FIRST + 99.5, UTC).isoformat(),
    ],
)
def test_a_log_read_up_to_a_moment_is_the_log_that_ended_there(folder: Path, moment: Any) -> None:
    """Step 10 happened at the moment itself, and is not yet known."""
    short = prepared(folder / "short", folder / "a")
    cut = prepared(folder / "whole", folder / "b", moment)
    assert cut.fingerprint == short.fingerprint
    assert cut.manifest["counts"]["later_dropped"] == 40
    assert cut.manifest["counts"]["events_read"] == 80
    assert "later_dropped" not in short.manifest["counts"]


def test_a_moment_half_a_second_after_an_event_knows_the_event(folder: Path) -> None:
    cut = prepared(folder / "whole", folder / "b", FIRST + 90.5)
    assert cut.manifest["counts"]["later_dropped"] == 40
    cut = prepared(folder / "whole", folder / "c", FIRST + 89.5)
    assert cut.manifest["counts"]["later_dropped"] == 44


def test_a_date_in_yaml_is_midnight_in_greenwich(folder: Path) -> None:
    found = DatasetConfig.model_validate(load("{source: x, filters: {before: 2020-09-13}}"))
    assert found.filters.before == datetime(2020, 9, 13, tzinfo=UTC)
    written = found.model_dump(mode="json")
    assert DatasetConfig.model_validate(written) == found


def test_a_moment_decides_what_is_prepared_and_none_leaves_keys_alone(folder: Path) -> None:
    plain = DatasetConfig(source=str(folder / "whole"))
    assert "before" not in plain.model_dump(mode="json")["filters"]
    log = open_log(plain)
    cut = plain.model_copy(
        update={
            "filters": plain.filters.model_copy(update={"before": datetime(2021, 1, 1, tzinfo=UTC)})
        }
    )
    assert input_identity(log, cut) != input_identity(log, plain)


def test_a_moment_before_everything_leaves_nothing(folder: Path) -> None:
    with pytest.raises(DataError, match="No event is left"):
        prepared(folder / "whole", folder / "b", "1990-01-01")


def test_a_log_without_times_has_no_moments(tmp_path: Path) -> None:
    path = tmp_path / "sequences.txt"
    path.write_text("".join(f"u{user} a b c d e f\n" for user in range(6)))
    settings: dict[str, Any] = {"split": {"kind": "last-fraction"}, "into": tmp_path / "out"}
    with pytest.raises(DataError, match="has an order and no times"):
        load_dataset("sequences", path=path, filters={"before": "2020-01-01"}, **settings)


def test_what_is_no_moment_is_refused() -> None:
    with pytest.raises(ValidationError, match="before"):
        DatasetConfig.model_validate({"source": "x", "filters": {"before": "last spring"}})
