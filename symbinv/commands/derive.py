"""The command `symbinv derive`."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from symbinv.commands.inverting import inverse_of, network_of
from symbinv.commands.options import (
    AtOption,
    BoxOption,
    FloatsOption,
    JsonOption,
    PolicyOption,
    TargetOption,
)
from symbinv.commands.output import finish, print_json, working
from symbinv.derivation.derive import derive as derive_steps
from symbinv.errors import OptionError
from symbinv.files import write_whole
from symbinv.inverse.invert import Inverse
from symbinv.presentation.latex import stand_alone, to_latex
from symbinv.presentation.markdown import to_markdown
from symbinv.presentation.pdf import compile_pdf
from symbinv.presentation.record import inverse_record
from symbinv.presentation.text import to_text

# what a derivation is written as, by the file's suffix; the second argument is the mode of LaTeX
WRITERS: dict[str, Callable[[Inverse, str], str | bytes]] = {
    ".tex": lambda inverse, mode: to_latex(inverse, mode=mode),
    ".pdf": lambda inverse, mode: compile_pdf(stand_alone(to_latex(inverse, mode=mode), mode)),
    ".md": lambda inverse, _: to_markdown(inverse),
    ".txt": lambda inverse, _: to_text(inverse) + "\n",
    ".json": lambda inverse, _: derive_steps(inverse).to_json(),
}
WITH_MODE = (".tex", ".pdf")


def derive(
    net: Annotated[Path | None, typer.Argument(metavar="[NET]", help="A network file.")] = None,
    sizes: Annotated[str | None, typer.Option(help="Instead of a file: sizes of a symbolic network, 3,2.")] = None,
    activation: Annotated[str, typer.Option(help="Its activations: one for all layers, or one each.")] = "sigmoid",
    target: TargetOption = None,
    box: BoxOption = None,
    at: AtOption = None,
    pattern: Annotated[
        str | None, typer.Option(help="Pieces or branches: layers between semicolons, such as left,right;- or 1,0;-.")
    ] = None,
    floats: FloatsOption = False,
    free: Annotated[str | None, typer.Option(help="Variables that shall be free, such as x_1,a^{(1)}_2.")] = None,
    order: Annotated[str | None, typer.Option(help="Variables that shall have a pivot first, in order.")] = None,
    strategy: Annotated[
        str, typer.Option(help="Which pivots are taken: paper, fewest_provisos or best_conditioned.")
    ] = "paper",
    out: Annotated[
        Path | None, typer.Option(help="The file to write: .tex, .pdf, .md, .txt, or .json to verify.")
    ] = None,
    mode: Annotated[
        str | None, typer.Option(help="LaTeX as an article, or a fragment, an appendix or beamer frames to \\input.")
    ] = None,
    as_json: JsonOption = False,
    policy: PolicyOption = "exact",
) -> None:
    """Derive the inputs that produce a target: pages to --out, the layer table to the terminal."""
    if out is not None and out.suffix not in WRITERS:
        raise OptionError(f"a derivation is written as {', '.join(WRITERS)}, not {out.suffix!r}.")
    if mode is not None and (out is None or out.suffix not in WITH_MODE):
        raise OptionError("--mode is of LaTeX, so --out must end in .tex or .pdf.")
    network = network_of(net, sizes, activation, policy)
    inverse = inverse_of(network, target, box, at, floats, free=free, order=order, strategy=strategy, pattern=pattern)
    if out is not None:
        with working("writing the derivation"):
            written = WRITERS[out.suffix](inverse, mode or "article")
        write_whole(out, written)
    if as_json:
        print_json(inverse_record(inverse))
    else:
        typer.echo(to_text(inverse))
        if out is not None:
            typer.echo(f"wrote {out}")
    finish(inverse.verdict, unknown_is_partial=target is not None)
