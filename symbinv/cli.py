"""The command `symbinv`.

Exit status: 0 done; 1 the answer is empty; 2 misuse or unreadable input, with one line on stderr; 3 unknown or
partial.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from symbinv import (
    Empty,
    Inverse,
    Network,
    Unknown,
    compile_sampler,
    invert,
    load,
    load_samples,
)
from symbinv.arguments import read_activations, read_box, read_numbers, read_pair, read_whole
from symbinv.checker import Refused, check_file
from symbinv.demo import run_demo
from symbinv.errors import OptionError, ReadError, SymbinvError
from symbinv.files import write_whole
from symbinv.inverse.preimage import preimage as find_preimage
from symbinv.inverse.specification import answer, read_specification
from symbinv.inverse.verdict import Verdict
from symbinv.presentation.latex import to_latex
from symbinv.presentation.plot import figure_bytes, plot_manifold, plot_pairs
from symbinv.presentation.record import answer_record, inverse_record, network_record, preimage_record, samples_record
from symbinv.presentation.text import network_rows, preimage_text, table_text, to_text
from symbinv.sampler.samples import Samples
from symbinv.sampler.stream import stream

# typer carries its own copy of click in newer releases, so the base class is found through its subclass
USAGE_ERROR: Any = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")

app = typer.Typer(
    help="Derive all inputs of a neural network that produce an output, exactly, and sample them.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

NetArgument = Annotated[Path, typer.Argument(metavar="NET", help="A network file: .json, .npz, .onnx, .nnet, ...")]
TargetOption = Annotated[str | None, typer.Option(help="Outputs, such as --target=0.8,0.2 or --target=4/5,1/5.")]
BoxOption = Annotated[
    str | None, typer.Option(help="Bounds of the inputs: lo,hi for all; lo,hi;lo,hi;... one pair each; or a file.")
]
AtOption = Annotated[str | None, typer.Option(help="An input whose activation pattern is taken (relu and its kin).")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
FloatsOption = Annotated[
    bool, typer.Option("--floats", help="Take the target for floats: a softmax target is rescaled to sum to 1.")
]
OutOption = Annotated[Path | None, typer.Option(help="The file to write.")]
SeedOption = Annotated[int, typer.Option(help="Seed of the draw.")]
PolicyOption = Annotated[str, typer.Option(help="What floats of the network stand for: exact or decimal.")]


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="The folder to write into.")] = Path("symbinv-demo"),
    as_json: JsonOption = False,
) -> None:
    """Run the main job on two built-in cases: derivation, points and picture of each."""
    records = []
    with working("running the demo"):
        for result in run_demo(out):
            if as_json:
                record = inverse_record(result.inverse) | {"samples": samples_record(result.samples)}
                records.append(record | {"files": [str(p) for p in result.paths]})
            else:
                typer.echo(f"== {result.case.name}: {result.case.title}\n")
                typer.echo(to_text(result.inverse))
                typer.echo(f"\n{result.samples.report.to_text()}")
                typer.echo(f"largest residual: {result.samples.residual.max(initial=0.0):.1e}")
                typer.echo("\n".join(f"wrote {p}" for p in result.paths) + "\n")
    if as_json:
        print_json(records)


@app.command()
def inspect(net: NetArgument, as_json: JsonOption = False, policy: PolicyOption = "exact") -> None:
    """Print the layers of a network: shape, rank, activation, condition number."""
    network = load(net, policy=policy)
    if as_json:
        print_json(network_record(network))
        return
    typer.echo(f"{net.name}: sizes {' -> '.join(map(str, network.sizes))}\n")
    typer.echo(table_text(network_rows(network)))
    typer.echo("".join(f"\nnote: {note}" for note in network.notes).lstrip("\n"))


@app.command()
def derive(
    net: Annotated[Path | None, typer.Argument(metavar="[NET]", help="A network file.")] = None,
    sizes: Annotated[str | None, typer.Option(help="Instead of a file: sizes of a symbolic network, 3,2.")] = None,
    activation: Annotated[str, typer.Option(help="Its activations: one for all layers, or one each.")] = "sigmoid",
    target: TargetOption = None,
    box: BoxOption = None,
    at: AtOption = None,
    floats: FloatsOption = False,
    out: OutOption = None,
    fragment: Annotated[bool, typer.Option(help="LaTeX for \\input instead of a whole document.")] = False,
    as_json: JsonOption = False,
    policy: PolicyOption = "exact",
) -> None:
    """Derive the inputs that produce a target: LaTeX to --out, the layer table to the terminal."""
    network = _network(net, sizes, activation, policy)
    inverse = _invert(network, target, box, at, floats)
    if out is not None:
        if out.suffix not in (".tex", ".txt"):
            raise OptionError(f"a derivation is written as .tex or .txt, not {out.suffix!r}.")
        text = to_text(inverse) + "\n" if out.suffix == ".txt" else to_latex(inverse, document=not fragment)
        write_whole(out, text)
    if as_json:
        print_json(inverse_record(inverse))
    else:
        typer.echo(to_text(inverse))
        if out is not None:
            typer.echo(f"wrote {out}")
    finish(inverse.verdict, unknown_is_partial=target is not None)


@app.command()
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
    inverse = _invert(load(net, policy=policy), target, box, at, floats)
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
        raise typer.Exit(_report_empty(inverse.verdict))
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


@app.command()
def preimage(
    net: NetArgument,
    target: Annotated[
        str | None, typer.Option(help='A point 0.8,0.2, or a condition: "argmax == 0", "y_0 - y_1 >= 1/2".')
    ] = None,
    spec: Annotated[Path | None, typer.Option(help="A VNN-LIB property: sat, unsat or unknown.")] = None,
    box: BoxOption = None,
    max_cells: Annotated[int | None, typer.Option(help="Stop after so many cells.")] = None,
    max_seconds: Annotated[float | None, typer.Option(help="Stop after so many seconds.")] = None,
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
    goal = target if any(c in str(target) for c in "<>=") else read_numbers(str(target))
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


@app.command()
def verify(file: Annotated[Path, typer.Argument(metavar="FILE", help="A certificate that `preimage` wrote.")]) -> None:
    """Check a certificate in pure fractions, without the rest of the library; 1 where it is refused."""
    try:
        found = check_file(str(file))
    except OSError as error:
        raise ReadError(f"{file}: {error.strerror or error}.") from error
    except Refused as refusal:
        typer.echo(f"refused: {refusal}")
        raise typer.Exit(1) from refusal
    typer.echo(f"accepted: {found['claim']}")


@app.command()
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
        inverse = _invert(load(source), target, box, at, floats)
        verdict = inverse.verdict
        with working("sampling"):
            samples = compile_sampler(inverse).draw(count, method=method, seed=seed)
        if isinstance(verdict, Empty):
            raise typer.Exit(_report_empty(verdict))
    chosen = None if inputs is None else [read_whole(v) - 1 for v in inputs.split(",")]
    figure = plot_pairs(samples, chosen) if pairs else plot_manifold(samples, chosen)
    write_whole(out, figure_bytes(figure, out.suffix))
    if as_json:
        print_json(samples_record(samples) | {"file": str(out)})
    else:
        typer.echo(f"wrote {out} ({len(samples):,} points)")


# -- pieces -----------------------------------------------------------------------------------------------


def _network(net: Path | None, sizes: str | None, activation: str, policy: str) -> Network:
    if (net is None) == (sizes is None):
        raise OptionError("give either a network file or --sizes, not both and not neither.")
    if net is not None:
        return load(net, policy=policy)
    numbers = [read_whole(s) for s in str(sizes).split(",")]
    names = read_activations(activation)
    if len(names) == 1:
        names = names * (len(numbers) - 1)
    return Network.generic(numbers, names)


def _invert(network: Network, target: str | None, box: str | None, at: str | None, floats: bool) -> Inverse:
    exact = None if target is None else read_numbers(target)
    values = [float(v) for v in exact] if exact is not None and floats else exact
    point = None if at is None else read_numbers(at)
    with working("inverting"):
        return invert(network, values, box=read_box(box, network.sizes[0]), at=point)


def finish(verdict: Verdict, unknown_is_partial: bool = True) -> None:
    """End with the exit status of a verdict."""
    if isinstance(verdict, Empty):
        raise typer.Exit(1)
    if isinstance(verdict, Unknown) and unknown_is_partial:
        raise typer.Exit(3)


def _report_empty(verdict: Empty) -> int:
    typer.echo(f"the preimage is empty: {verdict.reason}")
    return 1


def print_json(record: Any) -> None:
    """Print plain data as JSON."""
    typer.echo(json.dumps(record, indent=2, ensure_ascii=True))


@contextmanager
def working(label: str) -> Iterator[None]:
    """Show a spinner on stderr while the block runs; silent when stderr is not a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(f"{label} ..."):
        yield


def fail(message: str) -> NoReturn:
    """Print one line on stderr and exit with status 2."""
    sys.stderr.write(f"symbinv: {' '.join(message.split())}\n")
    raise SystemExit(2)


def main() -> None:
    """Run the command line."""
    try:
        status = app(standalone_mode=False)
    except SymbinvError as error:
        fail(str(error))
    except USAGE_ERROR as error:
        fail(error.format_message())
    except typer.Abort:
        fail("interrupted")
    except BrokenPipeError:
        raise SystemExit(0) from None
    raise SystemExit(status if isinstance(status, int) else 0)


if __name__ == "__main__":
    main()
