"""to_text: an inverse as plain text, the layer table first, then conditions and the verdict."""

import math
import re
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import sympy

from symbinv.cells.half_space_search import OpenCell
from symbinv.cells.preimage import Preimage
from symbinv.cells.union import EXACT_LIMIT
from symbinv.errors import NotSupportedError
from symbinv.exact.interval import Interval
from symbinv.exact.matrix import ExactMatrix
from symbinv.inverse.invert import Inverse
from symbinv.inverse.layer import LayerInverse
from symbinv.inverse.verdict import Empty, NonEmpty
from symbinv.network.network import Network

COLUMNS = (
    "layer",
    "shape",
    "rank",
    "pivots",
    "free variables",
    "conditions",
    "activation",
    "condition number",
    "degrees of freedom",
)
SHORT = 60
GRAM_SIDE = 256  # the smaller side above which condition numbers come from a Gram matrix
CONDITION_LIMIT = 1 << 33  # products (rows * columns * smaller side) above which there is no condition number
BOUNDED_CELLS = 50  # cells without vertices, whose bounding box is shown unasked


def to_text(inverse: Inverse) -> str:
    """Return the layer table, conditions, domain and verdict of an inverse.

    Example:
        >>> from symbinv.network.network import Network
        >>> from symbinv.inverse.invert import invert
        >>> network = Network.from_arrays([[[1, 2, 3], [2, 5, 7]]], [[0, 0]], ["sigmoid"])
        >>> print(to_text(invert(network, ["0.8", "0.2"])))
        layer  shape  rank  pivots    free variables  conditions  activation  condition number  degrees of freedom
            1  2x3       2  x_1, x_2  x_3             0           sigmoid     53.1              1
        <BLANKLINE>
        target: (4/5, 1/5)
        free variables: x_3
        dimension: 1 (exact)
        verdict: not empty (exact); an input that produces the target: (9.70406, -4.15888, 0)
    """
    lines = [table_text(layer_rows(inverse)), "", f"target: {_tuple(inverse.target)}"]
    lines.append(f"free variables: {', '.join(runs(inverse.free_variables)) or 'none'}")
    lines += _listed("conditions that must vanish", [str(c) for c in inverse.conditions])
    lines += _listed("assumed non-zero", [str(a) for a in inverse.assumptions])
    lines += _listed("domain", domain_lines(inverse))
    lines.append(f"dimension: {inverse.dimension if inverse.dimension >= 0 else 'empty'} ({inverse.dimension_claim})")
    lines.append(f"verdict: {verdict_text(inverse)}")
    weights = [step.weights for step in reversed(inverse.steps)]
    lines += [f"note: {note}" for note in (*inverse.notes, *condition_notes(weights))]
    return "\n".join(lines)


def layer_rows(inverse: Inverse) -> list[dict[str, Any]]:
    """Return the layer table, one dictionary a layer, first layer first."""
    return [_row(step) for step in reversed(inverse.steps)]


def _row(step: LayerInverse) -> dict[str, Any]:
    reduction = step.reduction
    m, n = reduction.matrix.shape
    values = (
        step.index,
        [m, n],
        reduction.rank,
        ", ".join(runs(step.pivot_variables)) or "-",
        ", ".join(runs(step.free_variables)) or "-",
        m - reduction.rank,
        step.activation.label,
        condition_number(step.weights),
        reduction.nullity,
    )
    return dict(zip(COLUMNS, values, strict=True))


def condition_number(weights: ExactMatrix, rank: int | None = None) -> float | None:
    """Return the 2-norm condition number of a matrix in floats: infinite below full rank.

    Args:
        weights: The matrix, shape (m, n).
        rank: Its rank where that is known, which saves work.

    Returns:
        The number, or None for symbols, zero matrices and those above `CONDITION_LIMIT`.

    A side over `GRAM_SIDE` is squared away: the eigenvalues of the smaller Gram matrix are the squared singular
    values, with an error of about m * 1e-16 of the largest, so they are taken only where the condition number is
    below 1e4 (Golub and Van Loan, Matrix Computations, 4th ed., 8.6).
    """
    small = min(weights.shape)
    if not weights.is_rational or not small or is_too_large(weights) or weights.is_zero():
        return None
    if rank is not None and rank < small:
        return math.inf
    table = weights.to_numpy()
    if small > GRAM_SIDE:
        scaled = table / np.abs(table).max()
        squares = np.linalg.eigvalsh(scaled.T @ scaled if weights.columns == small else scaled @ scaled.T)
        if squares[0] > 1e-8 * squares[-1]:
            return math.sqrt(squares[-1] / squares[0])
    singular = np.linalg.svd(table, compute_uv=False)
    if singular[0] == 0:
        return None
    if singular[-1] <= 1e-12 * singular[0] and (weights.rank() if rank is None else rank) < small:
        return math.inf
    return math.inf if singular[-1] == 0 else float(singular[0] / singular[-1])


def is_too_large(weights: ExactMatrix) -> bool:
    """Tell whether a matrix is above `CONDITION_LIMIT`, so that its condition number is not computed."""
    m, n = weights.shape
    return m * n * min(m, n) > CONDITION_LIMIT


def condition_notes(matrices: Iterable[ExactMatrix]) -> list[str]:
    """Return which layers' condition numbers are not computed for their size; matrices in the layers' order."""
    return [
        f"layer {index}: no condition number for {w.rows}x{w.columns}, which takes over {CONDITION_LIMIT} products."
        for index, w in enumerate(matrices, start=1)
        if is_too_large(w)
    ]


def network_rows(network: Network) -> list[dict[str, Any]]:
    """Return shape, rank, activation and condition number of each layer of a network, for `inspect`."""
    rows = []
    for index, layer in enumerate(network.layers, start=1):
        m, n = layer.weights.shape
        rank = layer.weights.rank() if layer.is_rational else min(m, n)
        rows.append(
            {
                "layer": index,
                "shape": [m, n],
                "rank": rank,
                "activation": layer.activation.label,
                "condition number": condition_number(layer.weights, rank if layer.is_rational else None),
                "nullity": n - rank,
            }
        )
    return rows


def table_text(rows: Sequence[dict[str, Any]]) -> str:
    """Return rows of equal keys as an aligned table."""
    if not rows:
        return ""
    return "\n".join(_align([list(rows[0]), *([_cell(v) for v in row.values()] for row in rows)]))


def _cell(value: Any) -> str:
    """Return an entry of a table: 2x3 for a shape, three digits of a float, - for what is not known."""
    match value:
        case None:
            return "-"
        case float():
            return f"{value:.3g}"
        case [m, n]:
            return f"{m}x{n}"
    return str(value)


def verdict_text(inverse: Inverse) -> str:
    """Return the verdict as one line."""
    verdict = inverse.verdict
    if isinstance(verdict, Empty):
        near = "" if verdict.nearest is None else f" The nearest attainable target is about {verdict.nearest:.3g} away."
        if verdict.nearest == 0:
            near = " Targets as near as one likes are attainable."
        return f"empty ({verdict.claim}): {verdict.reason}{near}"
    if isinstance(verdict, NonEmpty):
        point = ", ".join(f"{float(v):.6g}" for v in verdict.witness)
        return f"not empty ({verdict.claim}); an input that produces the target: ({point})"
    return f"unknown: {verdict.reason}"


def preimage_text(found: Preimage) -> str:
    """Return cells, volume, bounding box and verdict of a piecewise-linear preimage."""
    lines = [f"cells: {len(found.cells):,} ({found.pieces:,} affine pieces)"]
    if not found.is_complete:
        share = found.decided_share
        part = "" if share is None else f"; {100 * share:.4g} % of the box is searched"
        lines[0] += f", a budget was reached{part}"
    if found.cells or found.is_complete:
        lines.append(f"dimension: {found.dimension if found.dimension >= 0 else 'empty'}")
        lines.append(f"volume: {preimage_volume(found)}{'' if found.is_complete else ', of the cells found'}")
    names = found.network.input_names or [f"x_{j + 1}" for j in range(found.network.sizes[0])]
    bounds = found.bounding_box if has_quick_bounds(found) else ()
    if bounds:
        lines += [f"  {name} in [{_size(low)}, {_size(high)}]" for name, (low, high) in zip(names, bounds, strict=True)]
    verdict = found.verdict
    if isinstance(verdict, NonEmpty):
        point = ", ".join(f"{float(v):.6g}" for v in verdict.witness)
        lines.append(f"verdict: not empty ({verdict.claim}); an input: ({point})")
    elif isinstance(verdict, Empty):
        lines.append(f"verdict: empty ({verdict.claim}): {verdict.reason}")
    else:
        lines.append("verdict: unknown: the budget was reached before a cell was found.")
    return "\n".join(lines)


def preimage_volume(found: Preimage) -> str:
    """Return the volume, exact where that is short and quick, or why there is none."""
    try:
        return _size(found.volume if len(found.cells) <= EXACT_LIMIT else sympy.Float(found.rounded_volume, 10))
    except NotSupportedError:
        return f"not computed in {found.network.sizes[0]} inputs"


def has_quick_bounds(found: Preimage) -> bool:
    """Tell whether the bounding box comes from vertices, or from few enough linear programs."""
    return len(found.cells) <= BOUNDED_CELLS or not any(isinstance(c, OpenCell) for c in found.cells)


def _size(value: Any) -> str:
    """Return a number exactly where that is short, else rounded with its sign."""
    if isinstance(value, Fraction) and value.numerator.bit_length() + value.denominator.bit_length() > 64:
        return f"≈{float(value):.10g}"
    if isinstance(value, sympy.Float):
        return f"≈{float(value):.10g}"
    text = str(value)
    if len(text) <= 12 or not text.replace("/", "").replace("-", "").isdigit():
        return text if len(text) <= 40 else f"≈{float(value):.10g}"
    return f"≈{float(value):.10g}"


def domain_lines(inverse: Inverse) -> list[str]:
    """Return the domain, equal intervals of one layer put together."""
    lines = []
    for step in inverse.steps:
        groups: dict[Interval, list[sympy.Symbol]] = {}
        for name, interval in zip(step.unknowns, step.images, strict=False):
            if interval.lower is not None or interval.upper is not None:
                groups.setdefault(interval, []).append(name)
        lines += [f"{', '.join(runs(names))} in {_interval(interval)}" for interval, names in groups.items()]
        lines += [_short(str(r)) for r in step.inequalities]
    return lines


def runs(names: Sequence[sympy.Symbol]) -> list[str]:
    """Return symbols with consecutive indices put together: x_1, ..., x_32.

    Example:
        >>> runs(sympy.symbols("x_1 x_2 x_3 x_4 c"))
        ['x_1..x_4', 'c']
    """
    grouped: list[list[tuple[str, int | None, str]]] = []
    for symbol in names:
        found = re.fullmatch(r"(.*_)(\d+)", symbol.name)
        stem, index = (found.group(1), int(found.group(2))) if found else (symbol.name, None)
        last = grouped[-1][-1] if grouped else None
        if last and index is not None and last[0] == stem and last[1] == index - 1:
            grouped[-1].append((stem, index, symbol.name))
        else:
            grouped.append([(stem, index, symbol.name)])
    result = []
    for group in grouped:
        labels = [name for *_, name in group]
        result += labels if len(labels) < 3 else [f"{labels[0]}..{labels[-1]}"]
    return result


def _listed(title: str, items: Sequence[str], limit: int = 12) -> list[str]:
    if not items:
        return []
    shown = [_short(i) for i in items[:limit]]
    if len(items) > limit:
        shown.append(f"... and {len(items) - limit} more")
    return [f"{title}:", *(f"  {i}" for i in shown)]


def _short(text: str) -> str:
    return text if len(text) <= 2 * SHORT else f"{text[: 2 * SHORT]} ..."


def _interval(interval: Interval) -> str:
    ends = [
        "-oo" if interval.lower is None else _number(sympy.Rational(interval.lower)),
        "oo" if interval.upper is None else _number(sympy.Rational(interval.upper)),
    ]
    return f"{'(' if interval.open_lower else '['}{ends[0]}, {ends[1]}{')' if interval.open_upper else ']'}"


def _number(value: sympy.Expr) -> str:
    text = str(value)
    return text if len(text) <= 12 or not value.is_number else f"≈{float(value):.6g}"


def _tuple(values: Sequence[sympy.Expr]) -> str:
    shown = [_number(v) for v in values[:12]]
    return f"({', '.join(shown)}{', ...' if len(values) > 12 else ''})"


def _align(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[j]) for row in rows) for j in range(len(rows[0]))]
    numeric = [all(re.fullmatch(r"\d+", row[j]) for row in rows[1:]) and j in (0, 2) for j in range(len(widths))]
    lines = []
    for row in rows:
        cells = [c.rjust(w) if right else c.ljust(w) for c, w, right in zip(row, widths, numeric, strict=True)]
        lines.append("  ".join(cells).rstrip())
    return lines
