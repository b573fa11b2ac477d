"""Check a certificate of a preimage, independently: integers and Fractions of the standard library, nothing of ours.

A certificate is JSON: a network, a box (or none), a target, and a tree. Every node but a leaf splits its cell on
the sign of one affine form: that of a unit minus a kink, of a row of the target, or any other. Leaves are

    ["cell", point]     part of the preimage; the point lies in it
    ["empty"]           all units are on known pieces, and no point of the cell meets the target
    ["bound", layer, slopes]   the target is missed over the whole cell by a linear relaxation from a
                        layer on, with these slopes times 256
    ["infeasible", vector]   non-negative multipliers of the box's rows and of the splits on the way, whose
                        combination is a negative number (Farkas), or 0 with an open row (Motzkin)
    ["constant", point] equal units cancel, so the network has one output, which meets the target or (where
                        the point is null) misses it
    ["missed"]          a split on a row of every clause says that the target is missed

A number is text, "-3/4", or, for a threshold behind a smooth last activation, {"rational": "1/2", "logs":
[["2", "3"]]} for 1/2 + 2 log 3, whose sign is decided: such a number is 0 only where its rational part is 0 and the
product of the powers is 1 (Lindemann), else bounds of the logarithms from their series tell.

The checker walks the tree with its own double description (homogeneous generators, points and rays, with
lines where there is no box), so a cell's extremes are known exactly; it asks at every layer that each unit
was split or keeps one sign, recomputes every relaxation in integers over one denominator, and every point by its
own forward pass. Where "vertices" is false no generators are kept, and units that were not split must keep their
sign over the box. A row with logarithms does not cut the generators; it counts by the multipliers of a leaf. If the
checker accepts, the cells together are all of the preimage.

Run as `python -m symbinv.checker FILE`.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import product
from math import gcd, lcm
from operator import mul
from typing import Any

Vector = tuple[int, ...]
ONE = 1 << 96  # relaxations round shifts and spreads to multiples of 1/ONE
GRID = 256  # slopes of relaxations are multiples of 1/GRID
CORNERS = 1 << 16  # of a box, at most
PAIRS = 1 << 22  # of generators on two sides of a cut, at most
BITS = 1 << 16  # of the bounds of a logarithm, at most


class Refused(Exception):  # noqa: N818 - a verdict on a certificate, not a fault
    """The certificate does not prove its claim."""


# -- numbers with logarithms --------------------------------------------------------------------------


class Real:
    """A rational plus rational multiples of logarithms of positive rationals."""

    def __init__(self, rational: Fraction, logs: dict[Fraction, Fraction]) -> None:
        self.rational, self.logs = rational, {r: q for r, q in logs.items() if q}

    def __add__(self, other: "Number") -> "Real":
        if not isinstance(other, Real):
            return Real(self.rational + other, self.logs)
        logs = dict(self.logs)
        for r, q in other.logs.items():
            logs[r] = logs.get(r, Fraction(0)) + q
        return Real(self.rational + other.rational, logs)

    __radd__ = __add__

    def __mul__(self, factor: Fraction | int) -> "Real":
        return Real(self.rational * factor, {r: q * factor for r, q in self.logs.items()})

    __rmul__ = __mul__

    def __neg__(self) -> "Real":
        return self * -1

    def sign(self) -> int:
        """Return -1, 0 or 1."""
        if not self.logs:
            return sign(self.rational)
        powers = [(n, s * q) for r, q in self.logs.items() for n, s in ((r.numerator, 1), (r.denominator, -1))]
        if self.rational == 0 and is_one(powers):
            return 0
        bits = 64
        while bits <= BITS:
            low = high = self.rational * (1 << bits)
            for r, q in self.logs.items():
                ends = [q * e for e in log_bounds(r, bits)]
                low, high = low + min(ends), high + max(ends)
            if low > 0 or high < 0:
                return 1 if low > 0 else -1
            bits *= 2
        raise Refused(f"a number with logarithms has no sign within {BITS} bits")


Number = Fraction | Real
Form = list[Any]  # constant, a Number, then one rational coefficient per input


def rational(data: Any) -> Fraction:
    """Read a rational number: digits, a sign, a stroke; no exponent, which would make short text a huge number."""
    need(isinstance(data, str) and set(data) <= set("0123456789-/"), "a number must be text such as -3/4")
    return Fraction(data)


def number(data: Any) -> Number:
    """Read a number."""
    if not isinstance(data, dict):
        return rational(data)
    logs: dict[Fraction, Fraction] = {}
    for q, r in data["logs"]:
        need(rational(r) > 0, "a logarithm must be of a positive number")
        logs[rational(r)] = logs.get(rational(r), Fraction(0)) + rational(q)
    return Real(rational(data["rational"]), logs)


def is_one(powers: list[tuple[int, Fraction]]) -> bool:
    """Tell whether a product of powers of positive integers is 1, by a base of integers without common factors."""
    base: list[tuple[int, Fraction]] = []
    while powers:
        a, e = powers.pop()
        if a == 1 or e == 0:
            continue
        for k, (b, f) in enumerate(base):
            common = gcd(a, b)
            if common > 1:
                del base[k]
                powers += [(a // common, e), (b // common, f), (common, e + f)]
                break
        else:
            base.append((a, e))
    return not base


def log_bounds(r: Fraction, bits: int) -> tuple[int, int]:
    """Return integers with low <= 2^bits log r <= high: r = 2^k m, log r = k log 2 + log m, 1/2 < m < 2."""
    k = r.numerator.bit_length() - r.denominator.bit_length()
    m = r / Fraction(2) ** k
    t = (m - 1) / (m + 1)  # log m = 2 artanh t, log 2 = 2 artanh 1/3
    low, high = artanh_bounds(abs(t), bits)
    if t < 0:
        low, high = -high, -low
    two = artanh_bounds(Fraction(1, 3), bits)
    return 2 * (low + min(k * e for e in two)), 2 * (high + max(k * e for e in two))


def artanh_bounds(t: Fraction, bits: int) -> tuple[int, int]:
    """Return integers with low <= 2^bits artanh t <= high, for 0 <= t <= 1/3, from the sum of t^k/k over odd k."""
    low_power, high_power = floor_of(t, 1 << bits), ceil_of(t, 1 << bits)
    low_square, high_square = low_power * low_power >> bits, -(-high_power * high_power >> bits)
    low = high = 0
    count = bits // 3 + 1  # t^2 <= 1/9, so every term gains three bits
    for k in range(1, 2 * count, 2):
        low, high = low + low_power // k, high - (-high_power // k)
        low_power, high_power = low_power * low_square >> bits, -(-high_power * high_square >> bits)
    return low, high + 2 * high_power  # the terms that are left are at most a geometric series of ratio 1/9


# -- the statement ------------------------------------------------------------------------------------


class Layer:
    """Exact weights, as integers over one denominator, and the pieces (slope, intercept, upper end) of every unit."""

    def __init__(self, data: Any) -> None:
        self.weights = [[rational(e) for e in row] for row in data["weights"]]
        self.bias = [rational(e) for e in data["bias"]]
        pieces = [tuple(None if e is None else rational(e) for e in p) for p in data["pieces"]]
        self.pieces = [(s or Fraction(0), i or Fraction(0)) for s, i, _ in pieces]
        kinks = [u for _, _, u in pieces[:-1]]
        need(all(u is not None for u in kinks) and pieces[-1][2] is None, "pieces must end at kinks")
        self.kinks = [u for u in kinks if u is not None]
        need(self.kinks == sorted(set(self.kinks)), "kinks must increase")
        for k, kink in enumerate(self.kinks):
            (s, i), (t, j) = self.pieces[k], self.pieces[k + 1]
            need(s * kink + i == t * kink + j, "pieces must join")
        need(len({len(r) for r in self.weights}) == 1 and len(self.bias) == len(self.weights), "a layer must fit")
        self.scale = lcm(*(e.denominator for row in self.weights for e in row), *(e.denominator for e in self.bias))
        self.rows = [[int(e * self.scale) for e in row] for row in self.weights]
        self.columns = list(zip(*self.rows, strict=True))
        self.offsets = [int(e * self.scale) for e in self.bias]

    def piece_at(self, z: Number) -> int:
        """Return the piece of a pre-activation, the left one at a kink."""
        return next((k for k, kink in enumerate(self.kinks) if sign(z + -kink) <= 0), len(self.kinks))

    def activate(self, z: Fraction) -> Fraction:
        """Return the activation."""
        slope, intercept = self.pieces[self.piece_at(z)]
        return slope * z + intercept


class Table:
    """Values of units as combinations of a few quantities: integers over one denominator, a column a quantity.

    The first quantity is 1; then come the inputs (or logarithms, at a point), then the noise of relaxations.
    """

    def __init__(self, columns: list[list[int]], scale: int) -> None:
        self.columns, self.scale = columns, scale

    def through(self, layer: Layer) -> "Table":
        """Return W a + b."""
        used = [i for i in range(len(self.columns[0])) if any(column[i] for column in self.columns)]
        rows = [[row[i] for i in used] for row in layer.rows]
        new = []
        for column in self.columns:
            spots = [i for i in used if column[i]]
            if len(spots) > 1:
                entries = [column[i] for i in used]
                new.append([sum(map(mul, row, entries)) for row in rows])
            else:
                e = column[spots[0]] if spots else 0
                new.append([w * e for w in layer.columns[spots[0]]] if spots else [0] * len(rows))
        new[0] = [e + b * self.scale for e, b in zip(new[0], layer.offsets, strict=True)]
        return Table(new, self.scale * layer.scale)

    def activated(self, lines: Sequence[tuple[Fraction, Fraction, Fraction]]) -> "Table":
        """Return slope z + shift of every unit, with one more quantity for each spread."""
        scale = self.scale * lcm(*(slope.denominator for slope, _, _ in lines))
        scale = lcm(scale, *(e.denominator for _, *pair in lines for e in pair))
        factor = scale // self.scale
        slopes = [slope.numerator * (factor // slope.denominator) for slope, _, _ in lines]
        columns = [list(map(mul, slopes, column)) for column in self.columns]
        for i, (_, shift, spread) in enumerate(lines):
            columns[0][i] += shift.numerator * (scale // shift.denominator)
            if spread:
                columns.append([0] * len(lines))
                columns[-1][i] = spread.numerator * (scale // spread.denominator)
        return Table(columns, scale)

    def reduced(self) -> "Table":
        """Return the same with the least denominator."""
        common = gcd(self.scale, *(e for column in self.columns for e in column))
        return Table([[e // common for e in column] for column in self.columns], self.scale // common)

    def form(self, unit: int) -> list[int]:
        """Return a unit's coefficients times the scale."""
        return [column[unit] for column in self.columns]


class Claim:
    """The network, box and target of a certificate."""

    def __init__(self, data: Any) -> None:
        self.layers = [Layer(layer) for layer in data["network"]]
        self.inputs = len(self.layers[0].weights[0])
        for below, above in zip(self.layers, self.layers[1:], strict=False):
            need(len(above.weights[0]) == len(below.weights), "layers must fit together")
        box = data["box"]
        self.box = None if box is None else [(rational(lo), rational(hi)) for lo, hi in box]
        need(self.box is None or len(self.box) == self.inputs, "the box must have one interval per input")
        need(self.box is None or all(lo <= hi for lo, hi in self.box), "the box must not be empty")
        outputs = len(self.layers[-1].weights)
        clauses = data["target"]
        self.clauses: list[list[tuple[Form, bool]]] | None = None
        if clauses is not None:  # row . y <= bound becomes the form bound - row . y, at least 0 or above it
            self.clauses = []
            for clause in clauses:
                rows: list[tuple[Form, bool]] = []
                for row, bound, strict in clause:
                    need(len(row) == outputs and isinstance(strict, bool), "a row must fit the outputs")
                    rows.append(([number(bound), *(-rational(e) for e in row)], strict))
                self.clauses.append(rows)

    def outputs(self, x: Sequence[Number]) -> list[Number]:
        """Return the exact output at a point, by integers over the point's logarithms."""
        reals = [e if isinstance(e, Real) else Real(e, {}) for e in x]
        logs = sorted({r for e in reals for r in e.logs})
        parts = [[e.rational for e in reals], *([e.logs.get(r, Fraction(0)) for e in reals] for r in logs)]
        scale = lcm(*(e.denominator for column in parts for e in column))
        table = Table([[int(e * scale) for e in column] for column in parts], scale)
        for layer in self.layers:
            table = table.through(layer)
            pieces = [layer.pieces[layer.piece_at(z)] for z in values(table, logs)]
            table = table.activated([(slope, shift, Fraction(0)) for slope, shift in pieces])
        return values(table, logs)

    def reaches(self, x: Sequence[Number]) -> bool:
        """Tell whether an input lies in the box and its output meets a clause."""
        if self.box is not None and any(
            sign(e + -lo) < 0 or sign(e + -hi) > 0 for e, (lo, hi) in zip(x, self.box, strict=True)
        ):
            return False
        if self.clauses is None:
            return True
        y = self.outputs(x)
        return any(all(holds(form, strict, y) for form, strict in clause) for clause in self.clauses)


def values(table: Table, logs: Sequence[Fraction]) -> list[Number]:
    """Return the numbers that a table over logarithms holds."""
    first = [Fraction(e, table.scale) for e in table.columns[0]]
    if not logs:
        return list(first)
    rest = zip(*table.columns[1:], strict=True)
    return [
        Real(e, {r: Fraction(q, table.scale) for r, q in zip(logs, row, strict=True)})
        for e, row in zip(first, rest, strict=True)
    ]


# -- cells --------------------------------------------------------------------------------------------


class Cell:
    """A polyhedron by generators: (vector, mask of tight constraints), lines, and which constraints are open."""

    def __init__(
        self,
        generators: list[tuple[Vector, int]],
        lines: list[Vector],
        count: int,
        open_bits: int,
        is_unknown: bool = False,
    ) -> None:
        self.generators, self.lines, self.count, self.open_bits = generators, lines, count, open_bits
        self.is_unknown = is_unknown  # without generators; then only constraints count, and the box

    def is_empty(self) -> bool:
        """Tell whether no point of the closure satisfies the open constraints too."""
        if self.is_unknown:
            return False
        if not any(v[0] for v, _ in self.generators):
            return True
        common = self.open_bits
        for _, mask in self.generators:
            common &= mask
        return common != 0

    def signs(self, form: Vector, box: Any) -> set[int]:
        """Return the signs that a form takes on generators and lines (or on the box, where they are unknown)."""
        if self.is_unknown:
            if box is None:
                return {sign(form[0])} if not any(form[1:]) else {1, -1}
            ends = [(f * lo, f * hi) for f, (lo, hi) in zip(form[1:], box, strict=True)]
            return {sign(form[0] + sum(map(min, ends))), sign(form[0] + sum(map(max, ends)))}
        if any(dot(form, line) for line in self.lines):
            return {1, -1}
        return {sign(dot(form, v)) for v, _ in self.generators}

    def cut(self, form: Vector, is_open: bool) -> "Cell":
        """Return the part with form >= 0, or > 0 where it is open."""
        if self.is_unknown:
            return self
        bit = 1 << self.count
        generators, lines = self.generators, self.lines
        out: list[tuple[Vector, int]] = []
        pivot = next((line for line in lines if dot(form, line)), None)
        if pivot is not None:
            height = dot(form, pivot)
            if height < 0:
                pivot, height = tuple(-e for e in pivot), -height
            rest = [line for line in lines if line is not pivot and tuple(-e for e in line) != pivot]
            lines = [
                least([height * a - dot(form, line) * b for a, b in zip(line, pivot, strict=True)]) for line in rest
            ]
            for v, mask in generators:
                moved = least([height * a - dot(form, v) * b for a, b in zip(v, pivot, strict=True)])
                out.append((moved, mask | bit))
            out.append((pivot, bit - 1))
        else:
            heights = [dot(form, v) for v, _ in generators]
            above = [i for i, h in enumerate(heights) if h > 0]
            below = [i for i, h in enumerate(heights) if h < 0]
            out = [(v, m | bit if h == 0 else m) for (v, m), h in zip(generators, heights, strict=True) if h >= 0]
            need(len(above) * len(below) <= PAIRS, f"a cut may compare at most {PAIRS} pairs of generators")
            # an edge lies on as many constraints as leave two dimensions; the one at infinity may have no bit
            fewest = len(form) - len(lines) - 3
            for i in above:
                for j in below:
                    (v, p), (w, q) = generators[i], generators[j]
                    common = p & q
                    if common.bit_count() < fewest:
                        continue
                    if sum(1 for _, m in generators if m & common == common) == 2:
                        mixed = [heights[i] * b - heights[j] * a for a, b in zip(v, w, strict=True)]
                        out.append((least(mixed), common | bit))
        return Cell(out, lines, self.count + 1, self.open_bits | (bit if is_open else 0))


class State:
    """A cell with what is known on it: the values below the kinks of a layer, and the sides of its units."""

    def __init__(self, cell: Cell, layer: int, table: Table, sides: dict[tuple[int, int], int]) -> None:
        self.cell, self.layer, self.table, self.sides = cell, layer, table, sides
        self.path: list[tuple[Form, bool]] = []
        self.missed: set[int] = set()
        self.met: set[tuple[int, int]] = set()

    def form(self, claim: Claim, unit: int, kink: int) -> Form:
        """Return the pre-activation of a unit minus a kink, as a form on inputs."""
        form = [Fraction(e, self.table.scale) for e in self.table.form(unit)]
        return shifted(form, -claim.layers[self.layer].kinks[kink])

    def advance(self, claim: Claim) -> None:
        """Move to the next layer (at last to the outputs); every unit must have been split or keep one sign."""
        layer, scale = claim.layers[self.layer], self.table.scale
        lines = []
        for unit in range(len(layer.rows)):
            piece = 0
            for k, kink in enumerate(layer.kinks):
                side = self.sides.get((unit, k))
                if side is None:
                    first, *rest = self.table.form(unit)
                    q = kink.denominator
                    signs = self.cell.signs((first * q - kink.numerator * scale, *(e * q for e in rest)), claim.box)
                    need(not {1, -1} <= signs, f"unit {unit} of layer {self.layer + 1} is not decided")
                    side = 1 if 1 in signs else -1
                piece += side > 0
            lines.append((*layer.pieces[piece], Fraction(0)))
        self.layer, self.sides = self.layer + 1, {}
        self.table = self.table.activated(lines)
        if self.layer < len(claim.layers):
            self.table = self.table.through(claim.layers[self.layer]).reduced()

    def child(self, form: Form, is_open: bool) -> "State":
        """Return the part with form >= 0, or > 0."""
        part = State(cut(self.cell, form, is_open), self.layer, self.table, dict(self.sides))
        part.path = [*self.path, (form, is_open)]
        part.missed, part.met = set(self.missed), set(self.met)
        return part


def cut(cell: Cell, form: Form, is_open: bool) -> Cell:
    """Return the part of a cell with form >= 0, or > 0; all of it where the form holds logarithms."""
    return cell if isinstance(form[0], Real) else cell.cut(integral(form), is_open)


# -- the tree -----------------------------------------------------------------------------------------


def check(data: Any) -> dict[str, Any]:
    """Check a certificate that was read from JSON.

    Returns:
        What it proves: the claim, the number of cells, and how many leaves there are.

    Raises:
        Refused: Where it does not prove its claim.
    """
    try:
        return _check(data)
    except (KeyError, TypeError, ValueError, IndexError, ZeroDivisionError, AttributeError, RecursionError) as error:
        raise Refused(f"the certificate is malformed: {type(error).__name__} {error}") from error


def _check(data: Any) -> dict[str, Any]:
    need(data["format"] == "symbinv certificate 1", "the format must be 'symbinv certificate 1'")
    kind = data["claim"]
    if kind == "unsat":
        need(len(data["cases"]) > 0, "an unsat claim must have cases")
        parts = [_check({**case, "format": data["format"]}) for case in data["cases"]]
        need(all(p["claim"] == "complete" and p["cells"] == 0 for p in parts), "a case has cells")
        return {"claim": kind, "cells": 0, "leaves": sum(p["leaves"] for p in parts)}
    claim = Claim(data)
    if kind in ("sat", "nonempty"):
        point = [number(e) for e in data["point"]]
        need(len(point) == claim.inputs and claim.reaches(point), "the point does not reach the target")
        return {"claim": kind, "cells": None, "leaves": 0}
    need(kind == "complete", "the claim must be complete, nonempty, sat or unsat")
    cells, leaves = _walk(claim, data["nodes"], data.get("vertices", True))
    need(cells == data["cells"], f"the tree has {cells} cells, not {str(data['cells'])[:40]!r}")
    return {"claim": kind, "cells": cells, "leaves": leaves}


def _walk(claim: Claim, nodes: Any, has_vertices: bool) -> tuple[int, int]:
    units = [[int(i == j) for i in range(claim.inputs)] for j in range(claim.inputs)]
    inputs = Table([[0] * claim.inputs, *units], 1)
    root = State(
        first_cell(claim) if has_vertices else Cell([], [], 0, 0, True), 0, inputs.through(claim.layers[0]), {}
    )
    if claim.box is not None:
        for unit, (low, high) in zip(units, claim.box, strict=True):
            root.path.append(([-low, *map(Fraction, unit)], False))
            root.path.append(([high, *(-Fraction(e) for e in unit)], False))
    stack: list[tuple[int, State]] = [(0, root)]
    seen: set[int] = set()
    cells = leaves = 0
    while stack:
        index, state = stack.pop()
        need(isinstance(index, int) and 0 <= index < len(nodes) and index not in seen, "the tree must be a tree")
        seen.add(index)
        kind, *rest = nodes[index]
        if kind == "split":
            layer, unit, kink, left, right = rest
            need(state.layer < layer + 1 <= len(claim.layers), "a split must not go back to a lower layer")
            while state.layer < layer:
                state.advance(claim)
            split = claim.layers[layer]
            need(0 <= unit < len(split.rows) and 0 <= kink < len(split.kinks), "a split must name a unit and a kink")
            form = state.form(claim, unit, kink)
            lower, upper = state.child([-e for e in form], False), state.child(form, True)
            lower.sides[unit, kink], upper.sides[unit, kink] = -1, 1
            stack += [(left, lower), (right, upper)]
        elif kind == "row":
            clause, row, left, right = rest
            finish(claim, state)
            need(claim.clauses is not None and clause >= 0 and row >= 0, "a split on a row needs a target")
            form, strict = pulled(claim, state, clause, row)
            met, missed = state.child(form, strict), state.child([-e for e in form], not strict)
            met.met.add((clause, row))
            missed.missed.add(clause)
            stack += [(left, met), (right, missed)]
        elif kind == "cut":
            given, left, right = rest
            form = [rational(e) for e in given]
            need(len(form) == claim.inputs + 1, "a cut must have a constant and one slope per input")
            stack += [(left, state.child([-e for e in form], False)), (right, state.child(form, True))]
        else:
            leaves += 1
            cells += kind == "cell" or (kind == "constant" and rest[0] is not None)
            leaf(claim, state, kind, rest)
    need(len(seen) == len(nodes), "every node must be reached")
    return cells, leaves


def leaf(claim: Claim, state: State, kind: str, rest: list[Any]) -> None:
    """Check one leaf."""
    if kind == "infeasible":
        need(combines(claim, state.path, rest[0]), "multipliers do not refute their cell")
    elif kind == "constant":
        output = only_output(claim)
        need(output is not None and claim.clauses is not None, "the network is not constant")
        meets = any(all(holds(form, strict, output or []) for form, strict in clause) for clause in claim.clauses or [])
        need(meets == (rest[0] is not None), "the only output lies on the other side of the target")
        x = [number(e) for e in rest[0] or []]
        need(not meets or (len(x) == claim.inputs and claim.reaches(x)), "the point does not reach the target")
        need(not state.path[2 * claim.inputs if claim.box else 0 :], "a constant network is not split")
    elif kind == "missed":
        finish(claim, state)
        need(
            claim.clauses is not None and state.missed >= set(range(len(claim.clauses))),
            "a cell must miss every clause",
        )
    elif kind == "bound":
        layer, slopes = rest
        need(isinstance(layer, int) and state.layer <= layer < len(claim.layers), "a relaxation must name its layer")
        while state.layer < layer:
            state.advance(claim)
        need(bounded_away(claim, state, slopes), "a relaxation does not close its cell")
    elif kind == "empty":
        if state.cell.is_empty():
            return
        finish(claim, state)
        need(claim.clauses is not None, "a cell cannot miss a target that is not there")
        for index, clause in enumerate(claim.clauses or []):
            cell = state.cell
            for row in range(len(clause)):
                form, strict = pulled(claim, state, index, row)
                cell = cut(cell, form, strict)
                if cell.is_empty():
                    break
            need(cell.is_empty(), "a cell that is said to miss the target meets it")
    elif kind == "cell":
        finish(claim, state)
        x = [number(e) for e in rest[0]]
        need(len(x) == claim.inputs and claim.reaches(x), "the point of a cell does not reach the target")
        need(all(holds(form, strict, x) for form, strict in state.path), "the point of a cell lies outside it")
        need(within(claim, state), "a cell is not inside the target")
    else:
        raise Refused(f"a node must not be called {str(kind)[:40]!r}")


def only_output(claim: Claim) -> list[Fraction] | None:
    """Merge equal units, fold constant ones; return the output where no input is left in it."""
    merged: list[tuple[Any, ...]] = [(0, *(int(i == j) for i in range(claim.inputs))) for j in range(claim.inputs)]
    for layer in claim.layers:
        new: list[tuple[Any, ...]] = []
        names: dict[tuple[Any, ...], int] = {}
        for row, bias in zip(layer.weights, layer.bias, strict=True):
            total = combine(row, [[Fraction(e) for e in unit] for unit in merged], bias)
            constant = not any(total[1:])
            if constant:
                new.append((layer.activate(total[0]),))
            else:
                new.append((None, names.setdefault(tuple(total), len(names))))
        merged = [
            (unit[0], *[0] * len(names))
            if unit[0] is not None
            else (0, *(int(i == unit[1]) for i in range(len(names))))
            for unit in new
        ]
    return None if any(any(unit[1:]) for unit in merged) else [unit[0] for unit in merged]


def within(claim: Claim, state: State) -> bool:
    """Tell whether every point of the cell meets one and the same clause."""
    if claim.clauses is None:
        return True
    for index, clause in enumerate(claim.clauses):
        if all((index, row) in state.met for row in range(len(clause))):
            return True
        if state.cell.is_unknown:
            continue
        forms = [pulled(claim, state, index, row) for row in range(len(clause))]
        if all(cut(state.cell, [-e for e in f], not strict).is_empty() for f, strict in forms):
            return True
    return False


def finish(claim: Claim, state: State) -> None:
    """Advance through the remaining layers."""
    while state.layer < len(claim.layers):
        state.advance(claim)


def pulled(claim: Claim, state: State, clause: int, row: int) -> tuple[Form, bool]:
    """Return a row of the target as a form on inputs, met where it is at least 0 (or above)."""
    (bound, *factors), strict = (claim.clauses or [])[clause][row]
    combined, scale = combined_row(factors, state.table)
    return shifted([Fraction(e, scale) for e in combined], bound), strict


def combined_row(factors: Sequence[Fraction], table: Table) -> tuple[list[int], int]:
    """Return a combination of the values in a table: integers and their denominator."""
    integers, scale = numerators(factors)
    return [sum(map(mul, integers, column)) for column in table.columns], scale * table.scale


def combines(claim: Claim, rows: Sequence[tuple[Form, bool]], vector: Any) -> bool:
    """Tell whether multipliers combine constraints, all at least 0, into a number below 0 (or 0, but open)."""
    factors = [rational(e) for e in vector]
    if len(factors) != len(rows) or any(f < 0 for f in factors):
        return False
    used = [(f, form, is_open) for f, (form, is_open) in zip(factors, rows, strict=True) if f]
    total = [sum((f * form[j] for f, form, _ in used), Fraction(0)) for j in range(claim.inputs + 1)]
    side = sign(total[0])
    return not any(total[1:]) and (side < 0 or (side == 0 and any(is_open for _, _, is_open in used)))


# -- relaxations --------------------------------------------------------------------------------------


def bounded_away(claim: Claim, state: State, slopes: Any) -> bool:
    """Recompute a relaxation and tell whether it shows a row of every clause to fail over the cell."""
    points = [v for v, _ in state.cell.generators]
    if state.cell.is_unknown or state.cell.lines or any(not v[0] for v in points):
        return False
    if not points:
        return True
    table, level = state.table, 0
    for index in range(state.layer, len(claim.layers)):
        layer = claim.layers[index]
        if index > state.layer:
            table = table.through(layer)
        count = len(layer.rows)
        if layer.kinks:
            sides = state.sides if index == state.layer else {}
            need(len(slopes[level]) == count, "slopes must fit the layer")
            lines = [
                enclose(layer, *extremes(table.form(j), table.scale, points, layer.kinks), given, sides, j)
                for j, given in enumerate(slopes[level])
            ]
            level += 1
        else:
            lines = [(*layer.pieces[0], Fraction(0))] * count
        table = table.activated(lines)
    for clause in claim.clauses or []:
        if not any(fails(form, strict, table, points) for form, strict in clause):
            return False
    return claim.clauses is not None


def extremes(form: list[int], scale: int, points: list[Vector], kinks: Iterable[Fraction]) -> tuple[Fraction, Fraction]:
    """Return bounds of a form over points, noise between -1 and 1: rounded outward, but exact next to a kink."""
    width = len(points[0])
    radius = sum(map(abs, form[width:]))
    heights = [(sum(map(mul, form, v)), v[0]) for v in points]
    rounded = [h * ONE // (whole * scale) for h, whole in heights]
    slack = ceil_of(Fraction(radius, scale), ONE) if radius else 0
    low, high = min(rounded) - slack, max(rounded) + 1 + slack
    if any(
        abs(end * kink.denominator - kink.numerator * ONE) <= 2 * kink.denominator
        for kink in kinks
        for end in (low, high)
    ):
        exact = [Fraction(h, whole * scale) for h, whole in heights]
        return min(exact) - Fraction(radius, scale), max(exact) + Fraction(radius, scale)
    return Fraction(low, ONE), Fraction(high, ONE)


def fails(form: Form, strict: bool, table: Table, points: list[Vector]) -> bool:
    """Tell whether form . (1, y) stays below 0 (at most 0 where it must be above)."""
    combined, scale = combined_row(form[1:], table)
    width = len(points[0])
    top = max(Fraction(dot(combined, v), v[0] * scale) for v in points)
    side = sign(form[0] + top + Fraction(sum(map(abs, combined[width:])), scale))
    return side < 0 or (strict and side == 0)


def enclose(
    layer: Layer, low: Fraction, high: Fraction, given: Any, sides: dict[tuple[int, int], int], unit: int
) -> tuple[Fraction, Fraction, Fraction]:
    """Return slope, shift and spread that enclose a unit's activation over low <= z <= high."""
    for k, kink in enumerate(layer.kinks):
        side = sides.get((unit, k))
        low = max(low, kink) if side == 1 else low
        high = min(high, kink) if side == -1 else high
    first = sum(1 for k, kink in enumerate(layer.kinks) if low >= kink and sides.get((unit, k)) != -1)
    last = sum(1 for k, kink in enumerate(layer.kinks) if high > kink and sides.get((unit, k)) != -1)
    if given is None:
        need(first >= last, "a unit without a slope must keep to one piece")
        slope, shift = layer.pieces[max(last, min(first, last))]
        return slope, shift, Fraction(0)
    need(isinstance(given, int), "a slope must be an integer")
    slope = Fraction(given, GRID)
    low, high = Fraction(floor_of(low, ONE), ONE), Fraction(ceil_of(max(low, high), ONE), ONE)
    ends = [low, high, *(k for k in layer.kinks if low < k < high)]
    gaps = [layer.activate(e) - slope * e for e in ends]
    lowest, highest = floor_of(min(gaps), ONE), ceil_of(max(gaps), ONE)
    return slope, Fraction(lowest + highest, 2 * ONE), Fraction(highest - lowest, 2 * ONE)


# -- arithmetic ---------------------------------------------------------------------------------------


def first_cell(claim: Claim) -> Cell:
    """Return the box by its corners, or all of space by a point and lines."""
    if claim.box is None:
        origin = tuple([1] + [0] * claim.inputs)
        infinity = [tuple(int(i == j + 1) for i in range(claim.inputs + 1)) for j in range(claim.inputs)]
        return Cell([(origin, 0)], infinity, 1, 0)  # constraint 0: v_0 >= 0, tight on rays alone
    free = [j for j, (low, high) in enumerate(claim.box) if low < high]
    need(1 << len(free) <= CORNERS, f"a box with vertices must have at most {CORNERS} corners")
    generators = []
    for corner in product((0, 1), repeat=len(free)):
        chosen = dict(zip(free, corner, strict=True))
        point = [claim.box[j][chosen.get(j, 0)] for j in range(claim.inputs)]
        mask = sum(1 << (2 * k + side) for k, side in enumerate(corner))
        generators.append((integral([Fraction(1), *point]), mask))
    return Cell(generators, [], 2 * len(free), 0)


def combine(row: Sequence[Fraction], forms: Sequence[Form], constant: Fraction) -> Form:
    """Return sum of row_i form_i, plus a constant."""
    width = len(forms[0])
    total = [Fraction(0)] * width
    for factor, form in zip(row, forms, strict=True):
        if factor:
            total = [t + factor * e if e else t for t, e in zip(total, form, strict=True)]
    return shifted(total, constant)


def shifted(form: Form, constant: Number) -> Form:
    """Return a form plus a constant."""
    return [form[0] + constant, *form[1:]]


def holds(form: Form, strict: bool, x: Sequence[Number]) -> bool:
    """Tell whether form . (1, x) >= 0, or > 0."""
    side = sign(sum((f * e for f, e in zip(form[1:], x, strict=True) if f), form[0]))
    return side > 0 or (side == 0 and not strict)


def integral(form: Sequence[Fraction]) -> Vector:
    """Return a positive multiple with least integers."""
    return least(numerators(form)[0])


def numerators(form: Sequence[Fraction]) -> tuple[list[int], int]:
    """Return numerators over the least common denominator, and that denominator."""
    scale = lcm(*(e.denominator for e in form))
    return [e.numerator * (scale // e.denominator) for e in form], scale


def least(vector: Sequence[int]) -> Vector:
    """Divide integers by their greatest common divisor."""
    common = gcd(*vector) or 1
    return tuple(e // common for e in vector)


def dot(form: Sequence[int], vector: Vector) -> int:
    """Return the product of a form and a generator."""
    return sum(map(mul, form, vector))


def sign(value: int | Number) -> int:
    """Return -1, 0 or 1."""
    if isinstance(value, Real):
        return value.sign()
    return (value > 0) - (value < 0)


def floor_of(value: Fraction, one: int) -> int:
    """Return the largest integer that is not above value times one."""
    return value.numerator * one // value.denominator


def ceil_of(value: Fraction, one: int) -> int:
    """Return the least integer that is not below value times one."""
    return -(-value.numerator * one // value.denominator)


def need(condition: bool, message: str) -> None:
    """Refuse the certificate unless the condition holds."""
    if not condition:
        raise Refused(message)


def without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object, which may not say two things under one name."""
    found = dict(pairs)
    need(len(found) == len(pairs), "an object must not have a name twice")
    return found


def check_file(path: str) -> dict[str, Any]:
    """Check a certificate in a file; raise Refused where it proves nothing."""
    with open(path, encoding="utf-8") as readable:
        try:
            data = json.load(readable, object_pairs_hook=without_doubles)
        except (ValueError, RecursionError) as error:
            raise Refused(f"the file is not JSON: {error}") from error
    return check(data)


def main(arguments: Sequence[str]) -> int:
    """Check files from the command line; 0 where all are accepted, 1 where one is refused, 2 for misuse."""
    if not arguments:
        sys.stderr.write("usage: python -m symbinv.checker FILE...\n")
        return 2
    status = 0
    for path in arguments:
        try:
            found = check_file(path)
        except OSError as error:
            sys.stderr.write(f"{path}: {error}\n")
            return 2
        except Refused as refusal:
            sys.stdout.write(f"{path}: REFUSED: {refusal}\n")
            status = 1
        else:
            cells = "" if found["cells"] is None else f", {found['cells']} cells, {found['leaves']} leaves"
            sys.stdout.write(f"{path}: accepted: {found['claim']}{cells}\n")
    return status


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
