"""The command `symbinv verify`: a certificate of a preimage, or a derivation, proved without trusting the file."""

from pathlib import Path
from typing import Annotated, Any

import typer

from symbinv.checker import Refused, check
from symbinv.commands.options import JsonOption, PolicyOption
from symbinv.commands.output import print_json, working
from symbinv.derivation.replay.walk import Replay
from symbinv.derivation.serialise import from_document, is_derivation, parse, same_network
from symbinv.errors import OptionError, ReadError
from symbinv.network.readers.load import load
from symbinv.presentation.text import table_text

NetworkOption = Annotated[
    Path | None,
    typer.Option("--network", metavar="NET", help="The network that a derivation must be about, compared exactly."),
]


def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `preimage` or `derive` wrote as .json.")],
    network: NetworkOption = None,
    as_json: JsonOption = False,
    policy: PolicyOption = "exact",
) -> None:
    """Check a certificate, or replay a derivation step by step; 1 where it is refused.

    A derivation speaks of the network that it states; --network asks that this is the one in a file.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ReadError(f"{file}: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise ReadError(f"{file}: it must be text in UTF-8.") from error
    try:
        data = parse(text)
    except ReadError as error:
        raise ReadError(f"{file}: {error}") from error
    if is_derivation(data):
        accepted = _replayed(file, data, network, as_json, policy)
    elif network is not None:
        raise OptionError("--network goes with a derivation; a certificate of a preimage holds its network itself.")
    else:
        accepted = _checked(data, as_json)
    if not accepted:
        raise typer.Exit(1)


def _checked(data: Any, as_json: bool) -> bool:
    """Check a certificate in plain integers, without the rest of the library."""
    try:
        found = check(data)
    except Refused as refusal:
        record: dict[str, Any] = {"accepted": False, "failure": str(refusal)}
    else:
        record = {"accepted": True, "claim": found["claim"], "cells": found["cells"], "leaves": found["leaves"]}
    if as_json:
        print_json(record)
    elif record["accepted"]:
        cells = "" if record["cells"] is None else f", {record['cells']:,} cells, {record['leaves']:,} leaves"
        typer.echo(f"accepted: {record['claim']}{cells}")
    else:
        typer.echo(f"refused: {record['failure']}")
    return bool(record["accepted"])


def _replayed(file: Path, data: Any, network: Path | None, as_json: bool, policy: str) -> bool:
    """Replay a derivation and print what each step rests on."""
    try:
        derivation = from_document(data)
    except ReadError as error:
        raise ReadError(f"{file}: {error}") from error
    with working("replaying"):
        found = derivation.replay()
    refusal = "" if found.failure is None else str(found.failure)
    if found.holds and network is not None and not same_network(derivation, load(network, policy=policy)):
        refusal = f"the derivation is not about the network of {network}"
    if as_json:
        print_json(_record(found, refusal))
    else:
        typer.echo(table_text(_rows(found)))
        typer.echo("")
        typer.echo(f"refused: {refusal}" if refusal else f"accepted: all {len(found.steps)} steps hold: {found.claim}")
    return not refusal


def _rows(found: Replay) -> list[dict[str, Any]]:
    return [
        {
            "step": s.number,
            "kind": s.kind,
            "layer": "-" if s.layer is None else s.layer,
            "claim": "refused" if s.claim is None else str(s.claim),
        }
        for s in found.steps
    ]


def _record(found: Replay, refusal: str) -> dict[str, Any]:
    return {
        "accepted": not refusal,
        "failure": refusal or None,
        "claim": None if found.claim is None else str(found.claim),
        "steps": [
            {
                "number": s.number,
                "kind": s.kind,
                "layer": s.layer,
                "claim": None if s.claim is None else str(s.claim),
                "failure": s.failure or None,
            }
            for s in found.steps
        ],
    }
