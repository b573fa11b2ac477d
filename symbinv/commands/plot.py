"""The command `symbinv plot`."""

from pathlib import Path
from typing import Annotated

import typer

from symbinv.commands.arguments import read_whole
from symbinv.commands.inverting import inverse_of
from symbinv.commands.options import AtOption, BoxOption, FloatsOption, JsonOption, SeedOption, TargetOption
from symbinv.commands.output import print_json, report_empty, working
from symbinv.files import write_whole
from symbinv.inverse.verdict import Empty, Verdict
from symbinv.network.readers.load import load
from symbinv.presentation.plot import figure_bytes, plot_manifold, plot_pairs
from symbinv.presentation.record import samples_record
from symbinv.sampler.compile import compile_sampler
from symbinv.sampler.samples import Samples, load_samples


def plot(
    source: Annotated[Path, typer.Argument(metavar="SAMPLES|NET", help="Samples (.npz), or a network with --target.")],
    out: Annotated[Path, typer.Option(help="A .png, .pdf or .svg file.")] = Path("preimage.png"),
    pairs: Annotated[bool, typer.Option(help="All inputs pair by pair.")] = False,
    inputs: Annotated[str | None, typer.Option(help="Two or three inputs to show, from 1: 1,2,3.")] = None,
    target: TargetOption = None,
    box: BoxOption = None,
    at: AtOption = None,
    floats: FloatsOption = False,
    count: Annotated[int, typer.Option(help="Points to draw from a network.")] = 5_000,
    method: Annotated[str, typer.Option(help="How to draw from a network.")] = "uniform",
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Draw a picture of samples, or of points drawn from a network on the spot."""
    if target is None:
        samples: Samples = load_samples(source)
        verdict: Verdict | None = None
    else:
        inverse = inverse_of(load(source), target, box, at, floats)
        verdict = inverse.verdict
        with working("sampling"):
            samples = compile_sampler(inverse).draw(count, method=method, seed=seed)
        if isinstance(verdict, Empty):
            raise typer.Exit(report_empty(verdict))
    chosen = None if inputs is None else [read_whole(v) - 1 for v in inputs.split(",")]
    figure = plot_pairs(samples, chosen) if pairs else plot_manifold(samples, chosen)
    write_whole(out, figure_bytes(figure, out.suffix))
    if as_json:
        print_json(samples_record(samples) | {"file": str(out)})
    else:
        typer.echo(f"wrote {out} ({len(samples):,} points)")
