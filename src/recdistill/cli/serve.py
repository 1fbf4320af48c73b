"""`serve`: a bundle behind HTTP; `keys`: who may ask it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recdistill.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from recdistill.serving.keys import KeyRing

keys = typer.Typer(no_args_is_help=True, help="API keys of a server.")

KeyFile = Annotated[
    Path, typer.Option("--keys", envvar="RECDISTILL_KEYS", help="The file of keys.")
]


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    app.command(
        "serve",
        help=(
            "Answer over HTTP from a bundle.\n\n"
            "Example: `recdistill serve runs/quickstart/bundle --keys keys.json`"
        ),
    )(serve)
    app.add_typer(keys, name="keys")


def serve(
    bundle: Annotated[Path, typer.Argument(help="The bundle's folder.")],
    host: Annotated[
        str, typer.Option(help="The address to listen on; beyond this machine only with --keys.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any free one.")] = 8000,
    key_file: Annotated[
        Path | None,
        typer.Option(
            "--keys",
            envvar="RECDISTILL_KEYS",
            help="The file of keys; without one a key is made for this session.",
        ),
    ] = None,
    certificate: Annotated[Path | None, typer.Option(help="TLS: certificate chain (PEM).")] = None,
    certificate_key: Annotated[Path | None, typer.Option(help="TLS: its key (PEM).")] = None,
    rate: Annotated[
        float, typer.Option(min=0, help="Requests a second for each key; 0 for any number.")
    ] = 0.0,
    deadline: Annotated[float, typer.Option(min=0.001, help="Seconds for an answer.")] = 1.0,
    histories: Annotated[
        str | None,
        typer.Option(
            envvar="RECDISTILL_HISTORIES",
            help="Where users' histories are kept: a file (SQLite; by default among your data), or `none`.",
        ),
    ] = None,
    pseudonym_key: Annotated[
        Path | None,
        typer.Option(
            envvar="RECDISTILL_PSEUDONYM_KEY_FILE",
            help="The file of the key that users' ids are hashed with; made if there is none.",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Write no line a request.")] = False,
) -> None:
    """Serve until told to stop."""
    from recdistill.serving.configuration import ServerConfig, require_safe
    from recdistill.serving.limits import Limits

    config = ServerConfig(
        host=host,
        port=port,
        keys=key_file,
        certificate=certificate,
        certificate_key=certificate_key,
        limits=Limits(rate=rate, deadline=deadline),
    )
    require_safe(config)
    try:
        import msgspec  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ImportError:
        raise MissingExtraError("Serving a bundle", "serve") from None
    from recdistill.serving.answering import open_student
    from recdistill.serving.app import Application
    from recdistill.serving.histories.opening import open_store
    from recdistill.serving.running import address, bound, run
    from recdistill.serving.shelf import Shelf

    ring, shown = _ring(key_file)
    listener = bound(config)
    store = open_store(histories, pseudonym_key)
    journal = None if quiet else sys.stderr
    app = Application(Shelf(open_student(bundle)), ring, config.limits, store, journal)
    where = f"Serving {bundle} at {address(config, listener)}{shown}"
    run(app, config, listener, lambda: typer.echo(where, err=True))


def _ring(key_file: Path | None) -> tuple[KeyRing, str]:
    """The keys, and what to tell of them."""
    from recdistill.serving.keys import SCOPES, KeyRing, make_key

    if key_file is not None:
        return KeyRing(path=key_file), ""
    key, token = make_key(SCOPES, "this session")
    return KeyRing([key]), f"\n  A key for this session: {token}"


@keys.command("add", help="Make a key. It is shown once: only its hash is kept.")
def add(
    path: KeyFile,
    scope: Annotated[
        list[str],
        typer.Option(help="What it may do: recommend, events, metrics, admin. May be repeated."),
    ],
    name: Annotated[str, typer.Option(help="Who it is for.")] = "",
) -> None:
    """Add a key to a file, which is made if there is none."""
    from recdistill.serving.keys import make_key, read_keys, write_keys

    known = read_keys(path) if path.exists() else ()
    key, token = make_key(scope, name)
    write_keys(path, (*known, key))
    typer.echo(token)
    typer.echo(f"Key {key.id} may: {', '.join(key.scopes)}. It is not shown again.", err=True)


@keys.command("list", help="List the keys of a file.")
def list_keys(path: KeyFile) -> None:
    """Print ids, scopes and names."""
    from recdistill.serving.keys import read_keys

    for key in read_keys(path):
        typer.echo(f"{key.id}  {', '.join(key.scopes):<36} {key.name}".rstrip())


@keys.command("revoke", help="Remove a key; servers notice within a second or two.")
def revoke(
    path: KeyFile, identity: Annotated[str, typer.Argument(help="The key's id, as listed.")]
) -> None:
    """Remove a key from a file."""
    from recdistill.errors import nearest
    from recdistill.serving.keys import read_keys, write_keys

    known = read_keys(path)
    if identity not in {key.id for key in known}:
        raise ConfigError(
            f"There is no key '{identity}'.", nearest(identity, [key.id for key in known])
        )
    write_keys(path, [key for key in known if key.id != identity])
