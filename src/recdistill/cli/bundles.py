"""`bundle`: who made a bundle, and whether it is whole."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Sign and verify bundles.")
Target = Annotated[Path, typer.Argument(help="A bundle: a folder, or a single file.")]


@app.command("keygen", help="Make a key to sign with; prints its public half.")
def keygen(path: Annotated[Path, typer.Argument(help="The file of the private key.")]) -> None:
    """Make a key."""
    from recdistill.bundle.signing import new_key

    typer.echo(new_key(path))


@app.command("sign", help="Sign a bundle; prints the public key.")
def sign(
    bundle: Target, key: Annotated[Path, typer.Option(help="The file of the private key.")]
) -> None:
    """Put a signature into a bundle."""
    from recdistill.bundle.signing import sign

    typer.echo(sign(bundle, key))


@app.command("verify", help="Check every byte of a bundle, and who signed it; prints its name.")
def verify(
    bundle: Annotated[str, typer.Argument(help="A bundle: a folder, a single file or a URL.")],
    trust: Annotated[
        Path | None,
        typer.Option(envvar="RECDISTILL_TRUST", help="A file of public keys, one of whom signed."),
    ] = None,
) -> None:
    """Open a bundle and say which it is."""
    from recdistill.bundle.loading import load_bundle
    from recdistill.bundle.signing import read_trusted

    trusted = read_trusted(trust) if trust else None
    typer.echo(load_bundle(bundle, trusted_keys=trusted).info.digest)
