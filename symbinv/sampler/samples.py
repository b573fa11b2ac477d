"""Samples: points of a preimage with what is known of each, and the report on how they were drawn."""

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from symbinv.errors import OptionError, ReadError
from symbinv.files import write_whole

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Report:
    """How points were drawn and what became of them.

    Attributes:
        method: The way of drawing.
        law: What distribution the points follow, in words.
        measure: "surface", "conditional" or "chart", or None where the points follow none of them.
        drawn: Points tried.
        valid: Points that lie on the preimage, inside every domain.
        lost: {layer: count} of points whose values left the image of that layer's activation (layer 0: the
            input box; -1: the forward check).
        ranges: {free variable: (low, high)} from which the literal methods drew.
        seed: Of the draw.
        notes: Further sentences.
        ess: Effective sample size, one value an input; None where not claimed.
        r_hat: Gelman-Rubin statistic over chains, one value an input; 1 for independent points, None where unknown.
        base: The base measure: "uniform in the box" or the name of a Gaussian; "" where there is none.
        chains: How many walked.
        components: In how many parts of the fiber chains were seen (never: that all were found).
        shares: The share of the points in each of these parts, largest first.
        seconds: {stage: wall-clock seconds}.
        tuning: {name: value} of what the warm-up chose and how the walk went.
    """

    method: str
    law: str
    measure: str | None
    drawn: int
    valid: int
    lost: dict[int, int] = field(default_factory=dict)
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    seed: int | None = None
    notes: tuple[str, ...] = ()
    ess: Array | None = None
    r_hat: Array | None = None
    base: str = ""
    chains: int = 0
    components: int | None = None
    shares: tuple[float, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    tuning: dict[str, float] = field(default_factory=dict)

    def to_text(self) -> str:
        """Return the report as lines of text."""
        lines = [f"method {self.method}: {self.law}", f"drawn {self.drawn:,}, valid {self.valid:,}"]
        for layer, count in sorted(self.lost.items(), reverse=True):
            place = {0: "left the input box", -1: "missed the target in the forward check"}.get(
                layer, f"left the image of layer {layer}'s activation"
            )
            lines.append(f"  {count:,} {place}")
        lines += [f"  {name} in [{low:.6g}, {high:.6g}]" for name, (low, high) in self.ranges.items()]
        if self.measure:
            lines.append(f"measure: {self.measure}" + (f", base {self.base}" if self.base else ""))
        lines += self._chain_lines()
        return "\n".join([*lines, *self.notes])

    def _chain_lines(self) -> list[str]:
        lines = []
        if self.chains:
            named = ", ".join(f"{name} {value:.4g}" for name, value in self.tuning.items())
            lines.append(f"{self.chains:,} chains" + (f"; {named}" if named else ""))
        independent = self.r_hat is not None and self.ess is not None and not self.chains
        if independent:
            lines.append("independent points, no chains")
        elif self.r_hat is not None and len(self.r_hat):
            lines.append(f"R-hat at most {np.max(self.r_hat):.4f} (input {int(np.argmax(self.r_hat)) + 1})")
        if independent:
            pass
        elif self.ess is not None and len(self.ess):
            lines.append(
                f"effective sample size at least {np.min(self.ess):,.0f} (input {int(np.argmin(self.ess)) + 1})"
            )
        elif self.r_hat is not None:
            lines.append("effective sample size not claimed: R-hat says that the chains have not mixed")
        if self.components is not None:
            shares = f", with shares {', '.join(f'{s:.3f}' for s in self.shares)}" if self.components > 1 else ""
            parts = "part" if self.components == 1 else "parts"
            lines.append(f"chains seen in {self.components} connected {parts}{shares}; others may exist")
        if self.seconds:
            lines.append("seconds: " + ", ".join(f"{stage} {value:.2f}" for stage, value in self.seconds.items()))
        return lines


@dataclass(frozen=True, eq=False)
class Samples:
    """Points of a preimage; only valid ones, the others are counted in the report.

    Attributes:
        points: (k, n0).
        free: The free variables of each point, (k, d), in the order of `free_names`.
        weights: (k,), summing to 1.
        residual: max over outputs of |f(x) - y| at the points as they stand here, (k,).
        status: For each point, (k,): "certified" (proved by `certify`), "numeric" (within 1e-12 of the target,
            relative to its size, as far as doubles tell) or "failed" (near it, but not so near; see the notes).
        report: How they were drawn.
        free_names: The symbols of the columns of `free`.
        input_names: Names of the inputs, for tables and plots.
        target: The output they produce.
        certificates: One per point after `certify`, None for points without a proof.
        inverse: From which they were drawn; None for samples read from a file.
    """

    points: Array
    free: Array
    weights: Array
    residual: Array
    status: NDArray[np.str_]
    report: Report
    free_names: tuple[sympy.Symbol, ...]
    input_names: tuple[str, ...]
    target: tuple[float, ...]
    certificates: tuple[Any, ...] = ()
    inverse: Any = None

    def __repr__(self) -> str:
        return f"Samples({len(self)} points, method {self.report.method!r})"

    def __len__(self) -> int:
        return len(self.points)

    def save(self, path: str | Path) -> Path:
        """Write the points to `path`, as .npz (everything) or .csv (inputs, free variables, residual).

        The file appears whole or not at all.

        Raises:
            OptionError: For another suffix.
            ReadError: Where the place cannot be written.
        """
        place = Path(path)
        if place.suffix == ".npz":
            buffer = io.BytesIO()
            np.savez_compressed(buffer, **self._arrays())
            content = buffer.getvalue()
        elif place.suffix == ".csv":
            content = self._table().encode()
        else:
            raise OptionError(f"samples are written as .npz or .csv, not {place.suffix or 'a file without suffix'!r}.")
        return write_whole(place, content)

    def _arrays(self) -> dict[str, Any]:
        return {
            "points": self.points,
            "free": self.free,
            "weights": self.weights,
            "residual": self.residual,
            "status": self.status,
            "free_names": np.array([str(s) for s in self.free_names]),
            "input_names": np.array(self.input_names),
            "target": np.array(self.target),
            "method": np.array(self.report.method),
            "report": np.array(self.report.to_text()),
        }

    def _table(self) -> str:
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([*map(_plain_cell, self.input_names), *(f"free {s}" for s in self.free_names), "residual"])
        table = np.column_stack([self.points, self.free, self.residual])
        writer.writerows([[repr(v) for v in row] for row in table.tolist()])
        return out.getvalue()


def _plain_cell(name: str) -> str:
    """Return a name that no spreadsheet takes for a formula."""
    return "'" + name if name[:1] in "=+-@\t\r" else name


def load_samples(path: str | Path) -> Samples:
    """Read samples that `Samples.save` wrote as .npz.

    Raises:
        ReadError: For a file that is not such a file; object arrays are never loaded.
    """
    place = Path(path)
    try:
        with np.load(io.BytesIO(place.read_bytes()), allow_pickle=False) as data:
            arrays = {k: data[k] for k in data.files}
        points = np.asarray(arrays["points"], dtype=np.float64)
        report = Report(str(arrays.get("method", "file")), str(arrays["report"]), None, len(points), len(points))
        return Samples(
            points,
            np.asarray(arrays["free"], dtype=np.float64),
            np.asarray(arrays["weights"], dtype=np.float64),
            np.asarray(arrays["residual"], dtype=np.float64),
            arrays["status"].astype(str),
            report,
            tuple(sympy.Symbol(str(s)) for s in arrays["free_names"]),
            tuple(str(s) for s in arrays["input_names"]),
            tuple(arrays["target"].tolist()),
        )
    except Exception as error:  # zipfile, zlib and NumPy each raise their own for a broken file
        raise ReadError(f"{place} is not a file of samples: {str(error)[:200]}.") from error
