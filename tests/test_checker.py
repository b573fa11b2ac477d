"""Hostile certificates: small, deep, or saying two things at once. None may keep the checker busy or break it."""

import json

import pytest

from symbinv.checker import Refused, check, check_file


def wide(inputs, **changes):
    """Return a true certificate that one half-space cuts a box into two empty leaves."""
    layer = {"weights": [["1"] * inputs], "bias": ["0"], "pieces": [["0", "0", "0"], ["1", "0", None]]}
    return {
        "format": "symbinv certificate 1",
        "claim": "complete",
        "network": [layer],
        "box": [["-1", "1"]] * inputs,
        "target": [[[["-1"], "-200", False]]],
        "nodes": [["split", 0, 0, 0, 1, 2], ["empty"], ["empty"]],
        "cells": 0,
    } | changes


def nested(levels):
    inner = []
    for _ in range(levels):
        inner = [inner]
    return inner


def test_a_small_file_cannot_keep_the_checker_busy_for_long():
    assert check(wide(9))["leaves"] == 2
    with pytest.raises(Refused, match="pairs of generators"):
        check(wide(14))


@pytest.mark.parametrize(
    "changes",
    [{"cells": "\ud800"}, {"cells": nested(5000)}, {"claim": "unsat", "cases": nested(5000)}, {"nodes": nested(5000)}],
    ids=["surrogate", "deep count", "deep cases", "deep nodes"],
)
def test_data_that_no_file_holds_is_refused_with_a_printable_sentence(changes):
    with pytest.raises(Refused) as refusal:
        check(wide(2, **changes))
    assert len(str(refusal.value).encode("utf-8")) < 500


def test_a_name_that_is_given_twice_is_refused(tmp_path):
    text = json.dumps(wide(2))
    (tmp_path / "twice.json").write_text(f'{text[:-1]}, "cells": 0}}')
    with pytest.raises(Refused, match="twice"):
        check_file(str(tmp_path / "twice.json"))
