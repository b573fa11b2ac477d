"""Preimages against brute force: every activation pattern, decided by Fourier-Motzkin elimination in Fractions.

The oracle shares no code with the library: it extends patterns unit by unit and asks of each whether the
strict and weak inequalities have a solution.
"""

import json
import random
from fractions import Fraction

import pytest

from symbinv import checker
from symbinv.cells.preimage import preimage, regions
from symbinv.network.network import Network
from symbinv.polyhedra.polyhedron import Polyhedron

# an inequality (a, c, strict): a . x + c >= 0, or > 0


def is_feasible(rows):
    """Decide by Fourier and Motzkin whether the inequalities have a solution."""
    rows = set(rows)
    width = len(next(iter(rows))[0]) if rows else 0
    for j in range(width):
        lower, upper, rest = [], [], set()
        for a, c, strict in rows:
            if a[j] > 0:
                lower.append((a, c, strict))
            elif a[j] < 0:
                upper.append((a, c, strict))
            else:
                rest.add((a, c, strict))
        for a, c, s in lower:
            for b, d, t in upper:
                p, q = -b[j], a[j]
                e = tuple(p * x + q * y for x, y in zip(a, b, strict=True))
                size = max(map(abs, e), default=0) or 1
                rest.add((tuple(x / size for x in e), (p * c + q * d) / size, s or t))
        rows = rest
        if any(not any(a) and (c < 0 or (s and c == 0)) for a, c, s in rows):
            return False
    return all(c > 0 or (c == 0 and not s) for _, c, s in rows)


def brute_force(weights, biases, pieces, box, target, inputs):
    """Return the patterns, flat tuples of piece indices, whose cell is not empty."""
    identity = [(tuple(Fraction(int(i == j)) for j in range(inputs)), Fraction(0)) for i in range(inputs)]
    start = []
    for (a, _), ends in zip(identity, box or [], strict=False):
        start += [(a, -ends[0], False), (tuple(-e for e in a), ends[1], False)]
    found = set()

    def combine(row, bias, forms):
        a = tuple(sum((w * f[0][j] for w, f in zip(row, forms, strict=True)), Fraction(0)) for j in range(inputs))
        return a, sum((w * f[1] for w, f in zip(row, forms, strict=True)), bias)

    def visit(layer, z, unit, a, rows, pattern):
        if layer == len(weights):
            outputs = a
            for polyhedron in target:
                extra = []
                for row, bound, strict in polyhedron:
                    g, c = combine(row, Fraction(0), outputs)
                    extra.append((tuple(-e for e in g), bound - c, strict))
                if is_feasible([*rows, *extra]):
                    found.add(pattern)
            return
        if z is None:
            z = [combine(row, b, a) for row, b in zip(weights[layer], biases[layer], strict=True)]
            visit(layer, z, 0, [], rows, pattern)
            return
        if unit == len(z):
            visit(layer + 1, None, 0, a, rows, pattern)
            return
        g, c = z[unit]
        for k, (slope, intercept, low, high) in enumerate(pieces[layer]):
            extra = []
            if low is not None:
                extra.append((g, c - low, True))
            if high is not None:
                extra.append((tuple(-e for e in g), high - c, False))
            if extra and not is_feasible([*rows, *extra]):
                continue
            new = (tuple(slope * e for e in g), slope * c + intercept)
            name = pattern if len(pieces[layer]) == 1 else (*pattern, k)
            visit(layer, z, unit + 1, [*a, new], [*rows, *extra], name)

    visit(0, None, 0, identity, start, ())
    return found


F = Fraction
RELU = [(F(0), F(0), None, F(0)), (F(1), F(0), F(0), None)]
LEAKY = [(F(1, 4), F(0), None, F(0)), (F(1), F(0), F(0), None)]
IDENTITY = [(F(1), F(0), None, None)]


def random_network(rng):
    """Return a small network, often degenerate: zero rows, duplicates, opposites, no biases, small integers."""
    inputs = rng.choice([1, 2, 2, 2, 3])
    depth = rng.choice([1, 1, 2])
    sizes = [inputs] + [rng.randint(1, 4 if depth == 2 else 6) for _ in range(depth)]
    outputs = rng.choice([1, 2])
    bias_free, coarse = rng.random() < 0.3, rng.random() < 0.6
    draw = (lambda: F(rng.randint(-2, 2))) if coarse else (lambda: F(rng.randint(-60, 60), rng.choice([7, 16, 30])))
    weights, biases = [], []
    for n, m in zip(sizes, sizes[1:], strict=False):
        rows = [[draw() for _ in range(n)] for _ in range(m)]
        bias = [F(0) if bias_free else draw() for _ in range(m)]
        for i in range(1, m):
            kind = rng.random()
            if kind < 0.12:
                rows[i], bias[i] = list(rows[i - 1]), bias[i - 1]
            elif kind < 0.24:
                rows[i], bias[i] = [-e for e in rows[i - 1]], -bias[i - 1]
            elif kind < 0.3:
                rows[i] = [F(0)] * n
            elif kind < 0.36:
                rows[i], bias[i] = list(rows[i - 1]), bias[i - 1] + F(1, 10**9)
        weights.append(rows)
        biases.append(bias)
    weights.append([[draw() for _ in range(sizes[-1])] for _ in range(outputs)])
    biases.append([draw() for _ in range(outputs)])
    names = [rng.choice(["relu", "relu", "leaky_relu(1/4)"]) for _ in range(depth)] + ["identity"]
    return weights, biases, names, inputs, outputs


def random_target(rng, network, inputs, outputs):
    """Return a target for the library and the same as rows for the oracle."""
    kind = rng.random()
    probe = [F(rng.randint(-4, 4), 2) for _ in range(inputs)]
    value = [F(int(v.p), int(v.q)) for v in network.forward(probe)]
    unit = [[F(int(i == j)) for j in range(outputs)] for i in range(outputs)]
    if kind < 0.4:  # the output of some point
        rows = [(u, v, False) for u, v in zip(unit, value, strict=True)]
        rows += [([-e for e in u], -v, False) for u, v in zip(unit, value, strict=True)]
        return value, [rows]
    if kind < 0.6 and outputs == 2:
        return "argmax == 1", [[([F(1), F(-1)], F(0), True)]]
    if kind < 0.8:
        return f"y_0 > {value[0]}", [[([-e for e in unit[0]], -value[0], True)]]
    level = value[0] - F(1, 2)
    rows = [(unit[0], value[0], False), ([-e for e in unit[0]], -level, False)]
    return Polyhedron([r[0] for r in rows], [r[1] for r in rows]), [rows]


@pytest.mark.parametrize("seed", range(200))
def test_cells_are_exactly_the_patterns_that_brute_force_finds(seed):
    rng = random.Random(seed)
    weights, biases, names, inputs, outputs = random_network(rng)
    network = Network.from_arrays(weights, biases, names)
    pieces = [{"relu": RELU, "leaky_relu(1/4)": LEAKY, "identity": IDENTITY}[n] for n in names]
    box = None if rng.random() < 0.4 else [[F(-2), F(2) if rng.random() < 0.9 else F(-2)] for _ in range(inputs)]
    target, rows = random_target(rng, network, inputs, outputs)
    found = preimage(network, target, box=box)
    if not found.problem.stages:  # units that cancel; no pattern is asked for, so compare points alone
        everything = set(brute_force(weights, biases, pieces, box, rows, inputs))
        assert bool(everything) == bool(found.cells)
        return
    patterns = [tuple(k for layer in cell.pattern for k in layer) for cell in found.cells]
    assert len(set(patterns)) == len(patterns)
    assert set(patterns) == brute_force(weights, biases, pieces, box, rows, inputs)
    every = regions(network, box=box)
    names_of_all = [tuple(k for layer in cell.pattern for k in layer) for cell in every.cells]
    assert sorted(names_of_all) == sorted(brute_force(weights, biases, pieces, box, [[]], inputs))
    if box is not None:
        size = F(1)
        for low, high in box:
            size *= (high - low) if high > low else 1
        assert every.volume == size
    for _ in range(15):
        x = [F(rng.randint(-8, 8), rng.choice([1, 2, 4])) for _ in range(inputs)]
        inside = box is None or all(lo <= e <= hi for e, (lo, hi) in zip(x, box, strict=True))
        assert sum(cell.contains(x) for cell in every.cells) == inside
        assert sum(cell.contains(x) for cell in found.cells) == found.contains(x)
    proof = checker.check(json.loads(json.dumps(found.certificate())))
    assert proof["cells"] == len(found.cells)
    for cell in found.cells:
        assert found.contains(cell.interior_point)
        assert cell.contains(cell.interior_point)
