"""substitute: exact numbers for the symbols of an inverse, its provisos checked on the way.

Where every proviso holds the derivation keeps its pivots and its free variables, in numbers. Where a pivot vanishes,
the derivation is done again: with the rows in another order where the same columns can still have the pivots, with
other free variables where their block is singular. The notes of the result say which, layer by layer.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import sympy

from symbinv.errors import OptionError
from symbinv.exact.matrix import ExactMatrix
from symbinv.exact.policy import Policy, to_fraction, to_rational
from symbinv.inverse.invert import Inverse, invert
from symbinv.inverse.layer import LayerInverse
from symbinv.network.activation import activation
from symbinv.network.network import Layer, Network

Values = dict[sympy.Symbol, sympy.Expr]


def substitute(inverse: Inverse, values: Mapping[Any, Any], policy: Policy = "exact") -> Inverse:
    """Put numbers for symbols of an inverse, exactly, and check its provisos for them.

    Args:
        inverse: With symbols in the network or the target.
        values: A number for each symbol, or for its name; symbols that are left out stay symbols.
        policy: What a float stands for.

    Returns:
        The inverse for these numbers; `notes` say where a proviso fails and what was done.

    Raises:
        OptionError: For symbols that do not occur.

    Example:
        >>> network = Network.generic([2, 1], ["tanh"])
        >>> inverse = invert(network)
        >>> at_zero = substitute(inverse, {"w_{11}": 0, "w_{12}": 3})
        >>> inverse.free_variables, at_zero.free_variables, at_zero.notes[0]
        ((x_2,), (x_1,), 'Layer 1: w_{11} vanishes; the free variables are now x_1, not x_2.')
    """
    known = _known(inverse, values, policy)
    network = _network(inverse.network, known)
    target = tuple(v.xreplace(known) for v in inverse.target)
    order = {step.index: step.pivot_variables for step in inverse.steps if step.pivot_variables}
    found = invert(network, target, order=order, box=inverse.box, pattern=inverse.pattern, policy=policy)
    notes = [
        note
        for before, after in zip(inverse.steps, found.steps, strict=True)
        if (note := _what_failed(before, after, known))
    ]
    return replace(found, notes=(*notes, *found.notes))


def _known(inverse: Inverse, values: Mapping[Any, Any], policy: Policy) -> Values:
    symbols = {s for v in inverse.target for s in v.free_symbols}
    for layer in inverse.network.layers:
        symbols |= layer.weights.free_symbols() | layer.bias.free_symbols()
        symbols |= {v for v in layer.activation.parameters.values() if isinstance(v, sympy.Symbol)}
    by_name = {s.name: s for s in symbols}
    wrong = [str(s) for s in values if str(s) not in by_name]
    if wrong:
        raise OptionError(f"values must name symbols of the network or the target, not {', '.join(wrong[:8])}.")
    return {by_name[str(s)]: to_rational(to_fraction(v, policy)) for s, v in values.items()}


def _network(network: Network, known: Values) -> Network:
    layers = []
    for layer in network.layers:
        f = layer.activation
        if not f.is_rational:
            parts = ", ".join(f"{k}={known.get(v, v)}" for k, v in f.parameters.items())
            f = activation(f"{f.name}({parts})")
        layers.append(Layer(_matrix(layer.weights, known), _matrix(layer.bias, known), f))
    return replace(network, layers=tuple(layers))


def _matrix(matrix: ExactMatrix, known: Values) -> ExactMatrix:
    return matrix if matrix.is_rational else ExactMatrix(matrix.to_sympy().xreplace(known))


def _what_failed(before: LayerInverse, after: LayerInverse, known: Values) -> str:
    """Return a sentence where a pivot of a layer vanishes for the numbers, else ""."""
    named: Values = dict(known)
    failed = []
    definitions = {d.name: d for d in before.reduction.definitions}
    for pivot in before.reduction.assumptions:
        for name, definition in definitions.items():
            if name not in named:
                named[name] = sympy.cancel(definition.value.xreplace(named))
                if named[name].has(sympy.zoo, sympy.nan):
                    named[name] = sympy.nan
            if name == pivot:
                break
        value = sympy.cancel(pivot.xreplace(named))
        if value == 0:
            failed.append(str(pivot))
            break  # what comes after divides by it
    if not failed:
        return ""
    if after.reduction.pivots == before.reduction.pivots:
        return f"Layer {before.index}: {failed[0]} vanishes; the rows were taken in another order."
    free = [", ".join(map(str, step.free_variables)) or "none" for step in (after, before)]
    return f"Layer {before.index}: {failed[0]} vanishes; the free variables are now {free[0]}, not {free[1]}."
