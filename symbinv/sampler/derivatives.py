"""compile_derivatives: how the inputs move, in NumPy, at many points of a preimage at once.

The derivative of each layer is the layer's own matrix P = [T | -R_free | constant] applied to the derivative of its
right side, so no difference quotient is taken; exact numbers were rounded once, when the sampler was compiled.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from symbinv.errors import NotSupportedError, OptionError, ShapeError
from symbinv.network.activation import activation
from symbinv.sampler.compile import Sampler

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Derivatives:
    """Derivatives of the inputs at points x of the preimage, (k, n0), the free variables held unless moved.

    Attributes:
        sampler: What is differentiated.
    """

    sampler: Sampler

    def by_target(self, x: Any) -> Array:
        """Return dx/dy, (k, n0, m); for softmax, y moves as if unconstrained, u = log y."""
        states = self._states(x)
        m = self.sampler.network.sizes[-1]
        rates = np.broadcast_to(np.eye(m), (len(states[0]), m, m))
        return self._pull(states, rates, len(self.sampler.kernels))

    def by_free(self, x: Any) -> Array:
        """Return dx/dt, (k, n0, d), columns in the order of `inverse.free_variables`."""
        states = self._states(x)
        k, d = len(states[0]), len(self.sampler.inverse.free_variables)
        rates = np.zeros((k, self.sampler.network.sizes[-1], d))
        return self._pull(states, rates, len(self.sampler.kernels), moves_free=True)

    def by_weight(self, x: Any, layer: int, row: int, column: int) -> Array:
        """Return dx/dw for one weight, (k, n0); layer from 1, row and column from 0."""
        states = self._states(x)
        weights = self._layer(layer).weights
        if not (0 <= row < weights.rows and 0 <= column < weights.columns):
            raise OptionError(f"row and column must lie in a {weights.rows} x {weights.columns} matrix.")
        return self._pull_side(states, layer, row, -states[layer - 1][:, column])

    def by_bias(self, x: Any, layer: int, row: int) -> Array:
        """Return dx/db for one bias, (k, n0); layer from 1, row from 0."""
        states = self._states(x)
        if not 0 <= row < self._layer(layer).weights.rows:
            raise OptionError(f"row must lie between 0 and {self._layer(layer).weights.rows - 1}, not {row}.")
        return self._pull_side(states, layer, row, -np.ones(len(states[0])))

    def by_parameter(self, x: Any, layer: int, name: str) -> Array:
        """Return dx/dp for a parameter of an activation such as alpha, (k, n0); layer from 1."""
        states = self._states(x)
        f = self._layer(layer).activation
        if name not in f.parameters:
            raise OptionError(
                f"name must be a parameter of {f.label} ({', '.join(f.parameters) or 'none'}), not {name!r}."
            )
        kernel = self.sampler.kernels[len(self.sampler.kernels) - layer]
        step, a, p = kernel.step, sympy.Symbol("a", real=True), sympy.Symbol("p", positive=True)
        others = {k: sympy.Rational(v.numerator, v.denominator) for k, v in f.parameters.items()}
        parts = ", ".join(f"{k}={'p' if k == name else v}" for k, v in others.items())
        inverse = activation(f"{f.name}({parts})").inverse
        if inverse is None:
            raise NotSupportedError(
                f"layer {layer}: {f.name} is not one-to-one; derivatives by {name} need an inverse."
            )
        rate = sympy.diff(inverse.symbolic(a).xreplace({sympy.Symbol("p"): p}), p)
        function = sympy.lambdify([a, p], rate, "numpy")
        with np.errstate(all="ignore"):
            sides = function(states[layer][:, list(step.rows)], float(f.parameters[name]))
        sides = np.broadcast_to(np.asarray(sides, dtype=np.float64), (len(states[0]), len(step.rows)))[:, :, None]
        unknowns = kernel.matrix[:, : len(step.rows)] @ sides
        return self._pull(states, self._whole(kernel, unknowns), layer - 1)[:, :, 0]

    def _layer(self, layer: int) -> Any:
        if not 1 <= layer <= self.sampler.network.depth:
            raise OptionError(f"layer must lie between 1 and {self.sampler.network.depth}, not {layer}.")
        return self.sampler.network.layers[layer - 1]

    def _states(self, x: Any) -> list[Array]:
        """Return the inputs and the outputs of every layer at the points."""
        a = np.atleast_2d(np.asarray(x, dtype=np.float64))
        if a.ndim != 2 or a.shape[1] != self.sampler.network.sizes[0]:
            raise ShapeError(f"x must have shape (k, {self.sampler.network.sizes[0]}), not {a.shape}.")
        states = [a]
        for layer in self.sampler.network.layers:
            a = np.asarray(layer.activation.numeric(a @ layer.float_weights.T + layer.float_bias))
            states.append(a)
        return states

    def _pull_side(self, states: list[Array], layer: int, row: int, rate: Array) -> Array:
        """Pull a moving right side of one layer down to the inputs."""
        kernel = self.sampler.kernels[len(self.sampler.kernels) - layer]
        step = kernel.step
        sides = np.zeros((len(rate), len(step.rows), 1))
        if row in step.rows:
            sides[:, step.rows.index(row), 0] = rate
        unknowns = kernel.matrix[:, : len(step.rows)] @ sides
        return self._pull(states, self._whole(kernel, unknowns), layer - 1)[:, :, 0]

    def _pull(self, states: list[Array], rates: Array, top: int, moves_free: bool = False) -> Array:
        """Pull derivatives of the outputs of layer `top`, (k, m, s), down to the inputs, (k, n0, s)."""
        used = 0
        for kernel in self.sampler.kernels[len(self.sampler.kernels) - top :]:
            step = kernel.step
            rows, d = list(step.rows), len(step.reduction.free)
            sides = rates[:, rows] * self._undo_rates(kernel, states)[:, :, None]
            unknowns = kernel.matrix[:, : len(rows)] @ sides
            if moves_free and d:
                unknowns[:, :, used : used + d] += kernel.matrix[:, len(rows) : len(rows) + d]
            used += d
            rates = self._whole(kernel, unknowns)
        return rates

    def _whole(self, kernel: Any, unknowns: Array) -> Array:
        step = kernel.step
        whole = np.zeros((unknowns.shape[0], step.weights.columns, unknowns.shape[2]))
        whole[:, list(step.columns)] = unknowns[:, : len(step.columns)]
        return whole

    def _undo_rates(self, kernel: Any, states: list[Array]) -> Array:
        """Return d(right side)/d(output) of a layer at the points, (k, rows)."""
        step = kernel.step
        rows = list(step.rows)
        if step.pieces is not None:
            return np.array([[1 / float(step.pieces[i].slope) for i in rows]])
        layer = self.sampler.network.layers[step.index - 1]
        a = states[step.index]
        if layer.activation.has_shift and layer.activation.inverse is not None:
            output = sympy.Symbol("a")
            rate = sympy.diff(layer.activation.inverse.symbolic(output), output)
            return np.asarray(sympy.lambdify([output], rate, "numpy")(a[:, rows]) + np.zeros((1, len(rows))))
        z = states[step.index - 1] @ layer.float_weights.T + layer.float_bias
        return np.asarray(1 / layer.activation.derivative(z, a)[:, rows])


def compile_derivatives(sampler: Sampler) -> Derivatives:
    """Compile the derivatives of an inverse's closed forms.

    Raises:
        NotSupportedError: For layers whose consistency conditions tie their outputs together (rank below m).

    Example:
        >>> from symbinv.inverse.invert import invert
        >>> from symbinv.network.network import Network
        >>> from symbinv.sampler.compile import compile_sampler
        >>> sampler = compile_sampler(invert(Network.from_arrays([[[2, 1]]], [[0]], ["identity"]), [3]))
        >>> derivatives = compile_derivatives(sampler)
        >>> derivatives.by_free([[1.0, 1.0]]).tolist(), derivatives.by_target([[1.0, 1.0]]).tolist()
        ([[[-0.5], [1.0]]], [[[0.5], [0.0]]])
    """
    for kernel in sampler.kernels:
        if len(kernel.conditions):
            raise NotSupportedError(
                f"layer {kernel.step.index} has a consistency condition, so its outputs cannot move one by one; "
                "derivatives of such layers are not supported yet."
            )
    return Derivatives(sampler)
