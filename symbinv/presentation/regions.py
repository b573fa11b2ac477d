"""Pictures of cells: activation regions, preimages and classes in two inputs, as slices or projections.

Every function returns a matplotlib Figure; matplotlib is imported when one is called. A slice is computed
exactly, by fixing the other inputs; only what is drawn is rounded.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from symbinv.cells.preimage import Preimage, preimage, regions
from symbinv.cells.problem import pose
from symbinv.cells.union import AnyCell
from symbinv.errors import OptionError, ShapeError
from symbinv.exact.policy import to_fraction
from symbinv.network.network import Network
from symbinv.presentation.plot import axis_label

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]
GOLDEN = 0.6180339887498949
MARGIN = 0.25


def plot_cells(
    found: Preimage,
    *,
    inputs: Sequence[int] = (0, 1),
    at: Sequence[Any] | None = None,
    window: Any = None,
    edges: bool = True,
) -> "Figure":
    """Draw regions or a preimage in two inputs, one colour for each affine piece.

    Args:
        found: From `regions` or `preimage`.
        inputs: The two inputs to show, from 0.
        at: With more than two inputs, a point through which to slice; the centre of the box where left out.
        window: Lower and upper end of the two inputs; the box, or what holds all vertices, where left out.
        edges: Whether to draw the cells' borders.

    Raises:
        OptionError: For inputs that are not two different ones of the network.
        ShapeError: For a point or window of the wrong shape.
    """
    network = found.network
    chosen = _check_inputs(network, inputs)
    limits = _window(found, chosen, window)
    shown = _slice(found, chosen, at, limits)
    figure, axes = _new_axes(network, chosen, limits)
    keys = [cell.affine for cell in shown.cells]
    _draw(axes, shown.cells, chosen, _piece_colors(keys), edges)
    kind = "Activation regions" if found.target is None else f"Preimage of {_plain(found.target.text[:60])}"
    where = "" if shown is found else _slice_text(shown, chosen)
    counts = f"{len(shown.cells):,} cells, {len(set(keys)):,} affine pieces"
    axes.set_title(f"{kind}\n{counts}{where}", fontsize=10)
    return figure


def plot_projection(found: Preimage, *, inputs: Sequence[int] = (0, 1), alpha: float = 0.25) -> "Figure":
    """Draw the shadows of the bounded cells of a preimage on two inputs, translucent where they overlap.

    Args:
        found: From `regions` or `preimage`, in a box.
        inputs: The two inputs to project on, from 0.
        alpha: How opaque one cell is.
    """
    chosen = _check_inputs(found.network, inputs)
    limits = _window(found, chosen, None)
    figure, axes = _new_axes(found.network, chosen, limits)
    _draw(axes, found.cells, chosen, _piece_colors([cell.affine for cell in found.cells]), False, alpha)
    axes.set_title(f"{len(found.cells):,} cells projected on two inputs", fontsize=10)
    return figure


def plot_classes(
    network: Network,
    *,
    box: Any = None,
    inputs: Sequence[int] = (0, 1),
    at: Sequence[Any] | None = None,
    names: Sequence[str] = (),
) -> "Figure":
    """Draw the exact area of every class (the largest output, the first one where several tie) in two inputs.

    Args:
        network: A piecewise-linear network; a softmax or sigmoid at its end changes no class.
        box: Lower and upper end of every input; the network's own where left out.
        inputs: The two inputs to show, from 0.
        at: With more than two inputs, a point through which to slice; the centre of the box where left out.
        names: One per output; output names of the network where left out.
    """
    from matplotlib.patches import Patch

    chosen = _check_inputs(network, inputs)
    start = Preimage(pose(network, None, box), (), is_complete=False)
    if start.box is None:
        raise OptionError("classes are drawn in a box; give `box`.")
    limits = _window(start, chosen, None)
    fixed = _sliced_box(start, chosen, at, limits)
    figure, axes = _new_axes(network, chosen, limits)
    labels = list(names) or list(network.output_names) or [f"output {i}" for i in range(network.sizes[-1])]
    if len(labels) != network.sizes[-1]:
        raise ShapeError(f"names must have one entry per output ({network.sizes[-1]}), not {len(labels)}.")
    handles = []
    for index, label in enumerate(labels):
        part = preimage(network, f"argmax == {index}", box=fixed)
        color = _color(index, len(labels))
        _draw(axes, part.cells, chosen, [color] * len(part.cells), False)
        if part.cells:
            handles.append(Patch(color=color, label=f"{_plain(label)}: area {float(part.volume):.6g}"))
    axes.legend(handles=handles, loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8, frameon=False)
    where = _slice_text(Preimage(pose(network, None, fixed), (), is_complete=False), chosen)
    axes.set_title(f"Classes, with exact areas{where}", fontsize=10)
    return figure


def _check_inputs(network: Network, inputs: Sequence[int]) -> tuple[int, int]:
    chosen = tuple(int(j) for j in inputs)
    if len(set(chosen)) != 2 or not all(0 <= j < network.sizes[0] for j in chosen):
        raise OptionError(f"inputs must be two different ones between 0 and {network.sizes[0] - 1}, not {chosen}.")
    return chosen[0], chosen[1]


def _window(found: Preimage, chosen: tuple[int, int], window: Any) -> list[list[Any]]:
    if window is not None:
        table = [[to_fraction(e) for e in row] for row in window]
        if len(table) != 2 or any(len(row) != 2 or row[0] >= row[1] for row in table):
            raise ShapeError("window must be a lower and a larger upper end for each of the two inputs.")
        return table
    if found.box is not None:
        return [list(found.box[j]) for j in chosen]
    limits = []
    for j in chosen:
        values = [float(v[j]) for cell in found.cells for v in cell.vertices] or [0.0]
        room = MARGIN * (max(values) - min(values)) or 1.0
        limits.append([to_fraction(min(values) - room), to_fraction(max(values) + room)])
    return limits


def _sliced_box(
    found: Preimage, chosen: tuple[int, int], at: Sequence[Any] | None, limits: list[list[Any]]
) -> list[list[Any]]:
    width = found.network.sizes[0]
    if at is None:
        center = [(lo + hi) / 2 for lo, hi in found.box] if found.box is not None else [to_fraction(0)] * width
    else:
        center = [to_fraction(e) for e in at]
    if len(center) != width:
        raise ShapeError(f"at must have one entry per input ({width}), not {len(center)}.")
    box = [[e, e] for e in center]
    for j, ends in zip(chosen, limits, strict=True):
        box[j] = list(ends)
    return box


def _slice(found: Preimage, chosen: tuple[int, int], at: Sequence[Any] | None, limits: list[list[Any]]) -> Preimage:
    """Return the cells in the window: those at hand where they are drawn as they are, else exact slices."""
    if found.network.sizes[0] == 2 and chosen == (0, 1) and all(getattr(c, "is_bounded", False) for c in found.cells):
        return found
    box = _sliced_box(found, chosen, at, limits)
    if found.target is None:
        return regions(found.network, box=box)
    return preimage(found.network, found.target, box=box)


def _slice_text(shown: Preimage, chosen: tuple[int, int]) -> str:
    """Return where a slice is taken, in short."""
    names = shown.network.input_names or [f"x_{j + 1}" for j in range(shown.network.sizes[0])]
    fixed = [
        (name, ends[0]) for j, (name, ends) in enumerate(zip(names, shown.box or (), strict=False)) if j not in chosen
    ]
    if not fixed:
        return ""
    text = ", ".join(f"{_plain(name)} = {float(value):.4g}" for name, value in fixed[:4])
    return f"\nat {text}{', ...' if len(fixed) > 4 else ''}"


def _new_axes(network: Network, chosen: tuple[int, int], limits: list[list[Any]]) -> "tuple[Figure, Any]":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 5.6), layout="constrained")
    axes: Any = figure.add_subplot()
    names = network.input_names or tuple(f"x_{j + 1}" for j in range(network.sizes[0]))
    axes.set_xlabel(axis_label(names[chosen[0]]))
    axes.set_ylabel(axis_label(names[chosen[1]]))
    for set_limits, (low, high) in zip((axes.set_xlim, axes.set_ylim), limits, strict=True):
        pad = 0.0 if high > low else 1.0
        set_limits(float(low) - pad, float(high) + pad)
    return figure, axes


def _draw(
    axes: Any, cells: Sequence[AnyCell], chosen: tuple[int, int], colors: Sequence[Any], edges: bool, alpha: float = 1.0
) -> None:
    """Draw polygons, segments and points, the thin ones on top."""
    from matplotlib.collections import LineCollection, PolyCollection

    polygons, fills, segments, strokes = [], [], [], []
    for cell, color in zip(cells, colors, strict=True):
        points = _outline(np.array([[float(v[j]) for j in chosen] for v in cell.vertices]))
        if len(points) > 2:
            polygons.append(points)
            fills.append(color)
        elif len(points) == 2:
            segments.append(points)
            strokes.append(color)
        else:
            axes.plot(*points[0], "o", color=color, markersize=5, zorder=3)
    seam = 0.4 if alpha == 1.0 else 0.0  # hides the gaps that antialiasing leaves between neighbours of one colour
    width = seam if not edges else 0.6 if len(polygons) < 300 else 0.25 if len(polygons) < 2000 else 0.1
    border = "0.15" if edges else "face"
    axes.add_collection(
        PolyCollection(polygons, facecolors=fills, edgecolors=border, linewidths=width, alpha=alpha), autolim=False
    )
    axes.add_collection(LineCollection(segments, colors=strokes, linewidths=2.0, zorder=2), autolim=False)


def _outline(points: Array) -> Array:
    """Return the corners of the convex hull of points in the plane, in order (two for a segment, one for a point)."""
    ordered = sorted({(float(a), float(b)) for a, b in points})
    if len(ordered) < 3:
        return np.array(ordered)
    chains = []
    for direction in (ordered, ordered[::-1]):
        chain: list[tuple[float, float]] = []
        for p in direction:
            while len(chain) > 1 and _turn(chain[-2], chain[-1], p) <= 0:
                chain.pop()
            chain.append(p)
        chains.append(chain[:-1])
    return np.array(chains[0] + chains[1])


def _turn(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _plain(text: str) -> str:
    """Return foreign text so that matplotlib shows it and reads no mathematics into it."""
    return text.replace("$", r"\$")


def _piece_colors(keys: Sequence[Any]) -> list[Any]:
    order = {key: index for index, key in enumerate(dict.fromkeys(keys))}
    return [_color(order[key], len(order)) for key in keys]


def _color(index: int, count: int) -> Any:
    """Return colours that differ between neighbours in order, however many there are."""
    from matplotlib import colormaps
    from matplotlib.colors import hsv_to_rgb

    if count <= 10:
        return colormaps["tab10"](index)
    hue = (index * GOLDEN) % 1.0
    return tuple(hsv_to_rgb((hue, 0.22 + 0.2 * ((index * 7) % 3) / 2, 0.98 - 0.14 * ((index * 5) % 4) / 3)))
