"""The generators that the cells of a batch share, with what doubles tell of them.

Each carries the pre-activations of a stage in doubles, with a bound on the error. A generator on an edge gets its
own by interpolation: the place on the edge follows from the heights of its ends above the
hyperplane, in doubles with a bound where they tell it well, else from the exact integers.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from symbinv.cells.stages import UNIT, Array, Stage
from symbinv.exact.integer import Row, dot
from symbinv.polyhedra.generator import Generator

Signs = NDArray[np.int8]
Edge = tuple[int, int, int, Row]  # the end above, the end below, the column, and its form

SHARP = 2.0**-30  # how well doubles must tell the place on an edge


class Pool:
    """Generators, and rows of doubles with error bounds.

    `values` and `radius` hold activations before a stage at first; `enter` turns them into its
    pre-activations, and `signs` then says on which side of every kink a generator lies. A row of doubles belongs
    to the generator divided by its `normaliser`.
    """

    def __init__(self, generators: list[Generator], values: Array, radius: Array) -> None:
        self.generators = generators
        self.tail = np.array([1.0 if g.is_point else 0.0 for g in generators])
        self.values, self.radius = values, radius
        self.signs: Signs = np.zeros((0, 0), dtype=np.int8)
        self.codes: list[bytes] = []
        self._count = len(generators)

    def enter(self, stage: Stage) -> None:
        """Replace activations by the pre-activations of a stage."""
        with np.errstate(all="ignore"):
            self.values, self.radius = stage.affine(self.values, self.radius, self.tail)
        self._count = len(self.generators)
        self.signs = stage_signs(stage, self.values, self.radius, self.tail)
        self.codes = [row.tobytes() for row in self.signs]

    def extend(self, stage: Stage, edges: Sequence[Edge]) -> None:
        """Add the generators where hyperplanes of a stage meet edges."""
        first = np.array([e[0] for e in edges], dtype=np.intp)
        second = np.array([e[1] for e in edges], dtype=np.intp)
        columns = np.array([e[2] for e in edges], dtype=np.intp)
        known = self.generators
        new = [Generator.on_edge(known[v], known[w], form) for v, w, _, form in edges]
        with np.errstate(all="ignore"):
            alpha, beta, slack = self._places(stage, first, second, columns)
            for i in np.flatnonzero(~(slack <= SHARP)).tolist():
                v, w, _, form = edges[i]
                alpha[i], beta[i] = _exact_place(known[v].row, known[w].row, new[i].row, form)
                slack[i] = 0.0
            a, b = alpha[:, None] * self.values[first], beta[:, None] * self.values[second]
            values = a + b
            spread = np.abs(self.values[first] - self.values[second]) + self.radius[first] + self.radius[second]
            radius = alpha[:, None] * self.radius[first] + beta[:, None] * self.radius[second]
            radius = (radius + slack[:, None] * spread) * 1.0001 + 4 * UNIT * (np.abs(a) + np.abs(b))
        tail = np.array([1.0 if g.is_point else 0.0 for g in new])
        signs = stage_signs(stage, values, radius, tail)
        needed = self._count + len(new)
        if needed > len(self.values):
            room = max(needed, 2 * len(self.values)) - len(self.values)
            self.values = np.concatenate([self.values, np.empty((room, values.shape[1]))])
            self.radius = np.concatenate([self.radius, np.empty((room, values.shape[1]))])
            self.signs = np.concatenate([self.signs, np.empty((room, signs.shape[1]), dtype=np.int8)])
            self.tail = np.concatenate([self.tail, np.empty(room)])
        where = slice(self._count, needed)
        self.values[where], self.radius[where], self.signs[where], self.tail[where] = values, radius, signs, tail
        self.codes += [row.tobytes() for row in signs]
        self.generators += new
        self._count = needed

    def _places(
        self, stage: Stage, first: NDArray[np.intp], second: NDArray[np.intp], columns: NDArray[np.intp]
    ) -> tuple[Array, Array, Array]:
        """Return weights alpha and beta of the ends of edges, and a bound on their error (nan or infinity: none).

        Between points with heights a above and b below the weights are b / (a + b) and a / (a + b). If the true
        heights are a + da and b + db, with sum s', then (b + db) / s' - b / s = (a db - b da) / (s s'), and
        s' >= s (1 - 1e-6) wherever |da| + |db| <= 1e-6 s.
        """
        a, da = self._heights(stage, first, columns)
        b, db = self._heights(stage, second, columns)
        b = -b
        s = a + b
        alpha, beta = b / s, a / s
        slack = (a * db + b * da) / (s * s) * 1.0001 + 4 * UNIT
        sure = (a > 0) & (b > 0) & (da + db <= 1e-6 * s) & (self.tail[first] == 1.0) & (self.tail[second] == 1.0)
        return alpha, beta, np.where(sure, slack, np.inf)

    def _heights(self, stage: Stage, ids: NDArray[np.intp], columns: NDArray[np.intp]) -> tuple[Array, Array]:
        """Return by how much generators lie above kinks, with bounds on the error."""
        kinks = stage.float_kinks
        unit, kink = np.divmod(columns, len(kinks))
        values, radius = self.values[ids, unit], self.radius[ids, unit]
        level = kinks[kink]
        error = (radius + 4 * UNIT * (np.abs(values) + np.abs(level))) * 1.0001
        return values - level * self.tail[ids], np.where(level == 0.0, radius, error)

    def select(self, ids: NDArray[np.intp]) -> "Pool":
        """Return a pool of some of the generators, with what is known of them."""
        chosen = ids.astype(np.intp)
        pool = Pool([self.generators[i] for i in chosen.tolist()], self.values[chosen], self.radius[chosen])
        if self.codes:
            pool.signs = self.signs[chosen]
            pool.codes = [self.codes[i] for i in chosen.tolist()]
        return pool


def stage_signs(stage: Stage, values: Array, radius: Array, tail: Array) -> Signs:
    """Return on which side of every kink generators lie: 1, -1, or 0 where doubles do not tell."""
    kinks = stage.float_kinks
    if len(kinks) == 1 and kinks[0] == 0.0:
        return (values > radius).view(np.int8) - (values < -radius).view(np.int8)
    moved = values[:, :, None] - tail[:, None, None] * kinks
    error = (radius[:, :, None] + 4 * UNIT * (np.abs(values)[:, :, None] + np.abs(kinks))) * 1.0001
    signs = (moved > error).astype(np.int8) - (moved < -error).astype(np.int8)
    return signs.reshape(len(values), -1)


def _exact_place(v: Row, w: Row, mixed: Row, form: Row) -> tuple[float, float]:
    """Return the weights on the normalised ends of an edge that give the normalised generator on it."""
    hv, hw = dot(form, v), -dot(form, w)
    whole = max(range(len(mixed)), key=lambda j: abs(mixed[j]))
    scale = (v[whole] * hw + w[whole] * hv) // mixed[whole] * normaliser(mixed)
    try:
        return hw * normaliser(v) / scale, hv * normaliser(w) / scale
    except OverflowError:
        return float("inf"), float("inf")


def normaliser(v: Row) -> int:
    """Return the positive integer by which a generator is divided to become doubles."""
    return v[0] or max(map(abs, v))
