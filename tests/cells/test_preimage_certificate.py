"""Certificates pass the independent checker; changed so that their claim is false, they are refused."""

import ast
import copy
import json
import pathlib
import random
import subprocess
import sys
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import symbinv.cells.problem as engine
from symbinv import checker
from symbinv.cells.answer import answer
from symbinv.cells.preimage import preimage, regions
from symbinv.cells.specification import parse_specification
from symbinv.errors import BudgetError, NotSupportedError
from symbinv.exact.loglinear import LogLinear, combine
from symbinv.inverse.verdict import Empty
from symbinv.network.network import Network

from ..strategies import short


def random_network(seed, sizes):
    rng = np.random.default_rng(seed)
    weights = [rng.integers(-64, 65, size=(m, n)) / 32 for n, m in zip(sizes, sizes[1:], strict=False)]
    biases = [rng.integers(-64, 65, size=m) / 64 for m in sizes[1:]]
    return Network.from_arrays(weights, biases, ["relu"] * (len(sizes) - 2) + ["identity"])


def smooth_network(seed, last):
    """Return a relu network whose last activation is smooth, so that thresholds hold logarithms."""
    network = random_network(seed, [2, 4, 3])
    arrays = [layer.weights.fractions() for layer in network.layers], [layer.float_bias for layer in network.layers]
    return Network.from_arrays(*arrays, ["relu", last])


def through_json(data):
    return json.loads(json.dumps(data))


def proofs():
    """Return certificates of all kinds of leaves: points, misses, relaxations, multipliers."""
    found = []
    for seed in range(4):
        network = random_network(seed, [2, 4, 3, 2])
        for target in ("argmax == 0", "y_0 > 2 and y_1 < 1", "y_0 == 1/2", "y_0 <= -1 or y_1 >= 2"):
            for box in ([[-2, 2]] * 2, None):
                found.append(through_json(preimage(network, target, box=box).certificate()))
    return found


def proofs_with_logarithms():
    """Return certificates whose thresholds are logarithms, with and without a box, with and without cells."""
    found = []
    for seed in range(3):
        sigmoid, softmax = smooth_network(seed, "sigmoid"), smooth_network(seed, "softmax")
        for network, target in (
            (sigmoid, "y_0 >= 3/4 and y_1 <= 1/3 or y_2 > 9/10"),
            (sigmoid, "y_0 == 1/3"),
            (sigmoid, "y_0 > 9/10 and y_0 <= 9/10"),
            (softmax, "y_0 >= 3 y_1 and y_1 >= 2 y_2"),
            (softmax, ["1/2", "1/3", "1/6"]),
        ):
            for box in ([[-2, 2]] * 2, None):
                found.append(through_json(preimage(network, target, box=box).certificate()))
    return found


@pytest.fixture(scope="module")
def certificates():
    return proofs()


@pytest.fixture(scope="module")
def logarithmic():
    return proofs_with_logarithms()


@pytest.fixture
def by_half_spaces(monkeypatch):
    monkeypatch.setattr(engine, "VERTEX_LIMIT", 0)


def test_certificates_of_all_kinds_are_accepted(certificates):
    kinds = set()
    for data in certificates:
        checker.check(data)
        kinds |= {node[0] for node in data["nodes"]}
    assert kinds == {"split", "row", "cell", "empty", "bound"}


def test_regions_have_certificates_too():
    found = regions(random_network(5, [3, 5, 4, 1]), box=[[-1, 1]] * 3)
    assert checker.check(through_json(found.certificate()))["cells"] == len(found.cells)


def test_half_spaces_find_the_same_cells_and_their_certificates_pass(by_half_spaces):
    network = random_network(2, [2, 4, 3, 2])
    wide = [preimage(network, t, box=b) for t in ("argmax == 0", "y_0 < -50") for b in ([[-2, 2]] * 2, None)]
    engine.VERTEX_LIMIT = 8
    for found in wide:
        near = preimage(network, found.target, box=None if found.box is None else [list(e) for e in found.box])
        assert {c.pattern for c in found.cells} == {c.pattern for c in near.cells}
        assert found.dimension == near.dimension
    engine.VERTEX_LIMIT = 0
    for found in wide:
        checker.check(through_json(found.certificate()))


def falsified(data, rng):
    """Return a certificate changed so that its claim is false, or None where the change does not apply."""
    data = copy.deepcopy(data)
    nodes = data["nodes"]
    kinds = [
        "point",
        "flip",
        "drop",
        "deny",
        "vector",
        "negative",
        "network",
        "count",
        "graft",
        "box",
        "threshold",
        "steep",
    ]
    kind = rng.choice(kinds)
    cells = [i for i, node in enumerate(nodes) if node[0] == "cell"]
    if kind == "point" and cells:
        node = nodes[rng.choice(cells)]
        entry = node[1][0]["rational"] if isinstance(node[1][0], dict) else node[1][0]
        node[1][0] = str(Fraction(entry) + 1000 * rng.choice([1, -1]))
        if data["box"] is None:  # a point of another cell: take that cell's
            others = [nodes[i][1] for i in cells if nodes[i] is not node]
            if not others:
                return None
            node[1] = rng.choice(others)
    elif kind == "flip" and cells:
        parents = [n for n in nodes if n[0] in ("split", "row") and any(nodes[c][0] == "cell" for c in n[-2:])]
        node = rng.choice(parents) if parents else None
        if node is None:
            return None
        node[-2], node[-1] = node[-1], node[-2]
    elif kind == "drop" and cells:  # a cell that is said to be empty
        nodes[rng.choice(cells)] = ["empty"]
        data["cells"] -= 1
    elif kind == "deny" and cells:  # a cell that is said to be bounded away
        layers = [i for i, layer in enumerate(data["network"]) if len(layer["pieces"]) > 1]
        slopes = [[rng.randint(0, 256) for _ in data["network"][i]["weights"]] for i in layers[-1:]]
        nodes[rng.choice(cells)] = ["bound", layers[-1], slopes]
        data["cells"] -= 1
    elif kind == "vector":
        vectors = [n for n in nodes if n[0] == "infeasible"]
        if not vectors:
            return None
        node = rng.choice(vectors)
        used = [i for i, e in enumerate(node[1]) if Fraction(e)]
        node[1][rng.choice(used)] = "0"
    elif kind == "negative":
        vectors = [n for n in nodes if n[0] == "infeasible"]
        if not vectors:
            return None
        node = rng.choice(vectors)
        node[1] = [str(-Fraction(e)) for e in node[1]]
    elif kind == "threshold" and cells and data["target"] is not None and any(data["target"]):  # none is ever met
        for clause in data["target"]:
            for row in clause:
                row[1] = str(-(10**6))
    elif kind == "steep":  # a relaxation of slope 10^6, which encloses nearly everything
        bounds = [n for n in nodes if n[0] == "bound" and any(e is not None for part in n[2] for e in part)]
        if not bounds:
            return None
        node = rng.choice(bounds)
        node[2] = [[None if e is None else 256 * 10**6 for e in part] for part in node[2]]
    elif kind == "network" and cells:
        data["network"][-1]["bias"] = [str(Fraction(b) + 10**6) for b in data["network"][-1]["bias"]]
        if len(data["target"]) > 1 or all(sum(map(Fraction, row)) <= 0 for row, _, _ in data["target"][0]):
            return None  # a common shift keeps classes, and meets thresholds from below
    elif kind == "count":
        data["cells"] += 1
    elif kind == "graft" and len(nodes) > 3:  # a subtree that is left out
        inner = [n for n in nodes if n[0] in ("split", "row")]
        node = rng.choice(inner)
        node[-1] = rng.choice([node[-2], len(nodes), -1, "x"])
    elif kind == "box" and cells and data["box"] is not None:  # a larger box, of which the tree says nothing
        data["box"] = [[str(Fraction(lo) + 10**5), str(Fraction(hi) + 10**5)] for lo, hi in data["box"]]
    else:
        return None
    return data


def test_a_thousand_false_certificates_are_refused(certificates, logarithmic, by_half_spaces):
    wide = []
    for seed in (2, 3):
        network = random_network(seed, [2, 4, 3, 2])
        wide.append(through_json(preimage(network, "y_0 > 2 and y_1 < 1", box=[[-2, 2]] * 2).certificate()))
        wide.append(through_json(preimage(network, "y_0 < -50", box=[[-2, 2]] * 2).certificate()))
    rng = random.Random(11)
    refused, kept = 0, []
    while refused < 1000:
        base = rng.choice(rng.choice([certificates, certificates, logarithmic, wide]))
        data = falsified(base, rng)
        if data is None:
            continue
        try:
            checker.check(data)
        except checker.Refused:
            refused += 1
        else:
            kept.append(data)
            break
    assert kept == []


def test_another_network_of_the_same_shape_is_refused(certificates):
    for data in certificates:
        if not data["cells"]:
            continue
        other = copy.deepcopy(data)
        for layer in other["network"]:
            layer["weights"] = [[str(-Fraction(e)) for e in row] for row in layer["weights"]]
            layer["bias"] = [str(-Fraction(e)) for e in layer["bias"]]
        with pytest.raises(checker.Refused):
            checker.check(other)


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        {"format": "x"},
        {"format": "symbinv certificate 1", "claim": "complete"},
        {"format": "symbinv certificate 1", "claim": "unsat", "cases": []},
    ],
)
def test_malformed_certificates_are_refused(data):
    with pytest.raises(checker.Refused):
        checker.check(data)


@pytest.mark.parametrize("number", ["1e999999999", "0.5", 0.5, "1/0", "x", None, [], {"rational": "0"}])
def test_numbers_that_are_no_fractions_are_refused(certificates, number):
    data = copy.deepcopy(certificates[0])
    data["target"][0][0][1] = number
    with pytest.raises(checker.Refused, match="number|malformed"):
        checker.check(data)


def test_answers_to_properties_have_certificates():
    network = Network.from_arrays([[[1], [-1]], [[1, 1]]], [[0, 0], [0]], ["relu", "identity"])
    head = "(declare-const X_0 Real)(declare-const Y_0 Real)(assert (<= X_0 1))(assert (>= X_0 -2))"
    yes = answer(network, parse_specification(head + "(assert (>= Y_0 1.5))"))
    no = answer(network, parse_specification(head + "(assert (>= Y_0 2.5))"))
    assert (yes.status, no.status) == ("sat", "unsat")
    assert checker.check(through_json(yes.certificate()))["claim"] == "sat"
    assert checker.check(through_json(no.certificate()))["claim"] == "unsat"
    false = through_json(yes.certificate())
    false["point"] = ["0"]
    with pytest.raises(checker.Refused, match="does not reach"):
        checker.check(false)


def test_an_empty_verdict_carries_its_proof(monkeypatch):
    network = random_network(1, [2, 4, 3, 2])
    for target, last in (("y_0 > 1000", network), ("y_0 > 9/10 and y_0 < 1/2", smooth_network(1, "sigmoid"))):
        verdict = preimage(last, target, box=[[-1, 1]] * 2).verdict
        assert isinstance(verdict, Empty) and verdict.certificate.check()
    monkeypatch.setattr(engine, "VERTEX_LIMIT", 0)
    verdict = preimage(network, "y_0 > 1000", box=[[-1, 1]] * 2).verdict
    verdict.certificate.data["target"][0][0][1] = "1000"  # outputs below 1000, of which there are some
    assert not verdict.certificate.check()


def test_partial_preimages_prove_only_that_they_are_not_empty():
    found = preimage(random_network(0, [2, 6, 4, 2]), "argmax == 0", box=[[-2, 2]] * 2, max_cells=1)
    assert checker.check(through_json(found.certificate()))["claim"] == "nonempty"
    nothing = preimage(random_network(0, [2, 6, 4, 2]), "argmax == 0", box=[[-2, 2]] * 2, max_seconds=0)
    if not nothing.cells and not nothing.is_complete:
        with pytest.raises(BudgetError, match="complete search or a witness"):
            nothing.certificate()


def test_thresholds_with_logarithms_have_certificates(logarithmic):
    kinds = set()
    for data in logarithmic:
        checker.check(data)
        kinds |= {node[0] for node in data["nodes"]}
    assert kinds == {"split", "row", "cell", "bound", "infeasible", "missed"}
    assert any(isinstance(e, dict) for data in logarithmic for n in data["nodes"] if n[0] == "cell" for e in n[1])
    without_kinks = Network.from_arrays([[[1, 2]]], [[0]], ["sigmoid"])
    for box, cells in (([[-1, 1]] * 2, 1), (None, 2)):
        found = preimage(without_kinks, "y_0 >= 3/4", box=box)
        assert checker.check(through_json(found.certificate()))["cells"] == len(found.cells) <= cells
    partial = preimage(smooth_network(0, "sigmoid"), "y_0 == 1/3", box=[[-2, 2]] * 2, max_cells=1)
    assert checker.check(through_json(partial.certificate()))["claim"] == (
        "complete" if partial.is_complete else "nonempty"
    )


def test_a_threshold_that_differs_by_little_is_another_threshold(logarithmic):
    network = Network.from_arrays([[[1]]], [[0]], ["sigmoid"])
    data = through_json(preimage(network, "y_0 == 3/4", box=[[0, 2]]).certificate())  # x = log 3
    (row, bound, strict), _ = data["target"][0]
    assert (row, bound, strict) == (["1"], {"rational": "0", "logs": [["1", "3"]]}, False) or bound["logs"]
    checker.check(data)
    for clause in data["target"]:
        clause[0][1]["rational"] = str(Fraction(-1, 10**30))
    with pytest.raises(checker.Refused):
        checker.check(data)


def test_nested_logarithms_are_refused_by_name():
    network = Network.from_arrays([[[1]]], [[0]], ["softplus"])
    with pytest.raises(NotSupportedError, match="logarithms of rationals"):
        preimage(network, "y_0 >= 1", box=[[-2, 2]]).certificate()


@given(st.lists(st.tuples(st.fractions(-9, 9, max_denominator=9), st.integers(1, 60), st.integers(1, 60))), short)
@settings(max_examples=200, deadline=None)
def test_the_checkers_signs_of_logarithms_are_those_of_balls(terms, rational):
    terms = [*terms, *((-q, m * 2, n * 2) for q, m, n in terms[1:])]  # much cancels
    number = {"rational": str(rational), "logs": [[str(q), str(Fraction(m, n))] for q, m, n in terms]}
    real = combine(
        [Fraction(1)] + [q for q, _, _ in terms],
        [LogLinear.rational(rational)] + [LogLinear.log(Fraction(m, n)) for _, m, n in terms],
    )
    assert checker.sign(checker.number(number)) == real.sign()


@given(st.fractions(Fraction(1, 10**40), 10**40), st.integers(1, 300))
@settings(max_examples=100, deadline=None)
def test_bounds_of_logarithms_hold_and_are_narrow(r, bits):
    low, high = checker.log_bounds(r, bits)
    with mpmath.workprec(bits + 400):
        exact = mpmath.log(mpmath.mpf(r.numerator) / r.denominator) * 2**bits
        assert low <= exact <= high
    assert high - low <= 150 * (bits + 10)


def test_the_checker_imports_nothing_of_ours_and_runs_by_itself(tmp_path, certificates):
    source = pathlib.Path(checker.__file__).read_text()
    names = {a.name for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Import) for a in n.names}
    names |= {n.module for n in ast.walk(ast.parse(source)) if isinstance(n, ast.ImportFrom)}
    assert names <= {"json", "sys", "collections.abc", "fractions", "itertools", "math", "operator", "typing"}
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps(certificates[0]))
    bad.write_text("{")
    done = subprocess.run([sys.executable, checker.__file__, good], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "accepted: complete" in done.stdout
    assert checker.main([str(bad)]) == 1 and checker.main([]) == 2 and checker.main([str(tmp_path / "no")]) == 2
