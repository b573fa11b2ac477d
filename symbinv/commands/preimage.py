"""The command `symbinv preimage`: all inputs that meet a condition or a property."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from symbinv.cells.answer import answer
from symbinv.cells.preimage import preimage as find_preimage
from symbinv.cells.specification import read_specification
from symbinv.commands.arguments import read_box, read_goal
from symbinv.commands.options import (
    BoxOption,
    JsonOption,
    MaxCellsOption,
    MaxSecondsOption,
    NetArgument,
    PolicyOption,
    WorkersOption,
)
from symbinv.commands.output import finish, print_json, working
from symbinv.errors import OptionError
from symbinv.files import write_whole
from symbinv.network.network import Network
from symbinv.network.readers.load import load
from symbinv.presentation.plot import figure_bytes
from symbinv.presentation.record import answer_record, preimage_record
from symbinv.presentation.regions import plot_cells
from symbinv.presentation.text import preimage_text

STEP = 0.2  # seconds between two reports of progress


def preimage(
    net: NetArgument,
    target: Annotated[
        str | None, typer.Option(help='A point 0.8,0.2, or a condition: "argmax == 0", "y_0 - y_1 >= 1/2".')
    ] = None,
    spec: Annotated[Path | None, typer.Option(help="A VNN-LIB property: sat, unsat or unknown.")] = None,
    box: BoxOption = None,
    max_cells: MaxCellsOption = None,
    max_seconds: MaxSecondsOption = None,
    workers: WorkersOption = None,
    out: Annotated[Path | None, typer.Option(help="Write the certificate, a .json file.")] = None,
    picture: Annotated[
        Path | None, typer.Option(help="Draw the cells: .png, .pdf or .svg; a slice through the centre in more inputs.")
    ] = None,
    as_json: JsonOption = False,
    policy: PolicyOption = "exact",
) -> None:
    """Find all inputs of a piecewise-linear network that meet a condition, exactly, as polyhedra."""
    if (target is None) == (spec is None):
        raise OptionError("give either --target or --spec, not both and not neither.")
    if out is not None and out.suffix != ".json":
        raise OptionError(f"a certificate is written as .json, not {out.suffix!r}.")
    if spec is not None:
        given = {"--box": box, "--max-cells": max_cells, "--picture": picture}
        extra = [name for name, value in given.items() if value is not None]
        if extra:
            raise OptionError(f"{', '.join(extra)} cannot be given with --spec, whose file states the question.")
    network = load(net, policy=policy)
    if spec is not None:
        _answer_specification(network, spec, max_seconds, workers, out, as_json)
    goal = read_goal(str(target))
    with working("searching") as say:
        found = find_preimage(
            network,
            goal,
            box=read_box(box, network.sizes[0]),
            max_cells=max_cells,
            max_seconds=max_seconds,
            workers=workers,
            progress=_teller(say),
        )
        written = []
        if out is not None:
            say("writing the certificate")
            write_whole(out, json.dumps(found.certificate()))
            written.append(out)
        if picture is not None:
            say("drawing")
            write_whole(picture, figure_bytes(plot_cells(found), picture.suffix))
            written.append(picture)
        say("measuring")
        answer_ = preimage_record(found) if as_json else preimage_text(found)
    if isinstance(answer_, str):
        typer.echo("\n".join([answer_, *(f"wrote {path}" for path in written)]))
    else:
        print_json(answer_)
    finish(found.verdict)
    raise typer.Exit(0 if found.is_complete else 3)


def _teller(say: Callable[[str], None]) -> Callable[[int, int], None]:
    """Return what tells how far a search is, a few times a second."""
    told = 0.0

    def tell(cells: int, closed: int) -> None:
        nonlocal told
        if time.monotonic() - told >= STEP:
            told = time.monotonic()
            say(f"searching: {cells:,} cells, {closed:,} branches closed")

    return tell


def _answer_specification(
    network: Network, spec: Path, max_seconds: float | None, workers: int | None, out: Path | None, as_json: bool
) -> NoReturn:
    specification = read_specification(spec)
    with working("searching") as say:
        found = answer(network, specification, max_seconds=max_seconds, workers=workers, progress=_teller(say))
    if out is not None:
        write_whole(out, json.dumps(found.certificate()))
    record = answer_record(found)
    if as_json:
        print_json(record)
    else:
        typer.echo("\n".join(f"{key}: {_shown(value)}" for key, value in record.items() if value is not None))
        if out is not None:
            typer.echo(f"wrote {out}")
    raise typer.Exit({"sat": 0, "unsat": 1, "unknown": 3}[found.status])


def _shown(value: Any) -> str:
    return f"({', '.join(map(str, value))})" if isinstance(value, list) else str(value)
