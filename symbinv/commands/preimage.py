"""The command `symbinv preimage`: all inputs that meet a condition or a property."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from symbinv.commands.arguments import read_box, read_goal
from symbinv.commands.options import BoxOption, JsonOption, MaxCellsOption, MaxSecondsOption, NetArgument, PolicyOption
from symbinv.commands.output import finish, print_json, working
from symbinv.errors import OptionError
from symbinv.files import write_whole
from symbinv.inverse.answer import answer
from symbinv.inverse.preimage import Preimage
from symbinv.inverse.preimage import preimage as find_preimage
from symbinv.inverse.specification import read_specification
from symbinv.network.network import Network
from symbinv.network.readers.load import load
from symbinv.presentation.plot import figure_bytes
from symbinv.presentation.record import answer_record, preimage_record
from symbinv.presentation.regions import plot_cells
from symbinv.presentation.text import preimage_text

STEP = 1.0  # seconds between two lines of progress


def preimage(
    net: NetArgument,
    target: Annotated[
        str | None, typer.Option(help='A point 0.8,0.2, or a condition: "argmax == 0", "y_0 - y_1 >= 1/2".')
    ] = None,
    spec: Annotated[Path | None, typer.Option(help="A VNN-LIB property: sat, unsat or unknown.")] = None,
    box: BoxOption = None,
    max_cells: MaxCellsOption = None,
    max_seconds: MaxSecondsOption = None,
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
    network = load(net, policy=policy)
    if spec is not None:
        _answer_specification(network, spec, max_seconds, out, as_json)
    goal = read_goal(str(target))
    with working("searching") as say:
        found = _search(network, goal, read_box(box, network.sizes[0]), max_cells, max_seconds, say)
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


def _search(
    network: Network,
    goal: Any,
    box: Any,
    max_cells: int | None,
    max_seconds: float | None,
    say: Callable[[str], None],
) -> Preimage:
    """Search in slices of a second, and tell after each how far it is."""
    start = time.monotonic()
    found: Preimage | None = None
    while True:
        left = STEP if max_seconds is None else min(STEP, start + max_seconds - time.monotonic())
        if found is None:
            found = find_preimage(network, goal, box=box, max_cells=max_cells, max_seconds=max(0.0, left))
        else:
            more = None if max_cells is None else max_cells - len(found.cells)
            found = found.proceed(max_cells=more, max_seconds=max(0.0, left))
        say(f"searching: {len(found.cells):,} cells, {found.closed:,} branches closed")
        spent = max_seconds is not None and time.monotonic() - start >= max_seconds
        if found.is_complete or spent or (max_cells is not None and len(found.cells) >= max_cells):
            return found


def _answer_specification(
    network: Network, spec: Path, max_seconds: float | None, out: Path | None, as_json: bool
) -> NoReturn:
    specification = read_specification(spec)
    with working("searching"):
        found = answer(network, specification, max_seconds=max_seconds)
    if out is not None:
        write_whole(out, json.dumps(found.certificate()))
    record = answer_record(found)
    if as_json:
        print_json(record)
    else:
        typer.echo("\n".join(f"{key}: {value}" for key, value in record.items() if value is not None))
        if out is not None:
            typer.echo(f"wrote {out}")
    raise typer.Exit({"sat": 0, "unsat": 1, "unknown": 3}[found.status])
