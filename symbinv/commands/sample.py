"""The command `symbinv sample`, into a file or as a stream of blocks into a folder."""

import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from symbinv.cells.preimage import Preimage
from symbinv.cells.preimage import preimage as find_preimage
from symbinv.cells.problem import pose
from symbinv.commands.arguments import is_condition, read_box, read_goal, read_numbers, read_pair
from symbinv.commands.inverting import inverse_of
from symbinv.commands.options import (
    BoxOption,
    FloatsOption,
    JsonOption,
    MaxCellsOption,
    MaxSecondsOption,
    NetArgument,
    PolicyOption,
    SeedOption,
)
from symbinv.commands.output import finish, print_json, report_empty, working
from symbinv.errors import OptionError
from symbinv.inverse.verdict import Empty, Verdict
from symbinv.network.network import Network
from symbinv.network.readers.load import load
from symbinv.presentation.record import samples_record
from symbinv.sampler.compile import Sampler, compile_sampler
from symbinv.sampler.polytopes.cells import CellSampler
from symbinv.sampler.stream import stream


def sample(
    net: NetArgument,
    target: Annotated[
        str | None,
        typer.Option(
            help='Outputs, such as --target=0.8,0.2; for relu networks and their kin also "argmax == 2" or '
            '"y_0 - y_1 >= 1/2".'
        ),
    ] = None,
    box: BoxOption = None,
    at: Annotated[
        str | None,
        typer.Option(
            help="An input that produces the target: the walk keeps to its component, a relu network to its "
            "activation pattern."
        ),
    ] = None,
    floats: FloatsOption = False,
    count: Annotated[int, typer.Option(help="Points to return (uniform, project) or to draw.")] = 10_000,
    method: Annotated[str, typer.Option(help="uniform, project, grid, sobol, lhs or random.")] = "uniform",
    measure: Annotated[str, typer.Option(help="Of uniform: surface, conditional or chart.")] = "surface",
    per_variable: Annotated[int, typer.Option(help="Values a free variable for the grid.")] = 100,
    ranges: Annotated[
        str | None, typer.Option(help="Ranges of free variables for the literal methods: lo,hi;lo,hi;... in order.")
    ] = None,
    max_cells: MaxCellsOption = None,
    max_seconds: MaxSecondsOption = None,
    seed: SeedOption = 0,
    out: Annotated[
        Path | None, typer.Option(help="A .npz or .csv file; a name without suffix is a folder that blocks go to.")
    ] = None,
    as_json: JsonOption = False,
    policy: PolicyOption = "exact",
) -> None:
    """Draw inputs that produce a target; every point is checked by a forward pass."""
    if target is None:
        raise OptionError('give the output with --target=..., one number per output, or a condition "argmax == 0".')
    if out is not None and out.suffix not in (".npz", ".csv", ""):
        raise OptionError(f"samples are written as .npz or .csv, or into a folder, not {out.suffix!r}.")
    network = load(net, policy=policy)
    options: dict[str, Any] = {"measure": measure}
    sampler: Sampler | CellSampler
    if is_condition(target) or (at is None and not _is_one_to_one(network)):
        if at is not None:
            raise OptionError("--at goes with a target of numbers; a condition is met by all its cells.")
        found = _cells_of(network, target, box, max_cells, max_seconds)
        cells = compile_sampler(found)
        sampler, verdict, partial = cells, found.verdict, cells.is_partial
    else:
        inverse = inverse_of(network, target, box, None if _is_one_to_one(network) else at, floats)
        sampler, verdict, partial = compile_sampler(inverse), inverse.verdict, False
        if at is not None:
            options["at"] = read_numbers(at)
    if out is not None and not out.suffix:
        if method != "uniform":
            raise OptionError(f"a folder of blocks takes the method 'uniform', not {method!r}.")
        _stream(sampler, verdict, count, out, options, seed, as_json)
    if isinstance(sampler, Sampler):
        parsed = None if ranges is None else [read_pair(part) for part in ranges.split(";")]
        options |= {"ranges": parsed, "per_variable": per_variable}
    with working("sampling"):
        samples = sampler.draw(count, method=method, seed=seed, **options)
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
    finish(verdict, unknown_is_partial=not len(samples))
    raise typer.Exit(3 if partial else 0)


def _is_one_to_one(network: Network) -> bool:
    """Tell whether targets are inverted as they are, without an activation pattern of hidden layers."""
    return all(layer.activation.inverse is not None for layer in network.layers[:-1])


def _cells_of(
    network: Network, target: str, box: str | None, max_cells: int | None, max_seconds: float | None
) -> Preimage:
    """Return the exact preimage; where volumes are not to be had, one cell is enough to draw from the whole."""
    goal, bounds = read_goal(target), read_box(box, network.sizes[0])
    if max_cells is None and is_condition(target) and not pose(network, goal, bounds).has_vertices:
        max_cells = 1
    with working("searching"):
        return find_preimage(network, goal, box=bounds, max_cells=max_cells, max_seconds=max_seconds)


def _stream(
    sampler: Sampler | CellSampler,
    verdict: Verdict,
    count: int,
    folder: Path,
    options: dict[str, Any],
    seed: int,
    as_json: bool,
) -> NoReturn:
    """Write blocks of points to a folder, with a progress bar on a terminal; a killed run is resumed."""
    if isinstance(verdict, Empty):
        raise typer.Exit(report_empty(verdict))
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
            sampler,
            count,
            folder,
            measure=str(options["measure"]),
            at=options.get("at"),
            seed=seed,
            progress=lambda p: bar.update(task, completed=p.points),
        )
    record = {"points": done.count, "blocks": done.blocks, "r_hat": float(done.r_hat.max()), "folder": str(folder)}
    if as_json:
        print_json(record)
    else:
        typer.echo(f"wrote {done.count:,} points in {done.blocks} blocks to {folder} (R-hat {record['r_hat']:.4f})")
    raise typer.Exit(0)
