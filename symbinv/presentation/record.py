"""Results as plain data for machines: what `--json` prints."""

import math
from typing import Any

import sympy

from symbinv.cells.answer import Answer
from symbinv.cells.preimage import Preimage
from symbinv.errors import NotSupportedError
from symbinv.inverse.invert import Inverse
from symbinv.inverse.verdict import Empty, NonEmpty, Unknown, Verdict
from symbinv.network.network import Network
from symbinv.presentation.text import condition_notes, domain_lines, has_quick_bounds, layer_rows, network_rows
from symbinv.sampler.samples import Samples


def network_record(network: Network) -> dict[str, Any]:
    """Return sizes, layers, names, box and notes of a network."""
    return {
        "sizes": list(network.sizes),
        "layers": _layers(network_rows(network)),
        "input_names": list(network.input_names),
        "output_names": list(network.output_names),
        "box": None if network.box is None else [[str(low), str(high)] for low, high in network.box.fractions()],
        "notes": [*network.notes, *condition_notes(layer.weights for layer in network.layers)],
    }


def _layers(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of a layer table for JSON: a condition number that is infinite or not known is None."""
    return [row | {"condition number": _real(row["condition number"])} for row in rows]


def inverse_record(inverse: Inverse) -> dict[str, Any]:
    """Return the layer table, free variables, conditions, domain and verdict of an inverse."""
    return {
        "sizes": list(inverse.network.sizes),
        "target": [str(v) for v in inverse.target],
        "layers": _layers(layer_rows(inverse)),
        "free_variables": [str(s) for s in inverse.free_variables],
        "conditions": [str(c) for c in inverse.conditions],
        "assumptions": [str(a) for a in inverse.assumptions],
        "domain": domain_lines(inverse),
        "dimension": inverse.dimension,
        "dimension_claim": inverse.dimension_claim,
        "verdict": verdict_record(inverse.verdict),
        "notes": list(inverse.notes),
    }


def verdict_record(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict with its evidence in short."""
    match verdict:
        case Empty():
            return {
                "kind": "empty",
                "claim": verdict.claim,
                "reason": verdict.reason,
                "layer": verdict.layer,
                "nearest": verdict.nearest,
            }
        case NonEmpty():
            return {
                "kind": "non-empty",
                "claim": verdict.claim,
                "witness": [float(v) for v in verdict.witness],
                "exact_witness": [str(v) for v in verdict.witness if isinstance(v, sympy.Expr)],
                "residual": verdict.residual,
                "radius": verdict.radius,
            }
        case Unknown():
            return {"kind": "unknown", "reason": verdict.reason}


def preimage_record(found: Preimage) -> dict[str, Any]:
    """Return what is known of a piecewise-linear preimage: cells, volume, box, verdict."""
    bounds = found.bounding_box if has_quick_bounds(found) else None
    return {
        "sizes": list(found.network.sizes),
        "cells": len(found.cells),
        "pieces": found.pieces,
        "dimension": found.dimension,
        "volume": _volume(found),
        "decided_share": found.decided_share,
        "complete": found.is_complete,
        "bounding_box": None if bounds is None else [[_real(low), _real(high)] for low, high in bounds],
        "verdict": verdict_record(found.verdict),
    }


def answer_record(found: Answer) -> dict[str, Any]:
    """Return the answer to a property: sat with its witness replayed, unsat, or unknown."""
    return {
        "status": found.status,
        "seconds": round(found.seconds, 3),
        "witness": None if found.witness is None else [str(v) for v in found.witness],
        "exact_output": None if found.exact_output is None else [_real(v) for v in found.exact_output],
        "residual": found.residual if found.witness is not None else None,
        "float32_output": None if found.float32_output is None else list(found.float32_output),
        "float32_residual": found.float32_residual,
    }


def _volume(found: Preimage) -> float | None:
    """Return the volume rounded; None where it is infinite or not computed in so many inputs."""
    try:
        return _real(found.rounded_volume)
    except NotSupportedError:
        return None


def _real(value: Any) -> float | None:
    """Return a number as a float; None for what has no finite float."""
    if value is None:
        return None
    try:
        number = float(value)
    except (OverflowError, TypeError):
        return None
    return number if math.isfinite(number) else None


def samples_record(samples: Samples) -> dict[str, Any]:
    """Return the report of a draw and what is common to its points."""
    report = samples.report
    return {
        "method": report.method,
        "law": report.law,
        "measure": report.measure,
        "drawn": report.drawn,
        "valid": report.valid,
        "lost": {str(layer): count for layer, count in report.lost.items()},
        "ranges": {name: list(ends) for name, ends in report.ranges.items()},
        "seed": report.seed,
        "notes": list(report.notes),
        "points": len(samples),
        "largest_residual": float(samples.residual.max()) if len(samples) else None,
        "r_hat": None if report.r_hat is None else float(report.r_hat.max(initial=0.0)),
        "ess": None if report.ess is None else float(report.ess.min()),
    }
