"""A piecewise-linear network as a chain of stages: an affine map, then kinks at which cells are split.

Identity layers are merged into the next one, so every stage but the last has kinks. Each stage is held twice: in
integers over one denominator, which decide, and in doubles with a bound on their rounding, which
propose and decide only outside that bound.

All maps are homogeneous: a point p is (t, t p) with t = 1, a ray (0, r); the kink k of a unit is met where
z = k t. On a ray the maps are the recession maps lim f(p + s r)/s, which do not depend on p, so generators of
unbounded cells need no treatment of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import lcm

import numpy as np
from numpy.typing import NDArray

from symbinv.errors import NotSupportedError, ShapeError
from symbinv.exact.integer import IntegerMatrix, Row, common_scale
from symbinv.exact.matrix import ExactMatrix
from symbinv.network.activation import Piece
from symbinv.network.network import Network

Array = NDArray[np.float64]
UNIT = 2.0**-53
TINY = 1e-290


@dataclass(frozen=True, eq=False)
class Stage:
    """One affine map with the pieces that follow it.

    Attributes:
        weights: (m, n).
        bias: (m, 1).
        pieces: The linear pieces of every unit, left to right.
        layer: The index of the network's layer (from 1), 0 for the rows of a target.
    """

    weights: ExactMatrix
    bias: ExactMatrix
    pieces: tuple[Piece, ...]
    layer: int

    @cached_property
    def kinks(self) -> tuple[Fraction, ...]:
        """The ends between neighbouring pieces."""
        return tuple(p.upper for p in self.pieces if p.upper is not None)

    @property
    def units(self) -> int:
        """The number of units."""
        return self.weights.rows

    @property
    def columns(self) -> int:
        """The number of hyperplanes per cell: units times kinks; column u * kinks + k is kink k of unit u."""
        return self.units * len(self.kinks)

    @cached_property
    def float_weights(self) -> Array:
        """The weights rounded to doubles."""
        return np.ascontiguousarray(self.weights.to_numpy())

    @cached_property
    def float_bias(self) -> Array:
        """The bias rounded to doubles."""
        return self.bias.to_numpy()[:, 0]

    @cached_property
    def float_kinks(self) -> Array:
        """The kinks rounded to doubles."""
        return np.array([float(k) for k in self.kinks])

    @cached_property
    def _integers(self) -> tuple[IntegerMatrix, int]:
        table = [b + w for b, w in zip(self.bias.fractions(), self.weights.fractions(), strict=True)]
        rows, scale = common_scale(table)
        return IntegerMatrix(rows), scale

    def form(self, below: "Linearization", column: int) -> Row:
        """Return the integer form whose sign on a generator is that of z - kink of one column."""
        matrix, scale = self._integers
        kinks = len(self.kinks)
        row = matrix.after_row(column // kinks, below.matrix)
        kink = self.kinks[column % kinks]
        if kink == 0:
            return row
        shift = kink.numerator * scale * below.scale
        return (row[0] * kink.denominator - shift, *(e * kink.denominator for e in row[1:]))

    def outputs(self, below: "Linearization") -> list[tuple[Row, int]]:
        """Return z as integer forms, each with its positive denominator."""
        matrix, scale = self._integers
        return [(row, scale * below.scale) for row in (matrix @ below.matrix).rows()]

    def above(self, below: "Linearization", pattern: Sequence[int]) -> "tuple[IntegerMatrix, int]":
        """Return the homogeneous map after this stage where every unit is on the given piece."""
        matrix, scale = self._integers
        rows = (matrix @ below.matrix).rows()
        scale *= below.scale
        factor = lcm(*(q.denominator for p in self.pieces for q in (p.slope, p.intercept)))
        slopes = [int(p.slope * factor) for p in self.pieces]
        shifts = [int(p.intercept * factor) * scale for p in self.pieces]
        width = len(rows[0])
        table: list[Sequence[int]] = [(scale * factor, *([0] * (width - 1)))]
        for row, k in zip(rows, pattern, strict=True):
            s = slopes[k]
            new = row if s == 1 else tuple(s * e for e in row) if s else (0,) * width
            table.append((new[0] + shifts[k], *new[1:]) if shifts[k] else new)
        return IntegerMatrix(table), scale * factor

    def affine(self, a: Array, radius: Array, t: Array) -> tuple[Array, Array]:
        """Return z = W a + b t in doubles, row by row, with a bound on its error."""
        w, b = self.float_weights, self.float_bias
        gamma = (w.shape[1] + 6) * UNIT * 1.01
        z = a @ w.T + t[:, None] * b
        error = (radius + gamma * np.abs(a)) @ np.abs(w).T
        return z, (error + gamma * np.abs(t[:, None] * b)) * 1.0001 + TINY

    def activate_exactly(self, z: Fraction) -> Fraction:
        """Return the activation of one exact pre-activation."""
        for piece in self.pieces:
            if piece.upper is None or z <= piece.upper:
                return piece.slope * z + piece.intercept
        return z

    def activate(self, z: Array, radius: Array, t: Array) -> tuple[Array, Array]:
        """Return the activations in doubles, row by row, with a bound on their error."""
        steep = max(abs(float(p.slope)) for p in self.pieces)
        scale = t[:, None]
        result = np.empty_like(z)
        error = radius * steep
        for piece in reversed(self.pieces):
            slope, intercept = float(piece.slope), float(piece.intercept)
            value = slope * z + intercept * scale
            here = np.ones_like(z, dtype=bool) if piece.upper is None else z <= float(piece.upper) * scale
            result[here] = value[here]
            inside = here.copy()
            if piece.upper is not None:
                slack = 4 * UNIT * abs(float(piece.upper))
                inside &= z + radius <= (float(piece.upper) - slack) * scale
            if piece.lower is not None:
                slack = 4 * UNIT * abs(float(piece.lower))
                inside &= z - radius >= (float(piece.lower) + slack) * scale
            error[inside] = (radius * abs(slope))[inside]
        largest = steep * np.abs(z) + max(abs(float(p.intercept)) for p in self.pieces) * scale
        kinks = max((abs(float(k)) for k in self.kinks), default=0.0) * scale * steep
        error = error * 1.0001 + 8 * UNIT * (largest + kinks)
        if self._zero_below:
            error[(z + radius < 0)] = 0.0
        return result, error

    @cached_property
    def _zero_below(self) -> bool:
        first = self.pieces[0]
        return first.slope == 0 and first.intercept == 0 and first.upper == 0


class Linearization:
    """The affine map up to a stage inside a cell: integers, computed when first asked for.

    Row 0 of `matrix` is (scale, 0, ..., 0); the others are scale times the activations, as forms on the
    homogeneous coordinates of the cell.
    """

    __slots__ = ("_forms", "_matrix", "_scale", "below", "pattern", "stage")

    def __init__(self, below: "Linearization | None", stage: Stage | None, pattern: tuple[int, ...]) -> None:
        self.below, self.stage, self.pattern = below, stage, pattern
        self._matrix: IntegerMatrix | None = None
        self._scale = 0
        self._forms: dict[int, Row] = {}

    @classmethod
    def of_frame(cls, rows: Sequence[Sequence[int]]) -> "Linearization":
        """Return the map from the cell's coordinates to the inputs."""
        result = cls(None, None, ())
        result._matrix, result._scale = IntegerMatrix(rows), rows[0][0]
        return result

    @property
    def matrix(self) -> IntegerMatrix:
        """The homogeneous map."""
        if self._matrix is None:
            assert self.below is not None and self.stage is not None
            self._matrix, self._scale = self.stage.above(self.below, self.pattern)
        return self._matrix

    @property
    def scale(self) -> int:
        """The positive integer by which activations are multiplied."""
        return self._scale if self._matrix is not None else (self.matrix, self._scale)[1]

    @property
    def computed(self) -> tuple[IntegerMatrix, int] | None:
        """The matrix and its scale where they have been computed."""
        return None if self._matrix is None else (self._matrix, self._scale)

    @computed.setter
    def computed(self, known: tuple[IntegerMatrix, int]) -> None:
        self._matrix, self._scale = known

    def form(self, stage: Stage, column: int) -> Row:
        """Return the form of one column of the next stage."""
        found = self._forms.get(column)
        if found is None:
            found = self._forms[column] = stage.form(self, column)
        return found

    def patterns(self) -> tuple[tuple[int, ...], ...]:
        """Return the piece of every unit, stage by stage."""
        return () if self.below is None else (*self.below.patterns(), self.pattern)


def hidden_stages(network: Network) -> tuple[list[Stage], tuple[ExactMatrix, ExactMatrix] | None]:
    """Return the stages with kinks, and the affine map after the last of them (None: there is none).

    The last layer's own activation, where it is smooth, is left out: a target is carried through it first.

    Raises:
        NotSupportedError: For symbolic weights, and for a smooth activation below the last layer.
    """
    stages: list[Stage] = []
    pending: tuple[ExactMatrix, ExactMatrix] | None = None
    for index, layer in enumerate(network.layers, start=1):
        if not layer.is_rational:
            raise NotSupportedError(f"layer {index} has symbolic weights; preimages of cells need numbers.")
        weights, bias = layer.weights, layer.bias
        if pending is not None:
            weights, bias = weights @ pending[0], weights @ pending[1] + bias
            pending = None
        pieces = layer.activation.pieces
        if pieces is None and index < network.depth:
            raise NotSupportedError(
                f"layer {index} uses {layer.activation.name!r}, which is not piecewise linear; `invert` handles it."
            )
        if pieces is None or layer.activation.is_identity:
            pending = (weights, bias)
        else:
            stages.append(Stage(weights, bias, pieces, index))
    return stages, pending


def row_stage(rows: Sequence[Sequence[Fraction]], offsets: Sequence[Fraction], width: int) -> Stage:
    """Return rows of a target, z_k = row . a + offset, as a stage with a kink at 0."""
    if any(len(r) != width for r in rows):
        raise ShapeError(f"rows of a target must have one entry per output ({width}).")
    pieces = (
        Piece(Fraction(0), Fraction(0), None, Fraction(0)),
        Piece(Fraction(1), Fraction(0), Fraction(0), None),
    )
    weights = ExactMatrix(rows) if rows else ExactMatrix.zeros(0, width)
    return Stage(weights, ExactMatrix.column(offsets) if rows else ExactMatrix.zeros(0, 1), pieces, 0)
