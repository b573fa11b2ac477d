"""Chain: affine maps and activations in the order of the source, made into the layers of a Network.

An affine map waits until an activation closes its layer. Two affine maps in a row become one where that is
exact and costs little: one of them only moves, scales or shifts entries, or the product has about as few
entries as its factors. Maps that hold a source's weights are never multiplied with each other, so that
such a pair stays two layers, the first with the activation "identity".

A maximum is rewritten exactly in relu layers: max(a, b) = relu(a - b) + relu(b) - relu(-b), where the last
term is dropped when b is known not to be negative, in a balanced tree for more than two.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from symbinv.errors import ShapeError
from symbinv.exact.matrix import ExactMatrix
from symbinv.network.activation import Activation, activation
from symbinv.network.network import Layer
from symbinv.network.readers.limits import check_nonzeros, check_width

_GROWTH = 2
_DENSE_GROWTH = 1 << 16


class Chain:
    """The layers built so far, and the affine map that waits for its activation.

    Args:
        width: The number of inputs.

    Example:
        >>> chain = Chain(2)
        >>> chain.apply(ExactMatrix([[1, 2]]), holds_weights=True)
        >>> chain.activate(activation("relu"))
        >>> [layer.activation.name for layer in chain.finish()]
        ['relu']
    """

    def __init__(self, width: int) -> None:
        self.width = check_width(width, "the input")
        self.layers: list[Layer] = []
        self.nonnegative: NDArray[np.bool_] = np.zeros(width, dtype=bool)
        self._base = width
        self._matrix: ExactMatrix | None = None
        self._bias: ExactMatrix | None = None
        self._holds_weights = False

    def apply(self, matrix: ExactMatrix, bias: ExactMatrix | None = None, *, holds_weights: bool = False) -> None:
        """Put x -> matrix @ x + bias after what is there.

        Args:
            matrix: Shape (new width, width).
            bias: Shape (new width, 1); None for zero.
            holds_weights: Whether these are weights of the source, which stay a layer of their own.
        """
        if matrix.columns != self.width:
            raise ShapeError(f"a map must take the {self.width} values before it, not {matrix.columns}.")
        check_width(matrix.rows, "a layer")
        if matrix.is_sparse:
            check_nonzeros(matrix.nonzeros, "a sparse map")
        if self._matrix is not None and not self._merges(matrix, self._matrix, holds_weights):
            self._close(activation("identity"))
        if self._bias is not None:
            carried = matrix @ self._bias
            bias = carried if bias is None else carried + bias
        self._matrix = matrix if self._matrix is None else matrix @ self._matrix
        self._bias = bias
        self._holds_weights = self._holds_weights or holds_weights
        self.width = matrix.rows
        self.nonnegative = np.zeros(self.width, dtype=bool)

    def _merges(self, above: ExactMatrix, below: ExactMatrix, holds_weights: bool) -> bool:
        if holds_weights and self._holds_weights:
            return False
        if above.has_one_entry_per_row or below.has_one_entry_per_row:
            return True
        terms = above.product_terms(below)
        both = above.is_sparse and below.is_sparse
        return terms <= _GROWTH * (above.nonzeros + below.nonzeros) and (both or terms <= _DENSE_GROWTH)

    def shift(self, bias: ExactMatrix) -> None:
        """Add a constant vector, shape (width, 1)."""
        if bias.shape != (self.width, 1):
            raise ShapeError(f"a shift must have one entry per value ({self.width}), not {bias.rows}.")
        self._bias = bias if self._bias is None else self._bias + bias
        self.nonnegative = np.zeros(self.width, dtype=bool)

    def select(self, indices: NDArray[np.int64]) -> None:
        """Move entries: the new entry k is the old entry indices[k], or zero where that is -1."""
        if len(indices) == self.width and (indices == np.arange(self.width)).all():
            return
        kept = np.flatnonzero(indices >= 0)
        flags = np.where(indices >= 0, self.nonnegative[np.maximum(indices, 0)], True)
        shape = (check_width(len(indices), "a layer"), self.width)
        self.apply(ExactMatrix.from_entries(shape, kept, indices[kept], np.ones(len(kept))))
        self.nonnegative = flags

    def activate(self, chosen: Activation) -> None:
        """Close a layer with an activation; the identity changes nothing."""
        if chosen.is_identity:
            return
        self._close(chosen)
        lower = chosen.image.lower
        self.nonnegative = np.full(self.width, lower is not None and lower >= 0)

    def maximum(self, windows: Sequence[Sequence[int]]) -> None:
        """Replace the values by the largest of each window of their indices, as relu layers."""
        groups = [list(window) for window in windows]
        if any(not group for group in groups):
            raise ShapeError("a maximum must be over at least one value.")
        while any(len(group) > 1 for group in groups):
            groups = self._halve(groups)
        self.select(np.array([group[0] for group in groups], dtype=np.int64))

    def _halve(self, groups: list[list[int]]) -> list[list[int]]:
        """Take maxima of pairs within each group; return the groups of what is left."""
        neurons: dict[tuple[int, int], int] = {}  # (plus, minus) -> relu(v[plus] - v[minus]); -1 stands for zero
        sums: dict[tuple[int, ...], int] = {}  # a maximum, by the pair it is of -> its place
        terms: list[list[tuple[int, float]]] = []
        flags: list[bool] = []

        def neuron(plus: int, minus: int) -> int:
            return neurons.setdefault((plus, minus), len(neurons))

        def place(pair: tuple[int, ...]) -> int:
            if pair not in sums:
                sums[pair] = len(sums)
                last = pair[-1]
                entry = [(neuron(last, -1), 1.0)]
                if not self.nonnegative[last]:
                    entry.append((neuron(-1, last), -1.0))
                if len(pair) == 2:
                    entry.append((neuron(pair[0], last), 1.0))
                terms.append(entry)
                flags.append(bool(self.nonnegative[list(pair)].any()))
            return sums[pair]

        halved = []
        for group in groups:
            pairs = [tuple(group[k : k + 2]) for k in range(0, len(group), 2)]
            # the second of a pair is the one that is carried: prefer one that is known not to be negative
            halved.append([place(p if len(p) == 1 or self.nonnegative[p[1]] else (p[1], p[0])) for p in pairs])
            check_width(len(neurons), "a layer that computes maxima")
        signs = [
            (k, source, sign) for (a, b), k in neurons.items() for source, sign in ((a, 1.0), (b, -1.0)) if source >= 0
        ]
        self.apply(_triplets((len(neurons), self.width), signs))
        self.activate(activation("relu"))
        rows = [(k, source, sign) for k, entry in enumerate(terms) for source, sign in entry]
        self.apply(_triplets((len(terms), self.width), rows))
        self.nonnegative = np.array(flags, dtype=bool)
        return halved

    def finish(self) -> tuple[Layer, ...]:
        """Return the layers; what still waits becomes a last layer with activation "identity"."""
        if self._matrix is not None or self._bias is not None or not self.layers:
            self._close(activation("identity"))
        return tuple(self.layers)

    def _close(self, chosen: Activation) -> None:
        matrix = self._matrix
        if matrix is None:
            places = np.arange(self.width)
            matrix = ExactMatrix.from_entries((self.width, self.width), places, places, np.ones(self.width))
        bias = ExactMatrix(np.zeros((self.width, 1))) if self._bias is None else self._bias.dense()
        self.layers.append(Layer(matrix, bias, chosen))
        self._base, self._matrix, self._bias, self._holds_weights = self.width, None, None, False


def _triplets(shape: tuple[int, int], entries: list[tuple[int, int, float]]) -> ExactMatrix:
    rows, columns, values = zip(*entries, strict=True)
    return ExactMatrix.from_entries(shape, rows, columns, np.array(values))
