"""A published data set is looked for place after place; downloads resume and are checked."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from recdistill.data.configuration import DatasetConfig
from recdistill.data.sources import locations, wheel
from recdistill.data.sources.download import download
from recdistill.data.sources.locations import PUBLISHED, Finder
from recdistill.data.sources.registry import holds, open_log
from recdistill.errors import DataError, SourceUnavailableError, StorageError

URL = "https://files.example/ml.zip"


class Server:
    """An in-memory web server of one file that knows ranges, and may break off an answer."""

    def __init__(
        self, content: bytes, *, ranges: bool = True, break_after: int | None = None
    ) -> None:
        self.content, self.ranges, self.break_after = content, ranges, break_after
        self.asked: list[str | None] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        asked = request.headers.get("Range")
        self.asked.append(asked)
        first = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.ranges else 0
        if first >= len(self.content):
            return httpx.Response(416)
        body = self.content[first:]
        headers = {"Content-Length": str(len(body))}
        status = 206 if asked and self.ranges else 200
        return httpx.Response(status, headers=headers, stream=_Broken(body, self.break_after))

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self)


class _Broken(httpx.SyncByteStream):
    def __init__(self, body: bytes, break_after: int | None) -> None:
        self.body, self.break_after = body, break_after

    def __iter__(self) -> Any:
        yield self.body[: self.break_after]
        if self.break_after is not None:
            raise httpx.ReadError("connection lost")


CONTENT = bytes(range(256)) * 2_000
MD5 = hashlib.md5(CONTENT).hexdigest()


def test_a_file_is_fetched_and_checked(tmp_path: Path) -> None:
    download(URL, tmp_path / "ml.zip", md5=MD5, transport=Server(CONTENT).transport)
    assert (tmp_path / "ml.zip").read_bytes() == CONTENT
    assert [file.name for file in tmp_path.iterdir()] == ["ml.zip"]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_download_goes_on_where_it_stopped(tmp_path: Path, ranges: bool) -> None:
    target = tmp_path / "ml.zip"
    breaking = Server(CONTENT, break_after=100_000)
    with pytest.raises(SourceUnavailableError, match="connection lost"):
        download(URL, target, md5=MD5, transport=breaking.transport)
    assert not target.exists()
    whole = Server(CONTENT, ranges=ranges)
    download(URL, target, md5=MD5, transport=whole.transport)
    assert whole.asked == ["bytes=100000-"]
    assert target.read_bytes() == CONTENT


def test_a_leftover_longer_than_the_file_is_thrown_away(tmp_path: Path) -> None:
    (tmp_path / "ml.zip.part").write_bytes(CONTENT + b"more")
    server = Server(CONTENT)
    download(URL, tmp_path / "ml.zip", md5=MD5, transport=server.transport)
    assert server.asked == [f"bytes={len(CONTENT) + 4}-", None]
    assert (tmp_path / "ml.zip").read_bytes() == CONTENT


def test_other_content_than_published_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailableError, match="other content than published"):
        download(URL, tmp_path / "ml.zip", md5=MD5, transport=Server(b"altered").transport)
    assert list(tmp_path.iterdir()) == []


def test_refusals_and_silence_are_said(tmp_path: Path) -> None:
    missing = httpx.MockTransport(lambda request: httpx.Response(404))
    with pytest.raises(SourceUnavailableError, match="404"):
        download(URL, tmp_path / "ml.zip", md5=None, transport=missing)

    def silent(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route to host")

    with pytest.raises(SourceUnavailableError, match="no route to host"):
        download(URL, tmp_path / "ml.zip", md5=None, transport=httpx.MockTransport(silent))


def test_a_full_disk_is_a_storage_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    server = Server(CONTENT)
    with monkeypatch.context() as patch:
        patch.setattr("recdistill.data.sources.download._store", full)
        with pytest.raises(StorageError, match="No space left"):
            download(URL, tmp_path / "ml.zip", md5=MD5, transport=server.transport)


def archive(folder: str, files: dict[str, str]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as content:
        content.writestr(f"{folder}/", "")
        content.writestr("../escape.txt", "out")
        for name, text in files.items():
            content.writestr(f"{folder}/{name}", text)
    return stream.getvalue()


ML_1M = {"ratings.dat": "7::1::5::100\n8::2::3::200\n", "movies.dat": "1::A::X\n2::B::Y\n"}


@pytest.fixture(autouse=True)
def _no_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RECDISTILL_DATA", raising=False)


def serving(content: bytes) -> tuple[list[str], Callable[[str, Path, str | None], None]]:
    asked: list[str] = []

    def fetch(url: str, target: Path, md5: str | None) -> None:
        asked.append(url)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)

    return asked, fetch


def refuse(url: str, target: Path, md5: str | None) -> None:
    raise SourceUnavailableError(f"{url} cannot be fetched: offline.")


def _put(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name, text in ML_1M.items():
        (folder / name).write_text(text)
    return folder


def test_the_path_given_is_believed_or_refused(tmp_path: Path) -> None:
    finder = Finder(holds, tmp_path / "cache", refuse)
    folder = _put(tmp_path / "mine")
    assert finder.find("movielens-1m", folder) == folder
    with pytest.raises(DataError, match="does not hold movielens-1m"):
        finder.find("movielens-1m", tmp_path)


@pytest.mark.parametrize("inside", ["ml-1m", "."])
def test_the_data_folder_comes_before_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: str
) -> None:
    folder = _put(tmp_path / "data" / inside)
    monkeypatch.setenv("RECDISTILL_DATA", str(tmp_path / "data"))
    found = Finder(holds, tmp_path / "cache", refuse).find("movielens-1m", None)
    assert found.samefile(folder)


def test_a_download_is_unpacked_once(tmp_path: Path) -> None:
    asked, fetch = serving(archive("ml-1m", ML_1M))
    finder = Finder(holds, tmp_path / "cache", fetch)
    config = DatasetConfig(source="movielens-1m")
    log = open_log(config, finder)
    assert log.events.collect().height == 2
    assert log.name == "movielens-1m"
    open_log(config, finder)
    assert asked == ["https://files.grouplens.org/datasets/movielens/ml-1m.zip"]
    names = {file.name for file in (tmp_path / "cache" / "ml-1m").iterdir()}
    assert names == set(ML_1M)  # nothing escaped, nothing more


def test_when_nothing_is_reachable_every_place_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECDISTILL_DATA", str(tmp_path / "data"))
    with pytest.raises(SourceUnavailableError) as caught:
        Finder(holds, tmp_path / "cache", refuse).find("movielens-1m", None)
    text = str(caught.value)
    for place in (str(tmp_path / "data" / "ml-1m"), str(tmp_path / "cache"), "offline"):
        assert place in text
    assert "dataset.path" in caught.value.hint
    assert "RECDISTILL_DATA" in caught.value.hint


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"no zip", "no whole zip file"), (archive("other", ML_1M), "does not hold the files")],
)
def test_a_useless_archive_is_said(tmp_path: Path, content: bytes, message: str) -> None:
    _, fetch = serving(content)
    with pytest.raises(SourceUnavailableError, match=message):
        Finder(holds, tmp_path / "cache", fetch).find("movielens-1m", None)


def recbole_wheel(folder: Path, ratings: dict[int, int]) -> None:
    rows = ["user_id:token\titem_id:token\trating:float\ttimestamp:float"]
    rows += [f"{i % 9}\t{i % 7}\t{r}\t{i}" for r, n in ratings.items() for i in range(n)]
    item = "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
    with zipfile.ZipFile(folder / "recbole-1-py3-none-any.whl", "w") as content:
        content.writestr("recbole/dataset_example/ml-100k/ml-100k.inter", "\n".join(rows) + "\n")
        content.writestr(
            "recbole/dataset_example/ml-100k/ml-100k.item", item + "1\tHeat\t1995\tCrime\n"
        )


KNOWN = {1: 6110, 2: 11370, 3: 27145, 4: 34174, 5: 21201}


def test_the_registry_is_the_last_resort(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def from_wheel(folder: Path) -> None:
        wheel.extract_100k(folder, lambda into: recbole_wheel(into, KNOWN))

    published = locations.Published("ml-100k", None, ("the wheel", from_wheel))
    monkeypatch.setitem(PUBLISHED, "movielens-100k", published)
    finder = Finder(holds, tmp_path / "cache", refuse)
    log = open_log(DatasetConfig(source="movielens-100k"), finder)
    assert log.name == "movielens-100k"
    assert log.events.collect().height == 100_000
    assert log.items is not None
    assert log.items.collect()["genres"].to_list() == ["Crime"]


def test_an_altered_copy_is_refused(tmp_path: Path) -> None:
    altered = KNOWN | {1: 6109, 5: 21202}
    with pytest.raises(SourceUnavailableError, match="altered copy"):
        wheel.extract_100k(tmp_path / "out", lambda into: recbole_wheel(into, altered))
    assert not (tmp_path / "out").exists()


def test_a_registry_without_the_wheel_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SourceUnavailableError, match="gave no RecBole wheel"):
        wheel.extract_100k(tmp_path / "out", lambda into: None)
    with pytest.raises(SourceUnavailableError, match="holds no MovieLens"):
        wheel.extract_100k(
            tmp_path / "out", lambda into: (into / "recbole-1.whl").write_bytes(b"no zip") and None
        )
    # A pip that fails, and none at all.
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(SourceUnavailableError, match="pip cannot fetch RecBole"):
        wheel.extract_100k(tmp_path / "out")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
    with pytest.raises(SourceUnavailableError, match="pip cannot fetch RecBole"):
        wheel.extract_100k(tmp_path / "out")


def test_pip_is_asked_for_the_wheel_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        recbole_wheel(Path(command[command.index("--dest") + 1]), KNOWN)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    wheel.extract_100k(tmp_path / "out")
    assert {"--no-deps", "--only-binary", "recbole"} <= set(asked[0])
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"ml-100k.inter", "ml-100k.item"}


def test_the_official_addresses_are_grouplens() -> None:
    for name, published in PUBLISHED.items():
        assert published.url.startswith("https://files.grouplens.org/datasets/movielens/ml-"), name


def test_fetching_by_default_speaks_http(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, str | None]] = []

    def record(url: str, target: Path, *, md5: str | None) -> None:
        seen.append((url, md5))
        raise SourceUnavailableError("offline")

    monkeypatch.setattr(locations, "download", record)
    with pytest.raises(SourceUnavailableError):
        Finder(holds, tmp_path).find("movielens-latest-small", None)
    assert seen == [(PUBLISHED["movielens-latest-small"].url, None)]
