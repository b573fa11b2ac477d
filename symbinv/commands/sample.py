"""The command `symbinv sample`, into a file or as a stream of blocks into a folder."""

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from symbinv.commands.arguments import read_pair
from symbinv.commands.inverting import inverse_of
from symbinv.commands.options import (
    AtOption,
    BoxOption,
    FloatsOption,
    JsonOption,
    NetArgument,
    PolicyOption,
    SeedOption,
    TargetOption,
)
from symbinv.commands.output import finish, print_json, report_empty, working
from symbinv.errors import OptionError
from symbinv.inverse.invert import Inverse
from symbinv.inverse.verdict import Empty
from symbinv.network.readers.load import load
from symbinv.presentation.record import samples_record
from symbinv.sampler.compile import compile_sampler
from symbinv.sampler.stream import stream


def sample(
    net: NetArgument,
    target: TargetOption = None,
    box: BoxOption = None,
    at: AtOption = None,
    floats: FloatsOption = False,
    count: Annotated[int, typer.Option(help="Points to return (uniform, project) or to draw.")] = 10_000,
    method: Annotated[str, typer.Option(help="uniform, project, grid, sobol, lhs or random.")] = "uniform",
    measure: Annotated[str, typer.Option(help="Of uniform: surface, conditional or chart.")] = "surface",
    per_variable: Annotated[int, typer.Option(help="Values a free variable for the grid.")] = 100,
    ranges: Annotated[
        str | None, typer.Option(help="Ranges of free variables for the literal methods: lo,hi;lo,hi;... in order.")
    ] = None,
    seed: SeedOption = 0,
    out: Annotated[
        Path | None, typer.Option(help="A .npz or .csv file; a name without suffix is a folder that blocks go to.")
    ] = None,
    as_json: JsonOption = False,
    policy: PolicyOption = "exact",
) -> None:
    """Draw inputs that produce a target; every point is checked by a forward pass."""
    if target is None:
        raise OptionError("give the output with --target=..., one number per output.")
    if out is not None and out.suffix not in (".npz", ".csv", ""):
        raise OptionError(f"samples are written as .npz or .csv, or into a folder, not {out.suffix!r}.")
    inverse = inverse_of(load(net, policy=policy), target, box, at, floats)
    if out is not None and not out.suffix:
        _stream(inverse, count, out, measure, seed, as_json)
    parsed = None if ranges is None else [read_pair(part) for part in ranges.split(";")]
    with working("sampling"):
        samples = compile_sampler(inverse).draw(
            count, method=method, measure=measure, ranges=parsed, per_variable=per_variable, seed=seed
        )
    if out is not None:
        samples.save(out)
    if as_json:
        print_json(samples_record(samples))
    else:
        typer.echo(samples.report.to_text())
        if len(samples):
            typer.echo(f"largest residual: {samples.residual.max():.1e}")
        if out is not None:
            typer.echo(f"wrote {out}")
    finish(inverse.verdict, unknown_is_partial=not len(samples))


def _stream(inverse: Inverse, count: int, folder: Path, measure: str, seed: int, as_json: bool) -> NoReturn:
    """Write blocks of points to a folder, with a progress bar on a terminal; a killed run is resumed."""
    if isinstance(inverse.verdict, Empty):
        raise typer.Exit(report_empty(inverse.verdict))
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (TextColumn("sampling"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("sampling", total=count)
        done = stream(
            compile_sampler(inverse),
            count,
            folder,
            measure=measure,
            seed=seed,
            progress=lambda p: bar.update(task, completed=p.points),
        )
    record = {"points": done.count, "blocks": done.blocks, "r_hat": float(done.r_hat.max()), "folder": str(folder)}
    if as_json:
        print_json(record)
    else:
        typer.echo(f"wrote {done.count:,} points in {done.blocks} blocks to {folder} (R-hat {record['r_hat']:.4f})")
    raise typer.Exit(0)
