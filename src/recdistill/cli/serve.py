"""`serve`: a bundle behind HTTP; `keys`: who may ask it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recdistill.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from recdistill.serving.keys import ApiKey

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
    app.command(
        "promote",
        help=(
            "Choose which of a folder's bundles answers; servers of that folder take it over.\n\n"
            "Example: `recdistill promote bundles 2026-11-21`"
        ),
    )(promote)
    app.command(
        "rollback",
        help=(
            "Go back to the bundle that was current before.\n\nExample: `recdistill rollback bundles`"
        ),
    )(rollback)


def serve(
    bundle: Annotated[
        Path, typer.Argument(help="A bundle, or a folder of bundles with a pointer (`promote`).")
    ],
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
    tokens: Annotated[
        Path | None,
        typer.Option(
            envvar="RECDISTILL_TOKENS",
            help="A YAML file that says whose signed tokens (JWT) open the server too.",
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
            help="Where users' histories are kept: a file (SQLite; by default among your data), redis://…, or `none`.",
        ),
    ] = None,
    pseudonym_key: Annotated[
        Path | None,
        typer.Option(
            envvar="RECDISTILL_PSEUDONYM_KEY_FILE",
            help="The file of the key that users' ids are hashed with; made if there is none.",
        ),
    ] = None,
    items: Annotated[
        str | None,
        typer.Option(
            envvar="RECDISTILL_ITEMS",
            help="Where new and removed items are kept: a file (SQLite; by default beside the histories), or `none`.",
        ),
    ] = None,
    rules: Annotated[
        Path | None, typer.Option(help="A YAML file of rules that requests may name.")
    ] = None,
    recording: Annotated[
        Path | None,
        typer.Option(
            help="Keep a sample of requests here, without users; bundles are warmed with it."
        ),
    ] = None,
    teacher: Annotated[
        Path | None,
        typer.Option(help="A run's folder: the playground shows what its teacher said."),
    ] = None,
    playground: Annotated[
        bool, typer.Option(help="A page at / to look at lists; it holds nothing without a key.")
    ] = True,
    trust: Annotated[
        Path | None,
        typer.Option(
            envvar="RECDISTILL_TRUST",
            help="A file of public keys: bundles that none of them signed are refused.",
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, max=256, help="Processes that answer; one a core is enough.")
    ] = 1,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Write no line a request.")] = False,
) -> None:
    """Serve until told to stop."""
    from recdistill.serving.configuration import ServerConfig, require_safe
    from recdistill.serving.limits import Limits

    config = ServerConfig(
        host=host,
        port=port,
        keys=key_file,
        tokens=tokens,
        certificate=certificate,
        certificate_key=certificate_key,
        workers=workers,
        limits=Limits(rate=rate, deadline=deadline),
    )
    require_safe(config)
    try:
        import msgspec  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ImportError:
        raise MissingExtraError("Serving a bundle", "serve") from None
    from recdistill.serving.assignment import Assignment
    from recdistill.serving.running import address, bound, serve_here, serve_with_workers

    made, shown = ((), "") if key_file or tokens else _key_of_this_session()
    assignment = Assignment(
        bundle=bundle,
        config=config,
        keys=made,
        histories=histories,
        pseudonym_key=pseudonym_key,
        items=items,
        rules=rules,
        recording=recording,
        teacher=teacher,
        playground=playground,
        trust=trust,
        quiet=quiet,
    )
    begin = serve_here if workers == 1 else serve_with_workers
    with bound(config) as listener:
        where = f"Serving {bundle} at {address(config, listener)}{shown}"
        begin(assignment, listener, lambda: typer.echo(where, err=True))


def _key_of_this_session() -> tuple[tuple[ApiKey, ...], str]:
    """A key that no file holds, and what to tell of it."""
    from recdistill.serving.keys import SCOPES, make_key

    key, token = make_key(SCOPES, "this session")
    return (key,), f"\n  A key for this session: {token}"


Shelf = Annotated[Path, typer.Argument(help="The folder that holds the bundles.")]


def promote(
    folder: Shelf, name: Annotated[str, typer.Argument(help="The bundle's name in the folder.")]
) -> None:
    """Point at a bundle, after opening and asking it."""
    from recdistill.serving.pointer import Pointer
    from recdistill.serving.shelf import warmed

    if name in Pointer(folder).names():
        warmed(folder / name)
    Pointer(folder).promote(name)
    typer.echo(f"Current: {name}")


def rollback(folder: Shelf) -> None:
    """Point at the bundle before, after opening and asking it."""
    from recdistill.serving.pointer import Pointer
    from recdistill.serving.shelf import warmed

    pointer = Pointer(folder)
    for name in pointer.read().before[-1:]:
        warmed(folder / name)
    typer.echo(f"Current: {pointer.roll_back()}")


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
