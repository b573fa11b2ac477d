"""The command `symbinv preimage`: all inputs that meet a condition or a property."""

import json
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from symbinv.commands.arguments import read_box, read_goal
from symbinv.commands.options import BoxOption, JsonOption, MaxCellsOption, MaxSecondsOption, NetArgument, PolicyOption
from symbinv.commands.output import finish, print_json, working
from symbinv.errors import OptionError
from symbinv.files import write_whole
from symbinv.inverse.answer import answer
from symbinv.inverse.preimage import preimage as find_preimage
from symbinv.inverse.specification import read_specification
from symbinv.network.network import Network
from symbinv.network.readers.load import load
from symbinv.presentation.record import answer_record, preimage_record
from symbinv.presentation.text import preimage_text


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
    with working("searching"):
        found = find_preimage(
            network, goal, box=read_box(box, network.sizes[0]), max_cells=max_cells, max_seconds=max_seconds
        )
    if out is not None:
        write_whole(out, json.dumps(found.certificate()))
    if as_json:
        print_json(preimage_record(found))
    else:
        typer.echo(preimage_text(found))
        if out is not None:
            typer.echo(f"wrote {out}")
    finish(found.verdict)
    raise typer.Exit(0 if found.is_complete else 3)


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
