"""The float side of a constraint, feature-major, as a function of the inputs that move.

The walk evaluates c and its Jacobian some ten times a step for thousands of chains at once. Arrays hold one
chain a column, (features, k), so that every layer is one matrix product and every reduction runs along memory.
Inputs that a box holds fixed are folded into the first bias.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from symbinv.network.activation import Activation
from symbinv.network.constraint import Constraint

Array = NDArray[np.float64]


class FiberMap(Protocol):
    """What a walk needs to know of a manifold {c = 0}: the map c and its Jacobian, feature-major."""

    @property
    def inputs(self) -> int:
        """The number n of coordinates."""

    @property
    def rows(self) -> int:
        """The number q of constraints."""

    def value(self, x: Array) -> Array:
        """Return c: (n, k) -> (q, k)."""

    def linearize(self, x: Array) -> tuple[Array, Array]:
        """Return c and its Jacobian: (n, k) -> (q, k), (q, n, k)."""


@dataclass(frozen=True, eq=False)
class NetworkFiber:
    """c(x) = C a(x) - d in doubles.

    Attributes:
        weights: One (m, n) array a layer; the first has the columns of the moving inputs only.
        biases: One (m, 1) array a layer.
        activations: One a layer.
        matrix: C, (q, n).
        offset: d, (q, 1).
        inputs: The number of moving inputs.
    """

    weights: tuple[Array, ...]
    biases: tuple[Array, ...]
    activations: tuple[Activation, ...]
    matrix: Array
    offset: Array
    inputs: int

    @property
    def rows(self) -> int:
        """The number q of constraints."""
        return len(self.matrix)

    def value(self, x: Array) -> Array:
        """Return c: (n, k) -> (q, k)."""
        a = x
        for weights, bias, f in zip(self.weights, self.biases, self.activations, strict=True):
            z = weights @ a
            z += bias
            a = f.numeric(z)
        c: Array = self.matrix @ a
        c -= self.offset
        return c

    def linearize(self, x: Array) -> tuple[Array, Array]:
        """Return c and its Jacobian: (n, k) -> (q, k), (q, n, k)."""
        c, slopes = self._value_and_slopes(x)
        if not slopes:
            return c, np.repeat(self.matrix[:, :, None], x.shape[1], axis=2)
        jacobian = self.matrix[:, :, None] * slopes[-1]
        for weights, slope in zip(self.weights[:0:-1], slopes[-2::-1], strict=True):
            jacobian = np.matmul(weights.T, jacobian)
            jacobian *= slope
        return c, np.matmul(self.weights[0].T, jacobian)

    def pull_back(self, x: Array) -> tuple[Array, Array]:
        """Return c and J^T c, the gradient of |c|^2 / 2: (n, k) -> (q, k), (n, k)."""
        c, slopes = self._value_and_slopes(x)
        g: Array = self.matrix.T @ c
        for weights, slope in zip(reversed(self.weights), reversed(slopes), strict=True):
            g = weights.T @ (g * slope)
        return c, g

    def _value_and_slopes(self, x: Array) -> tuple[Array, list[Array]]:
        """Return c and da/dz of every layer."""
        a, slopes = x, []
        for weights, bias, f in zip(self.weights, self.biases, self.activations, strict=True):
            z = weights @ a
            z += bias
            a = f.numeric(z)
            slopes.append(f.derivative(z, a))
        c: Array = self.matrix @ a
        c -= self.offset
        return c, slopes


def network_fiber(constraint: Constraint, moving: Sequence[int], fixed: Array) -> NetworkFiber:
    """Return the float side of a constraint on the moving inputs, the others held at `fixed`, (n0,)."""
    chosen = list(moving)
    still = [j for j in range(constraint.inputs) if j not in set(chosen)]
    weights = [layer.float_weights for layer in constraint.layers]
    biases = [layer.float_bias[:, None] for layer in constraint.layers]
    matrix, offset = constraint.float_matrix, constraint.float_offset[:, None]
    if still and weights:
        biases[0] = biases[0] + weights[0][:, still] @ fixed[still, None]
    elif still:
        offset = offset - matrix[:, still] @ fixed[still, None]
    if weights:
        weights[0] = np.ascontiguousarray(weights[0][:, chosen])
    else:
        matrix = np.ascontiguousarray(matrix[:, chosen])
    return NetworkFiber(
        tuple(weights),
        tuple(biases),
        tuple(layer.activation for layer in constraint.layers),
        matrix,
        offset,
        len(chosen),
    )
