"""The .nnet format of Stanford's aircraft networks: text, relu layers, the last one linear.

Lines that begin with // are comments. Then: counts of layers, inputs, outputs and the widest layer; the
sizes; a flag that is no longer used; lower ends, upper ends, means and ranges of the inputs (the last two with
one more entry, for all outputs); and for each layer the rows of its weights, then its biases.

The file holds a network between normalised values, x' = (x - mean) / range, and its outputs mean y' * range +
mean. `space="raw"` (the default) is the map from x to y, with all four rows folded exactly into the first
and last layers; `space="normalised"` is the stored map from x' to y'. A number is taken for the double
it denotes, as everywhere ("exact"), or as written ("decimal").
"""

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from symbinv.errors import InexactError, NotSupportedError, OptionError, ReadError
from symbinv.exact.matrix import ExactMatrix
from symbinv.exact.policy import Policy, to_fraction
from symbinv.network.activation import activation
from symbinv.network.network import Layer, Network
from symbinv.network.readers import limits
from symbinv.network.readers.source import place, read_bytes, show

_NUMBER = re.compile(r"[+-]?(\d{1,40}(\.\d{0,400})?|\.\d{1,400})([eE][+-]?\d{1,3})?")
_COUNT = re.compile(r"\d{1,9}")
_NORMALISED = "normalised"


def read_nnet(path: Path, *, policy: Policy = "exact", space: str = "raw") -> Network:
    """Return the network of a .nnet file; see the module's text.

    Args:
        path: The file.
        policy: What a number stands for.
        space: "raw" for the map between raw values, "normalised" for the map between normalised ones.

    Raises:
        ReadError: Where lines are missing, too many, or hold something else than numbers.
    """
    if space not in ("raw", _NORMALISED):
        raise OptionError(f"space must be 'raw' or 'normalised', not {space!r}.")
    lines = _Lines(read_bytes(path), policy)
    counts = lines.counts("counts of layers, inputs and outputs")
    sizes = lines.counts("sizes")
    if len(counts) != 4 or len(sizes) != counts[0] + 1 or (sizes[0], sizes[-1]) != (counts[1], counts[2]):
        raise ReadError(f"the first two lines must agree, not say {counts[:6]} and sizes {sizes[:20]}.")
    for size in sizes:
        limits.check_width(size, "a layer")
    if lines.counts("an unused flag") != [0]:
        raise NotSupportedError("networks with the flag for symmetry are not supported.")
    n = sizes[0]
    low, high = lines.numbers("lower ends", n), lines.numbers("upper ends", n)
    means, ranges = lines.numbers("means", n + 1), lines.numbers("ranges", n + 1)
    if not all(ranges):
        raise ReadError("ranges must not be 0.")
    layers = []
    for k, (inputs, outputs) in enumerate(zip(sizes, sizes[1:], strict=False), start=1):
        limits.entries((outputs, inputs), f"layer {k}")
        weights = lines.matrix(f"weights of layer {k}", outputs, inputs)
        bias = lines.matrix(f"biases of layer {k}", outputs, 1)
        layers.append(Layer(weights, bias, activation("relu" if k < counts[0] else "identity")))
    lines.end()
    box = [[low[i], high[i]] for i in range(n)]
    if space == _NORMALISED:
        box = [sorted((end - means[i]) / ranges[i] for end in pair) for i, pair in enumerate(box)]
        note = "inputs and outputs are the normalised values of the file; space='raw' takes raw ones"
    elif not any(means) and all(r == 1 for r in ranges):
        note = "the file's normalisation changes nothing"
    else:
        note = "the file's normalisation was folded into the first and last layer; space='normalised' leaves it out"
        layers = _fold(layers, means, ranges)
    return Network(tuple(layers), box=ExactMatrix(box), notes=(note,))


def _fold(layers: list[Layer], means: list[Fraction], ranges: list[Fraction]) -> list[Layer]:
    """Return the layers of the map between raw values."""
    result = list(layers)
    if any(means[:-1]) or any(r != 1 for r in ranges[:-1]):
        first = result[0]
        places = range(len(means) - 1)
        scale = ExactMatrix.from_entries((len(places),) * 2, places, places, [1 / r for r in ranges[:-1]])
        weights = first.weights @ scale
        bias = first.bias - weights @ ExactMatrix.column(means[:-1])
        result[0] = Layer(weights, bias, first.activation)
    if means[-1] or ranges[-1] != 1:
        last = result[-1]
        shift = ExactMatrix.column([means[-1]] * last.bias.rows)
        result[-1] = Layer(last.weights.scaled(ranges[-1]), last.bias.scaled(ranges[-1]) + shift, last.activation)
    return result


class _Lines:
    """The lines of a file that are no comments, one by one."""

    def __init__(self, data: bytes, policy: Policy) -> None:
        self._lines = self._split(data)
        self._policy = policy

    @staticmethod
    def _split(data: bytes) -> Iterator[tuple[int, list[str]]]:
        for number, line in enumerate(data.decode("ascii", "replace").splitlines(), start=1):
            text = line.strip()
            if text and not text.startswith("//"):
                yield number, [part.strip() for part in text.removesuffix(",").split(",")]

    def _next(self, what: str) -> tuple[int, list[str]]:
        line = next(self._lines, None)
        if line is None:
            raise ReadError(f"the file ends before its {what}.")
        return line

    def counts(self, what: str) -> list[int]:
        """Return a line of whole numbers."""
        number, parts = self._next(what)
        if not all(_COUNT.fullmatch(part) for part in parts):
            raise ReadError(f"line {number}: {what} must be whole numbers, not {show(','.join(parts), 60)!r}.")
        return [int(part) for part in parts]

    def numbers(self, what: str, count: int) -> list[Fraction]:
        """Return a line of numbers as Fractions."""
        number, parts = self._row(what, count)
        with place(f"line {number}"):
            return [self._fraction(part) for part in parts]

    def matrix(self, what: str, rows: int, columns: int) -> ExactMatrix:
        """Return the next lines, one per row."""
        found = [self._row(what, columns) for _ in range(rows)]
        if self._policy == "exact":
            doubles = np.array([[float(part) for part in parts] for _, parts in found])
            if not np.isfinite(doubles).all():
                raise InexactError(f"{what} must be in the range of doubles.")
            return ExactMatrix(doubles.reshape(rows, columns))
        return ExactMatrix([[self._fraction(part) for part in parts] for _, parts in found])

    def _row(self, what: str, count: int) -> tuple[int, list[str]]:
        number, parts = self._next(what)
        if len(parts) != count:
            raise ReadError(f"line {number}: {what} must be {count} numbers, not {len(parts)}.")
        bad = next((part for part in parts if not _NUMBER.fullmatch(part)), None)
        if bad is not None:
            raise ReadError(f"line {number}: {what} must be numbers, not {show(bad, 40)!r}.")
        return number, parts

    def _fraction(self, text: str) -> Fraction:
        return to_fraction(text if self._policy == "decimal" else float(text), self._policy)

    def end(self) -> None:
        """Refuse further lines."""
        line = next(self._lines, None)
        if line is not None:
            raise ReadError(f"line {line[0]}: the file must end after its last biases.")
