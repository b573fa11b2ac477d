"""How the inputs move: exact derivatives of the closed forms, layer by layer.

A layer says W u = r for its unknowns u (pivot variables and free ones). By any quantity s,
W u' = r' - W' u, so the pivot variables' derivatives solve the same system with another right side, and the same
reduction solves it: no formula is differentiated after it has been written out. The derivative by a target, a weight, a
bias, a slope or a free variable is then pushed through the layers, each in terms of the derivatives of the layer above.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import sympy

from symbinv.algebra.closed_form import closed_form
from symbinv.algebra.fiber import AffineFiber, solve_fiber
from symbinv.algebra.named import Definition
from symbinv.errors import OptionError
from symbinv.exact.matrix import ExactMatrix
from symbinv.inverse.invert import Inverse
from symbinv.inverse.layer import LayerInverse
from symbinv.notation import symbol, unused

ZERO, ONE = sympy.Integer(0), sympy.Integer(1)


@dataclass(frozen=True, eq=False)
class LayerDerivative:
    """The derivative of one layer's unknowns by one quantity.

    Attributes:
        step: The layer.
        by: The quantity.
        moved: What the layer's outputs' derivatives are called here: (output, its symbol), for the outputs that move.
        sides: r' - W' u, one expression per row, in the unknowns, the outputs and the moved symbols.
        fiber: The solution of W u' = sides, with the names that pushing the sides gave.
        free: The derivatives of the free variables: 1 for `by` itself, else 0.
    """

    step: LayerInverse
    by: sympy.Symbol
    moved: tuple[tuple[sympy.Symbol, sympy.Symbol], ...]
    sides: tuple[sympy.Expr, ...]
    fiber: AffineFiber
    free: tuple[sympy.Expr, ...]

    @property
    def definitions(self) -> tuple[Definition, ...]:
        """The names of the elimination and of the pushed sides."""
        return (*self.step.reduction.definitions, *self.fiber.definitions)

    @cached_property
    def named(self) -> tuple[sympy.Expr, ...]:
        """The derivative of every unknown, in the names of the elimination."""
        return self.fiber.substitute(self.free)

    @cached_property
    def closed(self) -> tuple[sympy.Expr, ...]:
        """The derivative of every unknown as ratios of determinants.

        Raises:
            BudgetError: Where that is too large; `named` is there at any size.
        """
        return closed_form(self.step.reduction).solve(self.sides, self.free)

    @property
    def conditions(self) -> tuple[sympy.Expr, ...]:
        """What must vanish for the layer to stay consistent while `by` moves."""
        return tuple(c for c in self.fiber.conditions if c != 0)


@dataclass(frozen=True, eq=False)
class InverseDerivative:
    """The derivative of the inputs by one quantity.

    Attributes:
        inverse: What was differentiated.
        by: The quantity.
        layers: One LayerDerivative per layer, last layer first.
    """

    inverse: Inverse
    by: sympy.Symbol
    layers: tuple[LayerDerivative, ...]

    def layer(self, index: int) -> LayerDerivative:
        """Return the derivative of one layer, counted from 1."""
        if not 1 <= index <= len(self.layers):
            raise OptionError(f"layer must lie between 1 and {len(self.layers)}, not {index}.")
        return self.layers[len(self.layers) - index]

    def expand(self) -> tuple[sympy.Expr, ...]:
        """Return the derivatives of the inputs in the target, the free variables and the network's symbols.

        As `Inverse.expand`, it substitutes through all layers; for deep networks keep to the layers.
        """
        values: list[sympy.Expr] = list(self.inverse.target)
        known: dict[sympy.Symbol, sympy.Expr] = {}
        slopes: list[sympy.Expr] = []
        for derivative in self.layers:
            step = derivative.step
            here = {a: v for a, v in zip(step.outputs, values, strict=True) if a.is_Symbol}
            known |= {name: slopes[i] for i, (_, name) in _numbered(derivative)} if slopes else {}
            undone = {z: step.undo(i, values[i]) for z, i in zip(step.right, step.rows, strict=True)}
            named = step.named_values({r: v.xreplace(undone) for r, v in step.side_values.items()})
            unknowns = [e.xreplace(named) for e in step.fiber.substitute(step.free_variables)]
            here |= dict(zip(step.unknowns, unknowns, strict=True)) | known
            for definition in derivative.fiber.definitions:
                named[definition.name] = definition.value.xreplace(named).xreplace(here)
            moved = [e.xreplace(named).xreplace(here) for e in derivative.named]
            values = [step.constants.get(j, ZERO) for j in range(step.weights.columns)]
            slopes = [ZERO] * step.weights.columns
            for j, value, slope in zip(step.columns, unknowns, moved, strict=False):
                values[j], slopes[j] = value, slope
            known = {}
        return tuple(slopes)


def differentiate(inverse: Inverse, by: sympy.Symbol) -> InverseDerivative:
    """Differentiate the inputs by a symbol: of the target, a weight, a bias, a slope, or a free variable.

    Exact? Yes, wherever the provisos hold. The other free variables, and every other symbol, stay fixed.

    Args:
        inverse: From `invert`.
        by: A symbol of the target or of the network, or one of `inverse.free_variables`.

    Raises:
        OptionError: For a symbol that the inverse does not depend on.

    Example:
        >>> from symbinv.inverse.invert import invert
        >>> from symbinv.network.network import Network
        >>> x_2 = sympy.Symbol("x_2")
        >>> inverse = invert(Network.from_arrays([[[2, 1]]], [[0]], ["tanh"]))
        >>> differentiate(inverse, x_2).expand(), differentiate(inverse, sympy.Symbol("y_1")).expand()
        ((-1/2, 1), (1/(2*(1 - y_1**2)), 0))
    """
    if by not in _symbols(inverse):
        raise OptionError(f"by must be a symbol of the target, the network or a free variable, not {by}.")
    layers: list[LayerDerivative] = []
    slopes: tuple[sympy.Expr, ...] = tuple(sympy.diff(v, by) for v in inverse.target)
    for step in inverse.steps:
        derivative = _differentiate_layer(step, by, slopes, inverse.network.depth)
        layers.append(derivative)
        whole = [ZERO] * step.weights.columns
        for j, slope in zip(step.columns, derivative.named, strict=False):
            whole[j] = slope
        slopes = tuple(whole)
    return InverseDerivative(inverse, by, tuple(layers))


def _differentiate_layer(
    step: LayerInverse, by: sympy.Symbol, slopes: Sequence[sympy.Expr], depth: int
) -> LayerDerivative:
    """Differentiate one layer, given the derivatives of its outputs (zero or not is all that is taken from them)."""
    moved: list[tuple[sympy.Symbol, sympy.Symbol]] = []
    rates: list[sympy.Expr] = list(slopes)
    letter = unused(("da", "dv", "du"), step.weights.free_symbols() | step.bias.free_symbols(), str(step.index))
    if step.index < depth:  # the outputs are symbols of their own, and so are their derivatives
        for i, slope in enumerate(slopes):
            if slope != 0:
                name = symbol(letter, i + 1, superscript=(step.index,))
                moved.append((step.outputs[i], name))
                rates[i] = name
    weights, bias = step.reduction.matrix, step.moved_bias
    sides = []
    for row, i in enumerate(step.rows):
        output = sympy.Dummy("a")
        undone = step.undo(i, output)
        rate = sympy.diff(undone, output) * rates[i] + sympy.diff(undone, by)
        total = rate.xreplace({output: step.outputs[i]}) - sympy.diff(bias[row, 0], by)
        for j, unknown in enumerate(step.unknowns):
            total -= sympy.diff(weights[row, j], by) * unknown
        sides.append(total)
    free = tuple(ONE if step.unknowns[j] == by else ZERO for j in step.reduction.free)
    if not sides:
        fiber = solve_fiber(step.reduction, ExactMatrix.zeros(0, 1))
    else:
        fiber = solve_fiber(step.reduction, ExactMatrix.column(sides), step.superscript)
    return LayerDerivative(step, by, tuple(moved), tuple(sides), fiber, free)


def _numbered(derivative: LayerDerivative) -> list[tuple[int, tuple[sympy.Symbol, sympy.Symbol]]]:
    places = {output: i for i, output in enumerate(derivative.step.outputs)}
    return [(places[output], (output, name)) for output, name in derivative.moved]


def _symbols(inverse: Inverse) -> set[sympy.Symbol]:
    found: set[sympy.Symbol] = set(inverse.free_variables)
    for value in inverse.target:
        found |= value.free_symbols
    for layer in inverse.network.layers:
        found |= layer.weights.free_symbols() | layer.bias.free_symbols()
        found |= {v for v in layer.activation.parameters.values() if isinstance(v, sympy.Symbol)}
    return found
