"""Pictures of a preimage: the manifold in two or three chosen inputs, and all inputs pair by pair.

Every function returns a matplotlib Figure; matplotlib is imported when one is called.
"""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from symbinv.errors import OptionError, ShapeError
from symbinv.notation import latex_symbol
from symbinv.sampler.samples import Samples

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]
MAX_PAIRS = 8
MAX_POINTS = 20_000
COLOR_MAP = "viridis"


def plot_manifold(samples: Samples, inputs: Sequence[int] | None = None, color_by: int | None = None) -> "Figure":
    """Draw the points of a preimage in two or three chosen inputs.

    Args:
        samples: From `sampler.draw`.
        inputs: Two or three inputs from 0; by default those that vary most.
        color_by: The free variable (column of `samples.free`) that colours the points; by default the one
            that varies most.

    Raises:
        ShapeError: For inputs that the network does not have.
        OptionError: For other than two or three inputs, and where there are no points.
    """
    _need_points(samples)
    chosen = _choose_inputs(samples, inputs)
    points = _thinned(samples.points[:, chosen])
    color, color_name = _coloring(samples, color_by)
    names = [axis_label(samples.input_names[j]) for j in chosen]
    figure = _new_figure((6.4, 5.2))
    if len(chosen) == 3:
        axes: Any = figure.add_subplot(projection="3d")
        drawn = axes.scatter(*points.T, c=color, cmap=COLOR_MAP, s=_size(len(points)), linewidths=0, depthshade=False)
        axes.set_zlabel(names[2])
    else:
        axes = figure.add_subplot()
        drawn = axes.scatter(*points.T, c=color, cmap=COLOR_MAP, s=_size(len(points)), linewidths=0)
    axes.set_xlabel(names[0])
    axes.set_ylabel(names[1])
    target = ", ".join(f"{v:.4g}" for v in samples.target[:6]) + (", ..." if len(samples.target) > 6 else "")
    axes.set_title(f"Inputs with output [{target}]\n{len(samples):,} points, {samples.report.method}", fontsize=10)
    if color is not None:
        figure.colorbar(drawn, ax=axes, label=color_name, shrink=0.75, pad=0.12 if len(chosen) == 3 else 0.05)
    return figure


def plot_pairs(samples: Samples, inputs: Sequence[int] | None = None) -> "Figure":
    """Draw every pair of inputs: points below the diagonal, histograms on it.

    Args:
        samples: From `sampler.draw`.
        inputs: Inputs from 0; by default all, at most eight (those that vary most).
    """
    _need_points(samples)
    n0 = samples.points.shape[1]
    if inputs is None:
        spread = samples.points.std(axis=0)
        chosen = sorted(np.argsort(-spread, kind="stable")[:MAX_PAIRS].tolist())
    else:
        chosen = _check_inputs(inputs, n0)
    points = _thinned(samples.points[:, chosen])
    names = [axis_label(samples.input_names[j]) for j in chosen]
    d = len(chosen)
    figure = _new_figure((1.6 * d + 1.2, 1.6 * d + 0.9))
    grid: Any = figure.subplots(d, d, squeeze=False, sharex="col")
    for i in range(d):
        for j in range(d):
            axes = grid[i, j]
            if j > i:
                axes.set_visible(False)
                continue
            if i == j:
                axes.hist(points[:, i], bins=int(np.clip(np.sqrt(len(points)), 5, 40)), color="#3b6ea5")
                axes.set_yticks([])
            else:
                axes.scatter(points[:, j], points[:, i], s=_size(len(points)) / 2, c="#3b6ea5", alpha=0.5, linewidths=0)
            axes.tick_params(labelsize=7, labelbottom=i == d - 1, labelleft=j == 0 and i > 0)
            if i == d - 1:
                axes.set_xlabel(names[j], fontsize=8)
            if j == 0 and i > 0:
                axes.set_ylabel(names[i], fontsize=8)
    more = f" ({d} of {n0} inputs)" if d < n0 else ""
    figure.suptitle(f"All pairs of inputs{more}: {len(samples):,} points, {samples.report.method}", fontsize=10)
    return figure


def figure_bytes(figure: "Figure", suffix: str = ".png") -> bytes:
    """Return a figure as the content of a .png, .pdf or .svg file, free of dates.

    Raises:
        OptionError: For another suffix.
    """
    if suffix not in (".png", ".pdf", ".svg"):
        raise OptionError(f"pictures are written as .png, .pdf or .svg, not {suffix!r}.")
    buffer = io.BytesIO()
    metadata = {"Software": None} if suffix == ".png" else {"Date" if suffix == ".svg" else "CreationDate": None}
    figure.savefig(buffer, format=suffix[1:], dpi=150, metadata=metadata)
    return buffer.getvalue()


def _new_figure(size: tuple[float, float]) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _need_points(samples: Samples) -> None:
    if not len(samples):
        raise OptionError("a picture needs at least one point; these samples hold none.")


def _choose_inputs(samples: Samples, inputs: Sequence[int] | None) -> list[int]:
    n0 = samples.points.shape[1]
    if inputs is not None:
        chosen = _check_inputs(inputs, n0)
    else:
        order = np.argsort(-samples.points.std(axis=0), kind="stable")
        chosen = sorted(order[: min(3, n0)].tolist())
    if len(chosen) == 1 and n0 == 1:
        chosen = [0, 0]
    if len(chosen) not in (2, 3):
        raise OptionError(f"two or three inputs must be chosen, not {len(chosen)}.")
    return chosen


def _check_inputs(inputs: Sequence[int], n0: int) -> list[int]:
    wrong = [j for j in inputs if not 0 <= j < n0]
    if wrong:
        raise ShapeError(f"inputs must lie between 0 and {n0 - 1}, not {wrong}.")
    return list(inputs)


def _coloring(samples: Samples, color_by: int | None) -> tuple[Array | None, str]:
    if not samples.free.shape[1]:
        return None, ""
    spread = samples.free.std(axis=0)
    column = int(np.argmax(spread)) if color_by is None else color_by
    if not 0 <= column < samples.free.shape[1]:
        raise ShapeError(f"color_by must lie between 0 and {samples.free.shape[1] - 1}, not {column}.")
    return _thinned(samples.free[:, column]), f"${latex_symbol(samples.free_names[column].name)}$"


def _thinned(points: Array) -> Array:
    """Return at most MAX_POINTS rows, evenly spaced."""
    if len(points) <= MAX_POINTS:
        return points
    return np.asarray(points[np.linspace(0, len(points) - 1, MAX_POINTS).astype(int)])


def _size(count: int) -> float:
    return float(np.clip(4000 / max(count, 1), 2.0, 24.0))


def axis_label(name: str) -> str:
    """Return an input's name for an axis; a foreign name is shown as plain text."""
    shown = f"${latex_symbol(name)}$" if name.startswith("x_") and name[2:].isdigit() else name.replace("$", r"\$")
    return shown if len(shown) <= 40 else shown[:37] + "..."
