"""A student with random weights behind the application, in memory and on a socket."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from editions import editions
from served import Client

from recdistill.data.dataset import Dataset
from recdistill.serving.answering import Student, open_student
from recdistill.serving.app import Application
from recdistill.serving.beside import Beside
from recdistill.serving.histories.opening import Store, open_store
from recdistill.serving.keys import SCOPES, KeyRing, make_key
from recdistill.serving.limits import Limits
from recdistill.serving.shelf import Shelf
from recdistill.serving.stock.store import StockStore


@pytest.fixture(scope="session")
def bundle_folder(tiny_dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty films; read-only."""
    from recdistill.bundle.export import export
    from recdistill.models.sasrec import SASRec

    model = SASRec.for_dataset(tiny_dataset, width=16, heads=2, blocks=1, history=8, seed=3)
    folder = tmp_path_factory.mktemp("served") / "bundle"
    export(model, tiny_dataset, folder)
    return folder


@pytest.fixture
def folder(bundle_folder: Path, tmp_path: Path) -> Path:
    """Bundles `a` (current), `b`, `c`, and `broken`."""
    return editions(bundle_folder, tmp_path / "bundles")


@pytest.fixture(scope="session")
def student(bundle_folder: Path) -> Student:
    return open_student(bundle_folder)


@pytest.fixture
def serve(student: Student) -> Iterator[Callable[..., Client]]:
    """`serve(scopes=SCOPES, store, journal, beside, **limits)`: a client with a key, in memory."""
    clients: list[Client] = []

    def make(scopes=SCOPES, store=None, journal=None, beside=None, **limits):
        key, token = make_key(scopes)
        patient = Limits(**{"deadline": 30.0, "patience": 20.0, **limits})
        app = Application(Shelf(student), KeyRing([key]), patient, store, journal, beside)
        clients.append(Client(app, token))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "data" / "histories.sqlite"), tmp_path / "secrets" / "key")


@pytest.fixture
def stock(tmp_path: Path) -> StockStore:
    return StockStore(tmp_path / "data" / "items.sqlite")


@pytest.fixture
def client(serve: Callable[..., Client], store: Store, stock: StockStore) -> Client:
    """May do everything."""
    return serve(store=store, beside=Beside(stock=stock))
