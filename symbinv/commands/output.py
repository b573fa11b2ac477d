"""What every command does with its result: plain data, an exit status, a spinner meanwhile."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer

from symbinv.inverse.verdict import Empty, Unknown, Verdict


def print_json(record: Any) -> None:
    """Print plain data as JSON."""
    typer.echo(json.dumps(record, indent=2, ensure_ascii=True))


def finish(verdict: Verdict, unknown_is_partial: bool = True) -> None:
    """End with the exit status of a verdict."""
    if isinstance(verdict, Empty):
        raise typer.Exit(1)
    if isinstance(verdict, Unknown) and unknown_is_partial:
        raise typer.Exit(3)


def report_empty(verdict: Empty) -> int:
    """Say that nothing produces the target; return the exit status."""
    typer.echo(f"the preimage is empty: {verdict.reason}")
    return 1


@contextmanager
def working(label: str) -> Iterator[Callable[[str], None]]:
    """Show a spinner on stderr while the block runs; silent when stderr is not a terminal.

    Yields:
        A function that changes the label.
    """
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    from rich.console import Console

    with Console(stderr=True).status(f"{label} ...") as status:
        yield lambda text: status.update(f"{text} ...")
