"""The command `symbinv`.

Exit status: 0 done; 1 the answer is empty; 2 misuse or unreadable input, with one line on stderr; 3 unknown or
partial.
"""

import sys
from typing import Any, NoReturn

import typer

from symbinv.commands.demo import demo
from symbinv.commands.derive import derive
from symbinv.commands.inspect import inspect
from symbinv.commands.plot import plot
from symbinv.commands.preimage import preimage
from symbinv.commands.sample import sample
from symbinv.commands.verify import verify
from symbinv.errors import SymbinvError

# typer carries its own copy of click in newer releases, so the base class is found through its subclass
USAGE_ERROR: Any = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")

app = typer.Typer(
    help="Derive all inputs of a neural network that produce an output, exactly, and sample them.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

for command in (demo, inspect, derive, sample, preimage, verify, plot):
    app.command()(command)


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
