"""What a stream is of: the facts that must agree for it to be resumed, the forward check, and who makes its points."""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symbinv.cells.half_space_search import OpenCell
from symbinv.cells.output_set import OutputSet
from symbinv.errors import NotSupportedError, OptionError
from symbinv.inverse.invert import Inverse
from symbinv.inverse.verdict import Empty
from symbinv.network.network import Network, to_box, to_exact_input
from symbinv.polyhedra.feasibility import LinearSystem
from symbinv.sampler.block import BodySource, SimplexSource, Source
from symbinv.sampler.polytopes.body import NoPoints, recognise
from symbinv.sampler.polytopes.cells import CellSampler, body_of, volume_shares
from symbinv.sampler.polytopes.linear import check_start, is_linear, linear_system
from symbinv.sampler.polytopes.triangulation import TRIANGULATED, Triangulation
from symbinv.sampler.validity import Goal
from symbinv.sampler.walks.chart import Gaussian
from symbinv.sampler.walks.manifold import Walk
from symbinv.sampler.walks.tuning import Tuning
from symbinv.sampler.walks.uniform import LAWS, prepare, refuse_patterns, walkable

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Plan:
    """What is streamed.

    Attributes:
        network: Of the forward check.
        facts: What must agree for a stream to be resumed.
        goal: What outputs must meet; None for anything.
        source: Who makes the points; None for a walk, which is warmed up once and stored.
        inverse, ends, base, measure, at: Of the walk.
    """

    network: Network
    facts: dict[str, Any]
    goal: Goal | None
    source: Source | None = None
    inverse: Inverse | None = None
    ends: Array | None = None
    base: Gaussian | None = None
    measure: str = "surface"
    at: Array | None = None

    def walk(self, seed: np.random.SeedSequence, stored: tuple[Array, NDArray[np.int_], Tuning] | None = None) -> Walk:
        """Return a walk that is warmed up, or was."""
        assert self.inverse is not None and self.inverse.constraint is not None
        constraint = self.inverse.constraint
        return prepare(constraint, self.ends, self.base, self.measure, self.at, 0, seed, stored)[0]


def plan_inverse(inverse: Inverse, measure: str, box: Any, at: Any, base: Gaussian | None) -> Plan:
    """Return the plan of an inverse: a polytope where it is linear, a walk elsewhere.

    Raises:
        OptionError, NotSupportedError: For what cannot be streamed.
    """
    if isinstance(inverse.verdict, Empty):
        raise OptionError(f"the preimage is empty: {inverse.verdict.reason}")
    constraint = walkable(inverse, measure)
    if inverse.dimension == 0:
        raise OptionError("a preimage of dimension 0 has few points, and no stream of them; use `draw`.")
    exact = inverse.box if box is None else to_box(box, inverse.network.sizes[0])
    exact = None if base is not None else exact
    start = None if at is None else to_exact_input(at, inverse.network.sizes[0]).to_numpy()[:, 0]
    source: Source | None = None
    if base is None and is_linear(inverse, exact):
        check_start(inverse, start, exact)
        source = _polytope_source(linear_system(inverse, constraint, exact))
    else:
        refuse_patterns(inverse)
    ends = None if exact is None else exact.to_numpy()
    facts = {
        "target": [str(v) for v in inverse.target],
        "pattern": [None if units is None else list(units) for units in inverse.pattern],
        "box": [] if ends is None else ends.tolist(),
        "at": [] if start is None else start.tolist(),
        "base": [] if base is None else [base.center.tolist(), base.scale.tolist()],
        "measure": measure,
        "law": LAWS[measure] if source is None else "uniform in a polytope",
    }
    goal = Goal.of_point(inverse.target)
    return Plan(inverse.network, facts, goal, source, inverse, ends, base, measure, start)


def _polytope_source(system: LinearSystem) -> Source:
    body = recognise(system)
    if isinstance(body, NoPoints) or body.dimension == 0:
        raise OptionError("a stream needs a preimage of dimension 1 or more; use `draw`.")
    if body.dimension > TRIANGULATED:
        return BodySource(body)
    return SimplexSource(Triangulation.of_body(body), body.origin, body.basis)


def plan_cells(sampler: CellSampler) -> Plan:
    """Return the plan of an exact preimage: simplices of its cells, or hit-and-run in a single one.

    Raises:
        OptionError, NotSupportedError: For what cannot be streamed.
    """
    found = sampler.preimage
    if not found.is_complete:
        raise OptionError("a stream needs all cells of a preimage; continue the search with `proceed`.")
    if not found.cells:
        raise OptionError("the preimage is empty.")
    if found.dimension == 0:
        raise OptionError("a preimage of dimension 0 has few points, and no stream of them; use `draw`.")
    cells = found.top_cells
    shares = volume_shares(cells)
    source: Source
    if found.dimension > TRIANGULATED or any(isinstance(cell, OpenCell) for cell in cells):
        if len(cells) > 1:
            raise NotSupportedError(
                f"a stream of a preimage of dimension {found.dimension} needs a single cell, not {len(cells):,}; "
                f"above dimension {TRIANGULATED} use `draw`."
            )
        source = BodySource(body_of(cells[0]))
    else:
        n0 = sampler.network.sizes[0]
        source = SimplexSource(Triangulation.joined(cells, shares), np.zeros(n0), np.eye(n0))
    facts = {
        "target": "" if found.target is None else found.target.text,
        "polyhedra": _digest(found.target),
        "box": [] if found.box is None else [[str(lo), str(hi)] for lo, hi in found.box],
        "measure": "surface",
        "law": "uniform in an exact preimage",
    }
    return Plan(sampler.network, facts, sampler.goal, source)


def _digest(target: OutputSet | None) -> str:
    """Return a fingerprint of a target's polyhedra, which may have no text of their own."""
    if target is None:
        return ""
    parts = [(p.half_spaces, p.equations) for p in target.polyhedra]
    return hashlib.sha256(repr(parts).encode()).hexdigest()
