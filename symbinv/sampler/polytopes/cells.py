"""Uniform points of an exact preimage: a cell in proportion to its exact volume, then uniform in the cell.

Volumes are those of the preimage's own dimension; pieces of lower dimension have measure zero and get no points. A
cell of up to five dimensions is cut into simplices, one of more is walked by hit-and-run. Every point
passes the network forward before it is returned. Where cells are known by their inequalities alone, so that
their volumes are not, and the preimage has full dimension, it is drawn as a whole (`whole_set.py`).
"""

import time
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symbinv.cells.half_space_search import OpenCell
from symbinv.cells.preimage import Preimage
from symbinv.cells.union import AnyCell
from symbinv.errors import NotSupportedError, OptionError
from symbinv.inverse.verdict import Empty
from symbinv.network.network import Network
from symbinv.polyhedra.cell import Cell
from symbinv.sampler.polytopes.body import Body, NoPoints, recognise, recognise_in_floats
from symbinv.sampler.polytopes.polytope import draw_body, system_of
from symbinv.sampler.polytopes.triangulation import TRIANGULATED, Triangulation
from symbinv.sampler.polytopes.whole_set import draw_whole
from symbinv.sampler.samples import Report, Samples
from symbinv.sampler.validity import FORWARD_TOLERANCE, Goal

Array = NDArray[np.float64]
BLOCK = 8192


@dataclass(frozen=True, eq=False)
class CellSampler:
    """Draws from an exact preimage; made by `compile_sampler`.

    Attributes:
        preimage: What is sampled.
    """

    preimage: Preimage

    @property
    def network(self) -> Network:
        """The network whose preimage is sampled."""
        return self.preimage.network

    @cached_property
    def goal(self) -> Goal | None:
        """The target in floats; None where all regions are asked for."""
        return None if self.preimage.target is None else Goal.of_set(self.preimage.target)

    def forward(self, x: Any) -> Array:
        """Return the network's outputs, (k, n0) -> (k, m)."""
        return np.asarray(self.network.forward(np.asarray(x, dtype=np.float64)))

    def draw(
        self,
        count: int = 10_000,
        *,
        method: str = "uniform",
        measure: str = "surface",
        dtype: str = "float64",
        seed: int | None = None,
    ) -> Samples:
        """Draw points of the preimage, uniform by volume in its own dimension.

        Args:
            count: How many; a preimage of dimension 0 returns each of its points once.
            method: "uniform".
            measure: "surface": volume in the preimage's own dimension.
            dtype: "float64" or "float32", of the points returned; checks are made in double precision.
            seed: For a reproducible draw.

        Returns:
            Points that passed a forward check; an empty preimage gives an array of shape (0, n0). `residual` is by
            how much the outputs miss the target.

        Raises:
            OptionError: For another method or measure.
            NotSupportedError: For an unbounded preimage, on which no uniform law exists, and where volumes are not
                known.

        Example:
            >>> from symbinv.cells.preimage import preimage
            >>> network = Network.from_arrays([[[1, 0], [0, 1]], [[1, 1]]], [[0, 0], [0]], ["relu", "identity"])
            >>> samples = CellSampler(preimage(network, "y_0 <= 1", box=[[-1, 1]] * 2)).draw(1000, seed=0)
            >>> samples.points.shape, bool(network.forward(samples.points).max() <= 1)
            ((1000, 2), True)
        """
        if count < 0 or int(count) != count:
            raise OptionError(f"count must be a non-negative integer, not {count}.")
        if method != "uniform" or measure != "surface":
            raise OptionError(
                "an exact preimage is drawn by method 'uniform' and measure 'surface', "
                f"not {method!r} and {measure!r}; invert a single target inside an activation pattern for others."
            )
        if dtype not in ("float64", "float32"):
            raise OptionError(f"dtype must be float64 or float32, not {dtype!r}.")
        found, begin = self.preimage, time.perf_counter()
        if not found.cells:
            verdict = found.verdict
            why = f"the preimage is empty: {verdict.reason}" if isinstance(verdict, Empty) else "no cell is known"
            return self._samples(
                np.zeros((0, self.network.sizes[0])), Report(method, why, None, 0, 0, seed=seed), dtype
            )
        rng = np.random.default_rng(seed)
        if self.is_drawn_whole:
            return self._draw_whole(int(count), rng, seed, dtype)
        cells = found.top_cells
        if found.dimension == 0:
            drawn = _FromCells(np.array([[float(e) for e in c.vertices[0]] for c in cells]))
        else:
            drawn = draw_from_cells(cells, rng.multinomial(int(count), volume_shares(cells)), rng)
        points, ways = drawn.points, drawn.ways
        good = self._misses(points) <= FORWARD_TOLERANCE
        good &= self._is_in_box(points)
        law = (
            f"uniform by volume in dimension {found.dimension}: a cell in proportion to its exact volume, then a point "
            f"by {' or '.join(ways)}"
            if ways
            else "every point of a preimage of dimension 0, once"
        )
        report = Report(
            method,
            law,
            measure,
            len(points),
            int(good.sum()),
            {-1: int((~good).sum())} if not good.all() else {},
            {},
            seed,
            self._notes(),
            drawn.ess,
            drawn.r_hat,
            chains=drawn.chains,
            seconds={"sampling": time.perf_counter() - begin},
        )
        return self._samples(points[good], report, dtype)

    @property
    def is_drawn_whole(self) -> bool:
        """Whether points come from the preimage as a whole: it has full dimension, and its cells no known volumes."""
        found = self.preimage
        listed = len(found.cells) == 1 and found.is_complete
        without_volumes = not listed and any(isinstance(cell, OpenCell) for cell in found.cells)
        return without_volumes and found.dimension == self.network.sizes[0] and found.box is not None

    @property
    def is_partial(self) -> bool:
        """Whether points come only from the cells found so far, and there may be others."""
        return not self.preimage.is_complete and not self.is_drawn_whole

    def _draw_whole(self, count: int, rng: np.random.Generator, seed: int | None, dtype: str) -> Samples:
        begin, found = time.perf_counter(), self.preimage
        ends = np.array([[float(lo), float(hi)] for lo, hi in found.box or ()])
        known = np.array([[float(e) for e in cell.interior_point] for cell in found.top_cells])
        inside = known[self._misses(known) <= 0]
        if not len(inside):
            raise NotSupportedError("no known point of the preimage passes the forward check; it is too thin to walk.")
        drawn = draw_whole(lambda x: self._misses(x) <= 0, ends, count, inside, rng)
        independent = drawn.r_hat is None
        n0, notes = (
            len(ends),
            ["Drawn as a whole, without a list of cells: volumes are not computed in so many inputs."],
        )
        if not independent:
            notes.append("Parts that no chain saw may exist.")
        if not independent and drawn.ess is None:
            notes.append("R-hat is above 1.01: draw more points, or take a smaller box.")
        report = Report(
            "uniform",
            drawn.law,
            "surface",
            drawn.drawn,
            len(drawn.points),
            {},
            {},
            seed,
            tuple(notes),
            np.full(n0, float(len(drawn.points))) if independent else drawn.ess,
            np.ones(n0) if independent else drawn.r_hat,
            "uniform in the box",
            drawn.chains,
            seconds={"sampling": time.perf_counter() - begin},
        )
        return self._samples(drawn.points, report, dtype)

    def _notes(self) -> tuple[str, ...]:
        found = self.preimage
        lower = len(found.cells) - len(found.top_cells)
        notes = [f"Cells: {len(found.top_cells):,} of dimension {found.dimension}."]
        if lower:
            notes.append(f"Left out as of measure zero: {lower:,} cells of lower dimension.")
        if self.is_partial:
            notes.append("The search for cells was not finished: the points are uniform in the cells found so far.")
        return tuple(notes)

    def _samples(self, points: Array, report: Report, dtype: str) -> Samples:
        target = self.preimage.target
        n0 = self.network.sizes[0]
        return Samples(
            points.astype(dtype, copy=False),
            np.zeros((len(points), 0), dtype=dtype),
            np.full(len(points), 1 / max(len(points), 1)),
            self._misses(points),
            np.full(len(points), "numeric", dtype="<U9"),
            report,
            (),
            self.network.input_names or tuple(f"x_{j + 1}" for j in range(n0)),
            () if target is None or target.point is None else tuple(float(v) for v in target.point),
        )

    def _misses(self, points: Array) -> Array:
        """Return by how much outputs miss the target, relative to its numbers, (k,); 0 inside."""
        goal = self.goal
        if goal is None or not len(points):
            return np.zeros(len(points))
        parts = [goal.misses(self.forward(points[i : i + BLOCK])) for i in range(0, len(points), BLOCK)]
        return np.concatenate(parts)

    def _is_in_box(self, points: Array) -> NDArray[np.bool_]:
        box = self.preimage.box
        if box is None:
            return np.ones(len(points), dtype=bool)
        ends = np.array([[float(lo), float(hi)] for lo, hi in box])
        slack = FORWARD_TOLERANCE * (1 + np.abs(ends))
        return np.asarray(((points >= ends[:, 0] - slack[:, 0]) & (points <= ends[:, 1] + slack[:, 1])).all(axis=1))


def volume_shares(cells: tuple[AnyCell, ...]) -> Array:
    """Return the share of each cell in the volume of all, from exact volumes, rounded once; (k,).

    Raises:
        NotSupportedError: For an unbounded cell, and for several cells whose volumes are not known.
    """
    if any(not isinstance(cell, OpenCell) and not cell.is_bounded for cell in cells):
        raise NotSupportedError("the preimage is unbounded, and no uniform law exists on it; give `preimage` a box.")
    if len(cells) == 1:
        return np.ones(1)
    if any(isinstance(cell, OpenCell) for cell in cells):
        raise NotSupportedError(
            f"a cell must be chosen by its exact volume, which is not computed in so many inputs ({len(cells):,} cells "
            "are known by inequalities alone); fix inputs by a box with sides of no width, or invert at one "
            "activation pattern (`at=`)."
        )
    if all(isinstance(cell, Cell) for cell in cells):
        pairs = [cell.squared_volume or (Fraction(0), Fraction(1)) for cell in cells if isinstance(cell, Cell)]
        largest = max(rational for rational, _ in pairs)
        sizes = [float(rational / largest) * float(square) ** 0.5 for rational, square in pairs]
    else:
        sizes = [float(cell.volume) for cell in cells]
    whole = np.array(sizes)
    return np.asarray(whole / whole.sum())


@dataclass(frozen=True, eq=False)
class _FromCells:
    """Points of cells and how they were drawn; `keep` is the share that the slowest cell's chains keep of theirs."""

    points: Array
    ways: tuple[str, ...] = ()
    r_hats: tuple[Array, ...] = ()
    keep: float | None = 1.0
    chains: int = 0

    @property
    def ess(self) -> Array | None:
        """One value an input; None where the chains of a cell disagree."""
        return None if self.keep is None else np.full(self.points.shape[1], self.keep * len(self.points))

    @property
    def r_hat(self) -> Array:
        """The largest over cells, one value an input."""
        n = self.points.shape[1]
        return np.max(self.r_hats, axis=0) if self.r_hats else np.ones(n)


def draw_from_cells(cells: tuple[AnyCell, ...], counts: NDArray[np.int_], rng: np.random.Generator) -> _FromCells:
    """Draw a number of points from each cell, in a random order."""
    parts: list[Array] = []
    ways: set[str] = set()
    r_hats: list[Array] = []
    keep: float | None = 1.0
    chains = 0
    for cell, own in zip(cells, counts.tolist(), strict=True):
        if not own:
            continue
        if cell.dimension <= TRIANGULATED and not isinstance(cell, OpenCell):
            parts.append(Triangulation.of_cell(cell).draw(own, rng))
            ways.add("simplices")
            continue
        drawn = draw_body(body_of(cell), own, rng)
        parts.append(drawn.points)
        ways.add("simplices" if drawn.method == "triangulation" else "hit-and-run")
        if drawn.r_hat is not None:
            r_hats.append(drawn.r_hat)
            chains = drawn.chains
            keep = None if keep is None or drawn.ess is None else min(keep, float(drawn.ess.min()) / own)
    points = np.concatenate(parts) if parts else np.zeros((0, len(cells[0].interior_point)))
    return _FromCells(rng.permutation(points), tuple(sorted(ways)), tuple(r_hats), keep, chains)


def body_of(cell: AnyCell) -> Body:
    """Return a cell as a body, by its half-spaces.

    Raises:
        NotSupportedError: Where doubles see no point in it.
    """
    if isinstance(cell, Cell | OpenCell):
        body: Body | NoPoints | None = recognise(system_of(cell.polyhedron))
    else:
        rows = np.array([[float(e) for e in h.row] for h in cell.half_spaces])
        right = np.array([float(h.bound) for h in cell.half_spaces])
        body = recognise_in_floats(rows, right, np.zeros((0, rows.shape[1])), np.zeros(0))
    if body is None or isinstance(body, NoPoints):
        raise NotSupportedError("a cell is too thin to be sampled in doubles.")
    return body
