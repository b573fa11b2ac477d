"""The command `symbinv verify`."""

from pathlib import Path
from typing import Annotated

import typer

from symbinv.checker import Refused, check_file
from symbinv.errors import ReadError


def verify(file: Annotated[Path, typer.Argument(metavar="FILE", help="A certificate that `preimage` wrote.")]) -> None:
    """Check a certificate in plain integers, without the rest of the library; 1 where it is refused."""
    try:
        found = check_file(str(file))
    except OSError as error:
        raise ReadError(f"{file}: {error.strerror or error}.") from error
    except Refused as refusal:
        typer.echo(f"refused: {refusal}")
        raise typer.Exit(1) from refusal
    cells = "" if found["cells"] is None else f", {found['cells']:,} cells, {found['leaves']:,} leaves"
    typer.echo(f"accepted: {found['claim']}{cells}")
