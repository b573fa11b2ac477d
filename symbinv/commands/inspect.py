"""The command `symbinv inspect`."""

import typer

from symbinv.commands.options import JsonOption, NetArgument, PolicyOption
from symbinv.commands.output import print_json
from symbinv.network.readers.load import load
from symbinv.presentation.record import network_record
from symbinv.presentation.text import condition_notes, network_rows, table_text


def inspect(net: NetArgument, as_json: JsonOption = False, policy: PolicyOption = "exact") -> None:
    """Print the layers of a network: shape, rank, activation, condition number."""
    network = load(net, policy=policy)
    if as_json:
        print_json(network_record(network))
        return
    typer.echo(f"{net.name}: sizes {' -> '.join(map(str, network.sizes))}\n")
    typer.echo(table_text(network_rows(network)))
    notes = [*network.notes, *condition_notes(layer.weights for layer in network.layers)]
    typer.echo("".join(f"\nnote: {note}" for note in notes).lstrip("\n"))
