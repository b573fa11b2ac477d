"""The command `symbinv demo`."""

from pathlib import Path
from typing import Annotated

import typer

from symbinv.commands.options import JsonOption
from symbinv.commands.output import print_json, working
from symbinv.demo import run_demo
from symbinv.presentation.record import inverse_record, samples_record
from symbinv.presentation.text import to_text


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
