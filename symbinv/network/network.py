"""Network and Layer: what is inverted. They know nothing of inversion.

A network is a chain of layers a = f(W x + b), every number exact. The forward map exists three times:
exactly (rationals and SymPy), in NumPy on whole batches, and in balls that enclose the exact map. A
network of floats and the network of the real numbers they denote are two functions; the exact and the ball
map are the second, the NumPy map approximates it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from symbinv.errors import InexactError, OptionError, ShapeError
from symbinv.exact.ball import ball, ball_column, ball_matrix
from symbinv.exact.matrix import ExactMatrix
from symbinv.exact.policy import Policy, to_fraction, to_fractions, to_rational
from symbinv.network.activation import Activation, activation
from symbinv.notation import layer_superscript, symbol


@dataclass(frozen=True)
class Layer:
    """One layer a = f(W x + b): weights (m, n) for m outputs and n inputs, bias (m, 1), activation f."""

    weights: ExactMatrix
    bias: ExactMatrix
    activation: Activation

    def __repr__(self) -> str:
        return f"Layer({self.weights.rows}x{self.weights.columns}, {self.activation.label})"

    def __post_init__(self) -> None:
        if self.weights.rows == 0 or self.weights.columns == 0:
            raise ShapeError(f"a layer must have at least one input and one output, not weights {self.weights.shape}.")
        if self.bias.shape != (self.weights.rows, 1):
            raise ShapeError(
                f"a layer's bias must have one entry per output ({self.weights.rows}), not {self.bias.rows}."
            )

    @cached_property
    def float_weights(self) -> NDArray[np.float64]:
        """The weights rounded once to doubles, shape (m, n)."""
        return self.weights.to_numpy()

    @cached_property
    def float_bias(self) -> NDArray[np.float64]:
        """The bias rounded once to doubles, shape (m,)."""
        return self.bias.to_numpy()[:, 0]

    def pre_activation(self, a: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return W a + b in doubles, (k, m), for the layer's inputs a, (k, n); sparse weights are not made dense."""
        product = self.weights.times_floats(a) if self.weights.is_sparse else a @ self.float_weights.T
        return product + self.float_bias

    @property
    def is_rational(self) -> bool:
        """Whether all weights, biases and parameters of the activation are numbers."""
        return self.weights.is_rational and self.bias.is_rational and self.activation.is_rational


@dataclass(frozen=True)
class Network:
    """A feed-forward network with exact weights.

    Attributes:
        layers: First to last.
        input_names, output_names: As the source called them; shown escaped, never executed.
        box: Lower and upper end of every input, an (n0, 2) matrix, or None.
        notes: What a reader folded or assumed, one sentence each.

    Example:
        >>> network = Network.from_arrays([[[1, 2, 3], [2, 5, 7]]], [[0, "1/2"]], ["sigmoid"])
        >>> network.sizes
        (3, 2)
    """

    layers: tuple[Layer, ...]
    input_names: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()
    box: ExactMatrix | None = None
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        labels = dict.fromkeys(layer.activation.label for layer in self.layers)
        return f"Network({' -> '.join(map(str, self.sizes))}; {', '.join(labels)})"

    def __post_init__(self) -> None:
        if not self.layers:
            raise ShapeError("a network must have at least one layer, not 0.")
        for index, (below, above) in enumerate(zip(self.layers, self.layers[1:], strict=False), start=2):
            if above.weights.columns != below.weights.rows:
                raise ShapeError(
                    f"layer {index} must take the {below.weights.rows} outputs of layer {index - 1}, "
                    f"not {above.weights.columns} inputs."
                )
        for names, width, what in (
            (self.input_names, self.sizes[0], "input"),
            (self.output_names, self.sizes[-1], "output"),
        ):
            if names and len(names) != width:
                raise ShapeError(f"{what}_names must have one name per {what} ({width}), not {len(names)}.")
        if self.box is not None:
            object.__setattr__(self, "box", to_box(self.box, self.sizes[0]))

    @classmethod
    def from_arrays(
        cls,
        weights: Sequence[Any],
        biases: Sequence[Any],
        activations: Sequence[str | Activation],
        *,
        policy: Policy = "exact",
        input_names: Sequence[str] = (),
        output_names: Sequence[str] = (),
        box: Any = None,
        notes: Sequence[str] = (),
    ) -> "Network":
        """Build a network from one weight matrix, bias vector and activation per layer.

        Args:
            weights: weights[i] has shape (m, n): m outputs, n inputs. Arrays, nested lists or SymPy
                matrices; numbers of any kind, or SymPy expressions.
            biases: biases[i] has shape (m,).
            activations: Names of the table (`symbinv.ACTIVATIONS`), parameters in parentheses.
            policy: What a float stands for: "exact", "decimal" or `rationalize(max_denominator)`.
            input_names, output_names: Names to show.
            box: Lower and upper end of each input, shape (n0, 2).
            notes: Sentences to keep with the network.

        Raises:
            ShapeError: Where sizes do not fit together.
            InexactError: For NaN, infinities and entries that are no numbers.
            OptionError: For an unknown activation.
        """
        if not len(weights) == len(biases) == len(activations):
            raise ShapeError(
                "weights, biases and activations must have one entry per layer each, "
                f"not {len(weights)}, {len(biases)} and {len(activations)}."
            )
        layers = []
        for index, (w, b, f) in enumerate(zip(weights, biases, activations, strict=True), start=1):
            try:
                layers.append(Layer(_matrix(w, policy), _column(b, policy), activation(f, policy)))
            except (ShapeError, InexactError, OptionError) as error:
                raise type(error)(f"layer {index}: {error}") from error
        exact_box = None if box is None else to_box(box, layers[0].weights.columns, policy)
        return cls(tuple(layers), tuple(input_names), tuple(output_names), exact_box, tuple(notes))

    @classmethod
    def generic(cls, sizes: Sequence[int], activations: Sequence[str | Activation]) -> "Network":
        r"""Build a network whose weights and biases are symbols w^{(l)}_{ij}, b^{(l)}_i.

        Args:
            sizes: n0, n1, ..., the number of inputs and of units per layer.
            activations: One per layer.

        Example:
            >>> Network.generic([3, 2], ["sigmoid"]).layers[0].weights.to_sympy()
            Matrix([
            [w_{11}, w_{12}, w_{13}],
            [w_{21}, w_{22}, w_{23}]])
        """
        if len(sizes) != len(activations) + 1 or any(int(s) != s or s < 1 for s in sizes):
            raise ShapeError(
                f"sizes must be positive integers, one more than activations ({len(activations)}), not {list(sizes)}."
            )
        depth = len(activations)
        weights, biases = [], []
        for layer, (n, m) in enumerate(zip(sizes, sizes[1:], strict=False), start=1):
            above = layer_superscript(layer, depth)
            weights.append([[symbol("w", i + 1, j + 1, superscript=above) for j in range(n)] for i in range(m)])
            biases.append([symbol("b", i + 1, superscript=above) for i in range(m)])
        return cls.from_arrays(weights, biases, activations)

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of inputs, then of units per layer."""
        return (self.layers[0].weights.columns, *(layer.weights.rows for layer in self.layers))

    @property
    def depth(self) -> int:
        """The number of layers."""
        return len(self.layers)

    @property
    def is_rational(self) -> bool:
        """Whether all weights and biases are numbers."""
        return all(layer.is_rational for layer in self.layers)

    def forward(self, x: Any) -> Any:
        """Return the network's output.

        Args:
            x: A float array of shape (k, n0) or (n0,) for the NumPy map; or n0 exact numbers or SymPy
                expressions for the exact map.

        Returns:
            A float array of shape (k, m) or (m,); or a tuple of m SymPy expressions.

        Raises:
            ShapeError: Where x does not have n0 entries.

        Example:
            >>> network = Network.from_arrays([[[1, 2]]], [[0]], ["relu"])
            >>> network.forward([3, "1/2"]), network.forward(np.array([[1.0, 1.0], [-1.0, 0.0]])).tolist()
            ((4,), [[3.0], [0.0]])
        """
        if (isinstance(x, np.ndarray) and x.dtype.kind in "fiu") or _has_floats(x):
            return self._forward_floats(np.asarray(x, dtype=np.float64))
        return self._forward_exact(x)

    def _forward_floats(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        if x.ndim not in (1, 2) or x.shape[-1] != self.sizes[0]:
            raise ShapeError(f"x must have shape (k, {self.sizes[0]}) or ({self.sizes[0]},), not {x.shape}.")
        if not self.is_rational:
            raise InexactError("a network with symbolic weights has no numeric forward map; pass exact numbers.")
        a = np.atleast_2d(x)
        for layer in self.layers:
            a = layer.activation.numeric(layer.pre_activation(a))
        return a if x.ndim == 2 else a[0]

    def _forward_exact(self, x: Any) -> tuple[sympy.Expr, ...]:
        a = ExactMatrix.column(list(x))
        if a.rows != self.sizes[0]:
            raise ShapeError(f"x must have one entry per input of the network ({self.sizes[0]}), not {a.rows}.")
        for layer in self.layers:
            z = layer.weights @ a + layer.bias
            a = ExactMatrix.column(layer.activation.forward([z[i, 0] for i in range(z.rows)]))
        return tuple(a[i, 0] for i in range(a.rows))

    def forward_ball(self, x: Sequence[Any]) -> list[Any]:
        """Return balls (`flint.arb`) around the exact output, at the current precision.

        Args:
            x: n0 balls, or numbers that `to_fraction` takes.

        Example:
            >>> y = Network.from_arrays([[[1, 2]]], [[0]], ["sigmoid"]).forward_ball([0, 0])
            >>> y[0].contains(0.5)
            True
        """
        if len(x) != self.sizes[0]:
            raise ShapeError(f"x must have one entry per input of the network ({self.sizes[0]}), not {len(x)}.")
        a = [e if hasattr(e, "mid") else ball(to_fraction(e)) for e in x]
        for layer in self.layers:
            z = ball_matrix(layer.weights) * ball_column(a) + ball_matrix(layer.bias)
            a = layer.activation.forward_ball(z.entries())
        return a


def to_box(box: Any, inputs: int, policy: Policy = "exact") -> ExactMatrix:
    """Return a box as an exact (inputs, 2) matrix of lower and upper ends.

    Raises:
        ShapeError: Where the shape differs or a lower end exceeds its upper end.
    """
    matrix = box if isinstance(box, ExactMatrix) else ExactMatrix(_as_table(box, "a box"), policy)
    if matrix.shape != (inputs, 2) or not matrix.is_rational:
        raise ShapeError(
            f"a box must have a lower and an upper end per input, shape ({inputs}, 2), not {matrix.shape}."
        )
    for i, (low, high) in enumerate(matrix.fractions()):
        if low > high:
            raise ShapeError(f"a box's lower ends must not exceed the upper ones, not {low} > {high} at input {i + 1}.")
    return matrix


def to_exact_input(x: Any, inputs: int, policy: Policy = "exact") -> ExactMatrix:
    """Return an input point as an exact column, checked for its length."""
    values = to_fractions(np.asarray(x).tolist() if isinstance(x, np.ndarray) else x, policy)
    if len(values) != inputs:
        raise ShapeError(f"an input must have {inputs} entries, not {len(values)}.")
    return ExactMatrix.column([to_rational(v) for v in values])


def _has_floats(x: Any) -> bool:
    if not isinstance(x, list | tuple):
        return False
    return any(isinstance(e, float | np.floating) or _has_floats(e) for e in x)


def _as_table(rows: Any, what: str) -> Any:
    if isinstance(rows, np.ndarray | sympy.MatrixBase):
        if len(rows.shape) != 2:
            raise ShapeError(f"{what} must have two axes, not {len(rows.shape)}.")
        if isinstance(rows, np.ndarray) and rows.dtype.kind not in "fiuO":
            raise InexactError(f"numbers are needed, not an array of {rows.dtype}.")
        return rows
    try:
        table = [list(row) if not isinstance(row, str) else None for row in rows]
    except TypeError:
        table = [None]
    if any(row is None for row in table):
        raise ShapeError(f"{what} must be rows of numbers with two axes.")
    return table


def _matrix(rows: Any, policy: Policy) -> ExactMatrix:
    return rows if isinstance(rows, ExactMatrix) else ExactMatrix(_as_table(rows, "a weight matrix"), policy)


def _column(entries: Any, policy: Policy) -> ExactMatrix:
    if isinstance(entries, ExactMatrix):
        return entries
    if isinstance(entries, sympy.MatrixBase):
        entries = list(entries)
    if isinstance(entries, np.ndarray) and (entries.ndim != 1 or entries.dtype.kind not in "fiuO"):
        raise ShapeError(f"a bias must be a vector of numbers, not an array of shape {entries.shape}, {entries.dtype}.")
    if isinstance(entries, str) or not hasattr(entries, "__len__"):
        raise ShapeError(f"a bias must be a vector of numbers, not {entries!r}.")
    return ExactMatrix.column(entries, policy)
