"""The command `symbinv derive`."""

from pathlib import Path
from typing import Annotated

import typer

from symbinv.commands.inverting import inverse_of, network_of
from symbinv.commands.options import (
    AtOption,
    BoxOption,
    FloatsOption,
    JsonOption,
    OutOption,
    PolicyOption,
    TargetOption,
)
from symbinv.commands.output import finish, print_json
from symbinv.errors import OptionError
from symbinv.files import write_whole
from symbinv.presentation.latex import to_latex
from symbinv.presentation.record import inverse_record
from symbinv.presentation.text import to_text


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
    out: OutOption = None,
    fragment: Annotated[bool, typer.Option(help="LaTeX for \\input instead of a whole document.")] = False,
    as_json: JsonOption = False,
    policy: PolicyOption = "exact",
) -> None:
    """Derive the inputs that produce a target: LaTeX to --out, the layer table to the terminal."""
    network = network_of(net, sizes, activation, policy)
    inverse = inverse_of(network, target, box, at, floats, free=free, order=order, strategy=strategy, pattern=pattern)
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
