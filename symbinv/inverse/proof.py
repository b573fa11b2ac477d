"""Certificates: the tree of splits of a search as JSON data, which `symbinv.checker` verifies by itself.

A search is run again with its tree kept; it is deterministic, so it finds the same cells. The
network's layers, the box and what is asked of the outputs are written as exact fractions.
"""

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from symbinv.errors import BudgetError, NotSupportedError
from symbinv.inverse.half_space_search import HalfSpaceSearch
from symbinv.inverse.preimage import Preimage, find_all
from symbinv.inverse.problem import Problem
from symbinv.inverse.pruning import Bound
from symbinv.network.activation import IDENTITY_PIECES

if TYPE_CHECKING:
    from symbinv.inverse.specification import Answer

FORMAT = "symbinv certificate 1"


def certify_preimage(found: Preimage) -> dict[str, Any]:
    """Return a proof that a preimage's cells are all there are; of a partial one, that it is not empty.

    Raises:
        BudgetError: For a partial preimage without a cell, which nothing is known of.
        NotSupportedError: For thresholds with logarithms, which the checker does not decide.
    """
    problem = found.problem
    data = _statement(problem)
    if not found.is_complete:
        point = found.witness()
        if point is None:
            raise BudgetError("a certificate needs a complete search or a witness; `proceed` with a larger budget.")
        return {**data, "claim": "nonempty", "point": [str(e) for e in point]}
    if not problem.stages and any(layer.activation.pieces != IDENTITY_PIECES for layer in problem.network.layers[:-1]):
        point = found.witness()  # equal units cancel; the statement holds the layers as they are
        leaf = ["constant", None if point is None else [str(e) for e in point]]
        return {**data, "claim": "complete", "nodes": [leaf], "cells": len(found.cells)}
    if not problem.has_vertices:
        return {**data, "claim": "complete", **_tree_of_half_spaces(problem)}
    return {**data, "claim": "complete", **_tree(problem)}


def certify_answer(answer: "Answer") -> dict[str, Any]:
    """Return a proof of an answer to a property.

    Raises:
        BudgetError: Where the answer is unknown.
    """
    if answer.status == "unknown":
        raise BudgetError("an unknown answer has no certificate; give more seconds.")
    if answer.status == "sat" and answer.problem is not None and answer.witness is not None:
        return {**_statement(answer.problem), "claim": "sat", "point": [str(e) for e in answer.witness]}
    return {"format": FORMAT, "claim": "unsat", "cases": [certify_preimage(part) for part in answer.parts]}


def _statement(problem: Problem) -> dict[str, Any]:
    clauses = problem.clauses
    if clauses is not None and not all(row.bound.is_rational for clause in clauses for row in clause):
        raise NotSupportedError("a certificate needs rational thresholds; those of this target hold logarithms.")
    layers = []
    for layer in problem.network.layers:
        pieces = layer.activation.pieces or ()
        table = [[str(p.slope), str(p.intercept), None if p.upper is None else str(p.upper)] for p in pieces]
        layers.append(
            {
                "weights": [[str(e) for e in row] for row in layer.weights.fractions()],
                "bias": [str(e) for (e,) in layer.bias.fractions()],
                "pieces": table or [["1", "0", None]],  # a smooth last activation is undone in the target
            }
        )
    target = None
    if clauses is not None:
        target = [[[[str(e) for e in r.row], str(r.bound.constant), r.strict] for r in clause] for clause in clauses]
    box = None if problem.box is None else [[str(lo), str(hi)] for lo, hi in problem.box]
    return {"format": FORMAT, "network": layers, "box": box, "target": target}


def _tree(problem: Problem) -> dict[str, Any]:
    search, cells = find_all(problem)
    tree = search.tree
    rows = _row_places(problem)
    points = {found.piece.node: cell.short_point for found, cell in cells}
    kinks = {stage.layer: len(stage.kinks) for stage in problem.stages}
    place: dict[int, int] = {}
    order = [0]
    for node in order:
        place[node] = len(place)
        if tree.splits is not None and node in tree.splits:
            order += tree.splits[node][2:]
    nodes: list[list[Any]] = []
    for node in order:
        if tree.splits is not None and node in tree.splits:
            layer, column, left, right = tree.splits[node]
            if layer:
                count = kinks[layer]
                nodes.append(["split", layer - 1, column // count, column % count, place[left], place[right]])
            else:
                clause, row, strict = rows[column]
                met, missed = (right, left) if strict else (left, right)
                nodes.append(["row", clause, row, place[met], place[missed]])
            continue
        reason = tree.leaves.get(node)
        if node in points:
            nodes.append(["cell", [str(e) for e in points[node]]])
        elif isinstance(reason, Bound):
            nodes.append(["bound", reason.layer - 1, [list(part) for part in reason.slopes]])
        else:
            nodes.append(["empty"])
    return {"nodes": nodes, "cells": len(cells)}


def _tree_of_half_spaces(problem: Problem) -> dict[str, Any]:
    search = HalfSpaceSearch(problem.stages, problem.final, problem.clauses, problem.box, problem.network.sizes[0])
    cells = sum(len(found) for found in search.run())
    return {"vertices": False, "nodes": search.nodes, "cells": cells}


def _row_places(problem: Problem) -> list[tuple[int, int, bool]]:
    """Return for each row of the goal a clause and a position in it."""
    places: dict[tuple[Any, Fraction, bool], tuple[int, int, bool]] = {}
    for c, clause in enumerate(problem.clauses or []):
        for r, row in enumerate(clause):
            places.setdefault((row.row, row.bound.constant, row.strict), (c, r, row.strict))
    return list(places.values())
