"""From the options of a command to the inverse that it works on."""

from pathlib import Path

from symbinv.commands.arguments import read_activations, read_box, read_names, read_numbers, read_pattern, read_whole
from symbinv.commands.output import working
from symbinv.errors import OptionError
from symbinv.inverse.invert import Inverse, invert
from symbinv.network.network import Network
from symbinv.network.readers.load import load


def network_of(net: Path | None, sizes: str | None, activation: str, policy: str) -> Network:
    """Return the network of a file, or a symbolic one of the given sizes."""
    if (net is None) == (sizes is None):
        raise OptionError("give either a network file or --sizes, not both and not neither.")
    if net is not None:
        return load(net, policy=policy)
    numbers = [read_whole(s) for s in str(sizes).split(",")]
    names = read_activations(activation)
    if len(names) == 1:
        names = names * (len(numbers) - 1)
    return Network.generic(numbers, names)


def inverse_of(
    network: Network,
    target: str | None,
    box: str | None,
    at: str | None,
    floats: bool,
    *,
    free: str | None = None,
    order: str | None = None,
    strategy: str = "paper",
    pattern: str | None = None,
) -> Inverse:
    """Invert a network at a target given as text, with the pivots that were asked for."""
    exact = None if target is None else read_numbers(target)
    values = [float(v) for v in exact] if exact is not None and floats else exact
    point = None if at is None else read_numbers(at)
    with working("inverting"):
        return invert(
            network,
            values,
            free=None if free is None else read_names(free),
            order=None if order is None else read_names(order),
            strategy=strategy,
            box=read_box(box, network.sizes[0]),
            at=point,
            pattern=None if pattern is None else read_pattern(pattern),
        )
