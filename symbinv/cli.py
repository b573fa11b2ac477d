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
from symbinv.demo import run_demo
from symbinv.errors import OptionError, ReadError, ShapeError, SymbinvError
from symbinv.exact.policy import to_fraction
from symbinv.files import write_whole
from symbinv.inverse.verdict import Verdict
from symbinv.presentation.latex import to_latex
from symbinv.presentation.plot import figure_bytes, plot_manifold, plot_pairs
from symbinv.presentation.record import inverse_record, network_record, samples_record
from symbinv.presentation.text import network_rows, table_text, to_text
from symbinv.sampler.samples import Samples

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
    out: OutOption = None,
    fragment: Annotated[bool, typer.Option(help="LaTeX for \\input instead of a whole document.")] = False,
    as_json: JsonOption = False,
    policy: PolicyOption = "exact",
) -> None:
    """Derive the inputs that produce a target: LaTeX to --out, the layer table to the terminal."""
    network = _network(net, sizes, activation, policy)
    inverse = _invert(network, target, box, at)
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
    count: Annotated[int, typer.Option(help="Points to return (project) or to draw.")] = 10_000,
    method: Annotated[str, typer.Option(help="grid, sobol, lhs, random or project.")] = "project",
    per_variable: Annotated[int, typer.Option(help="Values a free variable for the grid.")] = 100,
    ranges: Annotated[
        str | None, typer.Option(help="Ranges of free variables for the literal methods: lo,hi;lo,hi;... in order.")
    ] = None,
    seed: SeedOption = 0,
    out: Annotated[Path | None, typer.Option(help="A .npz or .csv file.")] = None,
    as_json: JsonOption = False,
    policy: PolicyOption = "exact",
) -> None:
    """Draw inputs that produce a target; every point is checked by a forward pass."""
    if target is None:
        raise OptionError("give the output with --target=..., one number per output.")
    if out is not None and out.suffix not in (".npz", ".csv"):
        raise OptionError(f"samples are written as .npz or .csv, not {out.suffix or 'a file without suffix'!r}.")
    inverse = _invert(load(net, policy=policy), target, box, at)
    parsed = None if ranges is None else [_pair(part) for part in ranges.split(";")]
    with working("sampling"):
        samples = compile_sampler(inverse).draw(
            count, method=method, ranges=parsed, per_variable=per_variable, seed=seed
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


@app.command()
def plot(
    source: Annotated[Path, typer.Argument(metavar="SAMPLES|NET", help="Samples (.npz), or a network with --target.")],
    out: Annotated[Path, typer.Option(help="A .png, .pdf or .svg file.")] = Path("preimage.png"),
    pairs: Annotated[bool, typer.Option(help="All inputs pair by pair.")] = False,
    inputs: Annotated[str | None, typer.Option(help="Two or three inputs to show, from 1: 1,2,3.")] = None,
    target: TargetOption = None,
    box: BoxOption = None,
    at: AtOption = None,
    count: Annotated[int, typer.Option(help="Points to draw from a network.")] = 5_000,
    method: Annotated[str, typer.Option(help="How to draw from a network.")] = "project",
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Draw a picture of samples, or of points drawn from a network on the spot."""
    if target is None:
        samples: Samples = load_samples(source)
        verdict: Verdict | None = None
    else:
        inverse = _invert(load(source), target, box, at)
        verdict = inverse.verdict
        with working("sampling"):
            samples = compile_sampler(inverse).draw(count, method=method, seed=seed)
        if isinstance(verdict, Empty):
            raise typer.Exit(_report_empty(verdict))
    chosen = None if inputs is None else [_whole(v) - 1 for v in inputs.split(",")]
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
    numbers = [_whole(s) for s in str(sizes).split(",")]
    names = _split_activations(activation)
    if len(names) == 1:
        names = names * (len(numbers) - 1)
    return Network.generic(numbers, names)


def _split_activations(text: str) -> list[str]:
    """Split at commas outside parentheses."""
    names, depth = [""], 0
    for c in text:
        depth += {"(": 1, ")": -1}.get(c, 0)
        if c == "," and depth == 0:
            names.append("")
        else:
            names[-1] += c
    return names


def _invert(network: Network, target: str | None, box: str | None, at: str | None) -> Inverse:
    values = None if target is None else _numbers(target)
    point = None if at is None else _numbers(at)
    with working("inverting"):
        return invert(network, values, box=_box(box, network.sizes[0]), at=point)


def _numbers(text: str) -> list[Any]:
    return [to_fraction(part.strip()) for part in text.split(",")]


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise OptionError(f"a whole number is needed, not {text[:40]!r}.") from error


def _pair(text: str) -> tuple[Any, Any]:
    numbers = _numbers(text)
    if len(numbers) != 2:
        raise ShapeError(f"a pair lo,hi is needed, not {text[:60]!r}.")
    return numbers[0], numbers[1]


def _box(text: str | None, inputs: int) -> list[tuple[Any, Any]] | None:
    """Read lo,hi for all inputs, one pair for each between semicolons, or a file of such lines."""
    if text is None:
        return None
    if not any(c in text for c in ",;"):
        try:
            lines = Path(text).read_text(encoding="utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ReadError(f"a box must be lo,hi, pairs between semicolons, or a file; {text!r}: {error}.") from error
        text = ";".join(line.strip() for line in lines if line.strip())
    pairs = [_pair(part) for part in text.split(";")]
    return pairs * inputs if len(pairs) == 1 else pairs


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
