"""Where the splitting starts: coordinates of the cells, and the first cells, in a box or in all of space.

In a box the coordinates are the inputs that the box leaves free. Without one, a network reads its input only
through the first rows that matter, W x, so cells are cylinders over the row space: r independent rows give
coordinates u = W_r x + b_r - kink, the null space of W gives every cell its lines, and the hyperplanes u_i = 0
cut the rest into 2^r orthants, each with one vertex and r rays. No cell with a line is ever split.
"""

from collections.abc import Sequence
from fractions import Fraction
from itertools import product

import numpy as np

from symbinv.cells.pool import Pool
from symbinv.cells.splitting import Piece, Tree
from symbinv.cells.stages import UNIT, Linearization, Stage
from symbinv.exact.integer import Row, common_scale, primitive
from symbinv.exact.matrix import ExactMatrix
from symbinv.polyhedra.cell import Constraint, Frame
from symbinv.polyhedra.generator import Generator


def start_in_box(box: Sequence[Sequence[Fraction]]) -> tuple[Frame, Pool, list[Piece]]:
    """Return the frame of a box and the box itself as the only cell."""
    free = [i for i, (low, high) in enumerate(box) if low != high]
    columns = [
        [low if low == high else Fraction(0), *(Fraction(int(i == j)) for j in free)]
        for i, (low, high) in enumerate(box)
    ]
    integers, _scale = common_scale([[Fraction(1), *([Fraction(0)] * len(free))], *columns])
    units = [tuple(Fraction(int(i == j)) for j in range(len(box))) for i in range(len(box))]
    frame = Frame(
        tuple(tuple(r) for r in integers),
        back=tuple((Fraction(0), *units[i]) for i in free),
        fixed=tuple((units[i], low) for i, (low, high) in enumerate(box) if low == high),
    )
    exact: list[Row] = []
    masks: list[int] = []
    for corner in product((0, 1), repeat=len(free)):
        ((whole, *rest),), _ = common_scale(
            [[Fraction(1), *(box[i][side] for i, side in zip(free, corner, strict=True))]]
        )
        exact.append(primitive((whole, *rest)))
        masks.append(sum(1 << (2 * k + side) for k, side in enumerate(corner)))
    constraints = []
    for k, i in enumerate(free):
        low, high = box[i]
        unit = [int(j == k) for j in range(len(free))]
        constraints.append(Constraint((-low.numerator, *(low.denominator * e for e in unit)), False))
        constraints.append(Constraint((high.numerator, *(-high.denominator * e for e in unit)), False))
    root = Linearization.of_frame(frame.rows)
    piece = Piece(list(range(len(exact))), masks, 0, tuple(constraints), (), len(free), root, 0)
    return frame, pool_of(frame, exact), [piece]


def start_everywhere(stage: Stage | None, inputs: int, tree: Tree) -> tuple[Frame, Pool, list[Piece]]:
    """Return the frame of all of space before the first stage, and its orthants."""
    rows = [] if stage is None or not stage.columns else stage.weights.T.rref()[1]
    weights = ExactMatrix.zeros(0, inputs) if stage is None or not rows else stage.weights.select(rows=list(rows))
    reduced, pivots = weights.rref() if len(rows) else (weights, ())
    lines = _null_space(reduced, pivots, inputs)
    basis = [[Fraction(0)] * (len(rows) + 1) for _ in range(inputs)]
    back: list[tuple[Fraction, ...]] = []
    if stage is not None and rows:
        inverse = weights.select(columns=list(pivots)).solve(ExactMatrix.identity(len(rows)))
        shift = [[stage.kinks[0] - stage.bias.fraction(i, 0)] for i in rows]
        origin = inverse @ ExactMatrix(shift)
        for k, p in enumerate(pivots):
            basis[p] = [origin.fraction(k, 0), *inverse.fractions()[k]]
        back = [(-shift[k][0], *row) for k, row in enumerate(weights.fractions())]
    integers, _ = common_scale([[Fraction(1), *([Fraction(0)] * len(rows))], *basis])
    frame = Frame(tuple(tuple(r) for r in integers), tuple(back), lines=lines)
    root = Linearization.of_frame(frame.rows)
    count = len(rows)
    exact = [_unit(0, 1, count)] + [_unit(i + 1, s, count) for i in range(count) for s in (1, -1)]
    pieces: list[Piece] = []
    infinity = Constraint(_unit(0, 1, count), False)

    def divide(node: int, signs: tuple[int, ...]) -> None:
        if len(signs) < count:
            assert stage is not None
            left, right = tree.split(node, stage.layer, rows[len(signs)] * len(stage.kinks))
            divide(left, (*signs, -1))
            divide(right, (*signs, 1))
            return
        everything = (1 << count) - 1
        masks = [everything] + [everything & ~(1 << i) | 1 << count for i in range(count)]
        constraints = tuple(Constraint(_unit(i + 1, s, count), s > 0) for i, s in enumerate(signs))
        ids = [0] + [1 + 2 * i + (s < 0) for i, s in enumerate(signs)]
        open_bits = sum(1 << i for i, s in enumerate(signs) if s > 0)
        pieces.append(Piece(ids, masks, open_bits, (*constraints, infinity), (), count, root, node))

    divide(0, ())
    return frame, pool_of(frame, exact), pieces


def pool_of(frame: Frame, exact: list[Row]) -> Pool:
    """Return a pool of generators with their inputs in doubles."""
    values = np.empty((len(exact), len(frame.rows) - 1))
    for i, generator in enumerate(exact):
        if generator[0]:
            values[i] = [float(e) for e in frame.point(generator)]
        else:
            size, scale = max(map(abs, generator)), frame.rows[0][0]
            values[i] = [sum(a * b for a, b in zip(r, generator, strict=True)) / (size * scale) for r in frame.rows[1:]]
    return Pool([Generator(row) for row in exact], values, 2 * UNIT * np.abs(values))


def _unit(position: int, sign: int, count: int) -> Row:
    return tuple(sign * int(i == position) for i in range(count + 1))


def _null_space(reduced: ExactMatrix, pivots: Sequence[int], inputs: int) -> tuple[tuple[Fraction, ...], ...]:
    lines = []
    for free in (j for j in range(inputs) if j not in pivots):
        line = [Fraction(0)] * inputs
        line[free] = Fraction(1)
        for i, p in enumerate(pivots):
            line[p] = -reduced.fraction(i, free)
        integers, _ = common_scale([line])
        lines.append(tuple(Fraction(e) for e in primitive(integers[0])))
    return tuple(lines)
