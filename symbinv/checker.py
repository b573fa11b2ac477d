"""Check a certificate of a preimage, independently: integers and Fractions of the standard library, nothing of ours.

A certificate is JSON: a network, a box (or none), a target, and a tree. Every node but a leaf splits its cell on
the sign of one affine form: that of a unit minus a kink, or of a row of the target. Leaves are

    ["cell", point]     part of the preimage; the point lies in it
    ["empty"]           all units are on known pieces, and no point of the cell meets the target
    ["bound", layer, slopes]   the target is missed over the whole cell by a linear relaxation from a
                        layer on, with these slopes times 256
    ["infeasible", vector]   non-negative multipliers of the box's rows and of the splits on the way, whose
                        combination is a negative number (Farkas), or 0 with an open row (Motzkin)
    ["constant", point] equal units cancel, so the network has one output, which meets the target or (where
                        the point is null) misses it
    ["missed"]          a split on a row of every clause says that the target is missed

The checker walks the tree with its own double description (homogeneous generators, points and rays, with
lines where there is no box), so a cell's extremes are known exactly; it asks at every layer that each unit
was split or keeps one sign, recomputes every relaxation with rounding outward, and every point by its own forward
pass. If it accepts, the cells together are all of the preimage.

Run as `python -m symbinv.checker FILE`.
"""

import json
import sys
from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from math import gcd, lcm
from typing import Any

Form = list[Fraction]  # constant, then one coefficient per input
Vector = tuple[int, ...]
ONE = 1 << 96  # fixed point: relaxations are rounded outward to multiples of 1/ONE


class Refused(Exception):  # noqa: N818 - a verdict on a certificate, not a fault
    """The certificate does not prove its claim."""


class Layer:
    """Exact weights and the pieces (slope, intercept, upper end) of every unit."""

    def __init__(self, data: Any) -> None:
        self.weights = [[Fraction(e) for e in row] for row in data["weights"]]
        self.bias = [Fraction(e) for e in data["bias"]]
        pieces = [tuple(None if e is None else Fraction(e) for e in p) for p in data["pieces"]]
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
        self.integers = [[int(e * self.scale) for e in row] for row in self.weights]

    def piece_at(self, z: Fraction) -> int:
        """Return the piece of a pre-activation, the left one at a kink."""
        return next((k for k, kink in enumerate(self.kinks) if z <= kink), len(self.kinks))

    def activate(self, z: Fraction) -> Fraction:
        """Return the activation."""
        slope, intercept = self.pieces[self.piece_at(z)]
        return slope * z + intercept


class Claim:
    """The network, box and target of a certificate."""

    def __init__(self, data: Any) -> None:
        self.layers = [Layer(layer) for layer in data["network"]]
        self.inputs = len(self.layers[0].weights[0])
        for below, above in zip(self.layers, self.layers[1:], strict=False):
            need(len(above.weights[0]) == len(below.weights), "layers must fit together")
        box = data["box"]
        self.box = None if box is None else [(Fraction(lo), Fraction(hi)) for lo, hi in box]
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
                    rows.append(([Fraction(bound), *(-Fraction(e) for e in row)], strict))
                self.clauses.append(rows)

    def outputs(self, x: Sequence[Fraction]) -> list[Fraction]:
        """Return the exact output."""
        a = list(x)
        for layer in self.layers:
            a = [
                layer.activate(sum((w * e for w, e in zip(row, a, strict=True)), b))
                for row, b in zip(layer.weights, layer.bias, strict=True)
            ]
        return a

    def reaches(self, x: Sequence[Fraction]) -> bool:
        """Tell whether an input lies in the box and its output meets a clause."""
        if self.box is not None and not all(lo <= e <= hi for e, (lo, hi) in zip(x, self.box, strict=True)):
            return False
        if self.clauses is None:
            return True
        y = self.outputs(x)
        return any(all(holds(form, strict, y) for form, strict in clause) for clause in self.clauses)


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
        found = {sign(dot(form, v)) for v, _ in self.generators}
        return found | ({1, -1} if any(dot(form, line) for line in self.lines) else set())

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
            for i in above:
                for j in below:
                    (v, p), (w, q) = generators[i], generators[j]
                    common = p & q
                    if sum(1 for _, m in generators if m & common == common) == 2:
                        mixed = [heights[i] * b - heights[j] * a for a, b in zip(v, w, strict=True)]
                        out.append((least(mixed), common | bit))
        return Cell(out, lines, self.count + 1, self.open_bits | (bit if is_open else 0))


class State:
    """A cell with what is known on it: the affine map below a layer, and the sides of that layer's units."""

    def __init__(self, cell: Cell, layer: int, map_: list[Form], sides: dict[tuple[int, int], int]) -> None:
        self.cell, self.layer, self.map, self.sides = cell, layer, map_, sides
        self.path: list[tuple[Form, bool]] = []
        self.missed: set[int] = set()
        self.met: set[tuple[int, int]] = set()

    def form(self, claim: Claim, unit: int) -> Form:
        """Return the pre-activation of a unit as a form on inputs."""
        layer = claim.layers[self.layer]
        return combine(layer.weights[unit], self.map, layer.bias[unit])

    def advance(self, claim: Claim) -> None:
        """Move to the next layer; every unit must have been split or keep one sign."""
        layer = claim.layers[self.layer]
        new = []
        for unit in range(len(layer.weights)):
            form, piece = self.form(claim, unit), 0
            for k, kink in enumerate(layer.kinks):
                side = self.sides.get((unit, k))
                if side is None:
                    signs = self.cell.signs(integral(shifted(form, -kink)), claim.box)
                    need(not {1, -1} <= signs, f"unit {unit} of layer {self.layer + 1} is not decided")
                    side = 1 if 1 in signs else -1
                piece += side > 0
            slope, intercept = layer.pieces[piece]
            new.append(shifted([slope * e for e in form], intercept))
        self.map, self.layer, self.sides = new, self.layer + 1, {}

    def child(self, form: Form, is_open: bool) -> "State":
        """Return the part with form >= 0, or > 0."""
        part = State(self.cell.cut(integral(form), is_open), self.layer, self.map, dict(self.sides))
        part.path = [*self.path, (form, is_open)]
        part.missed, part.met = set(self.missed), set(self.met)
        return part


def check(data: Any) -> dict[str, Any]:
    """Check a certificate that was read from JSON.

    Returns:
        What it proves: the claim, the number of cells, and how many leaves there are.

    Raises:
        Refused: Where it does not prove its claim.
    """
    try:
        return _check(data)
    except (KeyError, TypeError, ValueError, IndexError, ZeroDivisionError, AttributeError) as error:
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
        point = [Fraction(e) for e in data["point"]]
        need(len(point) == claim.inputs and claim.reaches(point), "the point does not reach the target")
        return {"claim": kind, "cells": None, "leaves": 0}
    need(kind == "complete", "the claim must be complete, nonempty, sat or unsat")
    cells, leaves = _walk(claim, data["nodes"])
    need(cells == data["cells"], f"the tree has {cells} cells, not {data['cells']}")
    return {"claim": kind, "cells": cells, "leaves": leaves}


def _walk(claim: Claim, nodes: Any) -> tuple[int, int]:
    start = [[Fraction(int(i == j + 1)) for i in range(claim.inputs + 1)] for j in range(claim.inputs)]
    by_rows = any(node[0] in ("infeasible", "missed") for node in nodes)
    root = State(Cell([], [], 0, 0, True) if by_rows else first_cell(claim), 0, start, {})
    if claim.box is not None:
        for j, (low, high) in enumerate(claim.box):
            root.path.append((shifted(start[j], -low), False))
            root.path.append((shifted([-e for e in start[j]], high), False))
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
            units = claim.layers[layer]
            need(0 <= unit < len(units.weights) and 0 <= kink < len(units.kinks), "a split must name a unit and a kink")
            form = shifted(state.form(claim, unit), -units.kinks[kink])
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
        x = [Fraction(e) for e in rest[0] or []]
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
                cell = cell.cut(integral(form), strict)
                if cell.is_empty():
                    break
            need(cell.is_empty(), "a cell that is said to miss the target meets it")
    elif kind == "cell":
        finish(claim, state)
        x = [Fraction(e) for e in rest[0]]
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
        if all(state.cell.cut(integral([-e for e in f]), not strict).is_empty() for f, strict in forms):
            return True
    return False


def finish(claim: Claim, state: State) -> None:
    """Advance through the remaining layers."""
    while state.layer < len(claim.layers):
        state.advance(claim)


def pulled(claim: Claim, state: State, clause: int, row: int) -> tuple[Form, bool]:
    """Return a row of the target as a form on inputs, met where it is at least 0 (or above)."""
    form, strict = (claim.clauses or [])[clause][row]
    return combine(form[1:], state.map, form[0]), strict


def combines(claim: Claim, rows: Sequence[tuple[Form, bool]], vector: Any) -> bool:
    """Tell whether multipliers combine constraints, all at least 0, into a number below 0 (or 0, but open)."""
    factors = [Fraction(e) for e in vector]
    if len(factors) != len(rows) or any(f < 0 for f in factors):
        return False
    used = [(f, form, is_open) for f, (form, is_open) in zip(factors, rows, strict=True) if f]
    total = [sum((f * form[j] for f, form, _ in used), Fraction(0)) for j in range(claim.inputs + 1)]
    return not any(total[1:]) and (total[0] < 0 or (total[0] == 0 and any(is_open for _, _, is_open in used)))


# -- relaxations --------------------------------------------------------------------------------------


def bounded_away(claim: Claim, state: State, slopes: Any) -> bool:
    """Recompute a relaxation and tell whether it shows a row of every clause to fail over the cell."""
    points = [v for v, _ in state.cell.generators]
    if state.cell.is_unknown:
        return False
    if state.cell.lines or any(not v[0] for v in points):
        return False
    if not points:
        return True
    level = 0
    layer = claim.layers[state.layer]
    forms = [state.form(claim, unit) for unit in range(len(layer.weights))]
    exact = [[evaluate(f, v) for f in forms] for v in points]
    values = [[floor_of(e) for e in row] for row in exact]
    error = [1] * len(forms)
    noise: list[list[int]] = []
    for index in range(state.layer, len(claim.layers)):
        layer = claim.layers[index]
        if index > state.layer:
            values, error, noise = through(layer, values, error, noise)
        count = len(layer.weights)
        radius = [error[j] + sum(abs(g[j]) for g in noise) for j in range(count)]
        low = [Fraction(min(v[j] for v in values) - radius[j], ONE) for j in range(count)]
        high = [Fraction(max(v[j] for v in values) + radius[j], ONE) for j in range(count)]
        if index == state.layer:
            low, high = (
                [min(column) for column in zip(*exact, strict=True)],
                [max(column) for column in zip(*exact, strict=True)],
            )
        if not layer.kinks:
            (slope, shift), scale = layer.pieces[0], 1
            lines = [(slope, shift, Fraction(0))] * count
        else:
            given, scale = slopes[level], 256
            level += 1
            need(len(given) == count, "slopes must fit the layer")
            sides = state.sides if index == state.layer else {}
            lines = [enclose(layer, low[j], high[j], given[j], scale, sides, j) for j in range(count)]
        values = [[floor_of(s * Fraction(v[j], ONE) + m) for j, (s, m, _) in enumerate(lines)] for v in values]
        error = [ceil_of(abs(s) * Fraction(error[j], ONE)) + 2 for j, (s, _, _) in enumerate(lines)]
        for g in noise:
            for j, (s, _, _) in enumerate(lines):
                g[j] = floor_of(s * Fraction(g[j], ONE))
        error = [e + len(noise) for e in error]
        for j, (_, _, spread) in enumerate(lines):
            if spread:
                noise.append([ceil_of(spread) if i == j else 0 for i in range(count)])
    for clause in claim.clauses or []:
        if not any(fails(form, strict, values, error, noise) for form, strict in clause):
            return False
    return claim.clauses is not None


def fails(form: Form, strict: bool, values: list[list[int]], error: list[int], noise: list[list[int]]) -> bool:
    """Tell whether form . (1, y) stays below 0 (at most 0 where it must be above)."""
    top = max(
        form[0] + sum((f * Fraction(e, ONE) for f, e in zip(form[1:], v, strict=True)), Fraction(0)) for v in values
    )
    for f, e in zip(form[1:], error, strict=True):
        top += abs(f) * Fraction(e, ONE)
    for g in noise:
        top += abs(sum((f * Fraction(e, ONE) for f, e in zip(form[1:], g, strict=True)), Fraction(0)))
    return top < 0 or (strict and top == 0)


def enclose(
    layer: Layer, low: Fraction, high: Fraction, given: Any, scale: int, sides: dict[tuple[int, int], int], unit: int
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
    slope = Fraction(given, scale)
    high = max(low, high)
    ends = [low, high, *(k for k in layer.kinks if low < k < high)]
    gaps = [layer.activate(e) - slope * e for e in ends]
    return slope, (min(gaps) + max(gaps)) / 2, (max(gaps) - min(gaps)) / 2


def through(
    layer: Layer, values: list[list[int]], error: list[int], noise: list[list[int]]
) -> tuple[list[list[int]], list[int], list[list[int]]]:
    """Carry values, errors and noise through the affine map of a layer, rounding outward."""
    scale, rows = layer.scale, layer.integers
    bias = [b * ONE for b in layer.bias]
    new = [
        [sum(map(int.__mul__, row, v)) // scale + floor_int(b) for row, b in zip(rows, bias, strict=True)]
        for v in values
    ]
    radius = [-(-sum(abs(w) * e for w, e in zip(row, error, strict=True)) // scale) + 3 + len(noise) for row in rows]
    return new, radius, [[sum(map(int.__mul__, row, g)) // scale for row in rows] for g in noise]


# -- arithmetic ---------------------------------------------------------------------------------------


def first_cell(claim: Claim) -> Cell:
    """Return the box by its corners, or all of space by a point and lines."""
    if claim.box is None:
        origin = tuple([1] + [0] * claim.inputs)
        infinity = [tuple(int(i == j + 1) for i in range(claim.inputs + 1)) for j in range(claim.inputs)]
        return Cell([(origin, 0)], infinity, 1, 0)  # constraint 0: v_0 >= 0, tight on rays alone
    free = [j for j, (low, high) in enumerate(claim.box) if low < high]
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


def shifted(form: Form, constant: Fraction) -> Form:
    """Return a form plus a constant."""
    return [form[0] + constant, *form[1:]]


def evaluate(form: Form, point: Vector) -> Fraction:
    """Return the value of a form at a homogeneous point."""
    return sum((f * e for f, e in zip(form, point, strict=True)), Fraction(0)) / point[0]


def holds(form: Form, strict: bool, x: Sequence[Fraction]) -> bool:
    """Tell whether form . (1, x) >= 0, or > 0."""
    value = form[0] + sum((f * e for f, e in zip(form[1:], x, strict=True)), Fraction(0))
    return value > 0 or (value == 0 and not strict)


def integral(form: Sequence[Fraction]) -> Vector:
    """Return a positive multiple with least integers."""
    scale = lcm(*(e.denominator for e in form))
    return least([e.numerator * (scale // e.denominator) for e in form])


def least(vector: Sequence[int]) -> Vector:
    """Divide integers by their greatest common divisor."""
    common = gcd(*vector) or 1
    return tuple(e // common for e in vector)


def dot(form: Vector, vector: Vector) -> int:
    """Return the product of a form and a generator."""
    return sum(map(int.__mul__, form, vector))


def sign(value: int | Fraction) -> int:
    """Return -1, 0 or 1."""
    return (value > 0) - (value < 0)


def floor_of(value: Fraction) -> int:
    """Return the largest multiple of 1/ONE that is not above."""
    return value.numerator * ONE // value.denominator


def ceil_of(value: Fraction) -> int:
    """Return the least multiple of 1/ONE that is not below."""
    return -(-value.numerator * ONE // value.denominator)


def floor_int(value: Fraction) -> int:
    """Return the largest integer that is not above."""
    return value.numerator // value.denominator


def need(condition: bool, message: str) -> None:
    """Refuse the certificate unless the condition holds."""
    if not condition:
        raise Refused(message)


def check_file(path: str) -> dict[str, Any]:
    """Check a certificate in a file; raise Refused where it proves nothing."""
    with open(path, encoding="utf-8") as readable:
        try:
            data = json.load(readable)
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
