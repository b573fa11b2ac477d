"""PivotChoice: which variables of each layer shall be free, which shall have a pivot first, and by which strategy.

The choice is about columns of W alone; a right side never takes part in it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import index as whole
from typing import Any

import sympy

from symbinv.algebra.elimination import RowReduction, reduce_rows
from symbinv.algebra.named import STRATEGIES
from symbinv.errors import OptionError
from symbinv.exact.matrix import ExactMatrix
from symbinv.network.network import Network
from symbinv.notation import inputs_of_layer, layer_superscript, symbol

Variable = Any  # a symbol, its name, or a whole number
Columns = Mapping[int, Iterable[Variable]] | Iterable[Variable]


@dataclass(frozen=True)
class PivotChoice:
    """What was asked for, by layer from 1.

    Attributes:
        free: Symbols that shall be free.
        order: Symbols that shall have a pivot first.
        strategy: One per layer, first layer first.
    """

    free: Mapping[int, tuple[sympy.Symbol, ...]]
    order: Mapping[int, tuple[sympy.Symbol, ...]]
    strategy: tuple[str, ...]

    @classmethod
    def of(
        cls, network: Network, free: Columns | None, order: Columns | None, strategy: str | Mapping[int, str]
    ) -> "PivotChoice":
        """Return a choice as `invert` takes it, checked against the network.

        Raises:
            OptionError: For layers, variables and strategies that there are not.
        """
        by_layer = {} if isinstance(strategy, str) else dict(strategy)
        _check_layers(by_layer, network.depth, "strategy")
        default = strategy if isinstance(strategy, str) else "paper"
        names = tuple(by_layer.get(layer, default) for layer in range(1, network.depth + 1))
        for name in names:
            if name not in STRATEGIES:
                raise OptionError(f"strategy must be one of {', '.join(STRATEGIES)}, not {name!r}.")
        return cls(_by_layer(network, free, "free"), _by_layer(network, order, "order"), names)

    def reduce(
        self,
        matrix: ExactMatrix,
        layer: int,
        unknowns: Sequence[sympy.Symbol],
        superscript: Sequence[int],
    ) -> RowReduction:
        """Reduce the matrix of one layer as chosen.

        Args:
            matrix: (rows, unknowns).
            layer: From 1.
            unknowns: The symbols of its columns.
            superscript: Of the names that are given.

        Raises:
            OptionError: For variables that cannot be free together, and for those that a pattern holds constant.
        """
        strategy = self.strategy[layer - 1]
        free, order = ([_column(s, layer, unknowns) for s in asked.get(layer, ())] for asked in (self.free, self.order))
        try:
            return reduce_rows(
                matrix, free=free, order=order or None, strategy=strategy, superscript=superscript, names=unknowns
            )
        except OptionError as error:
            raise OptionError(f"layer {layer}: {error}") from error


def _column(variable: sympy.Symbol, layer: int, unknowns: Sequence[sympy.Symbol]) -> int:
    if variable in unknowns:
        return list(unknowns).index(variable)
    raise OptionError(f"layer {layer}: {variable} sits on a constant piece under the pattern and is no unknown.")


def _by_layer(network: Network, asked: Columns | None, what: str) -> dict[int, tuple[sympy.Symbol, ...]]:
    """Return the variables asked for as symbols, by layer."""
    if asked is None:
        return {}
    variables = {layer: _variables(network, layer) for layer in range(1, network.depth + 1)}
    if isinstance(asked, Mapping):
        _check_layers(asked, network.depth, what)
        return {
            layer: tuple(_find(v, {layer: variables[layer]}, what)[1] for v in _listed(asked[layer])) for layer in asked
        }
    found: dict[int, tuple[sympy.Symbol, ...]] = {}
    for v in _listed(asked):
        layer, variable = _find(v, {1: variables[1]} if _is_whole(v) else variables, what)
        found[layer] = (*found.get(layer, ()), variable)
    return found


def _listed(asked: Iterable[Variable]) -> list[Variable]:
    return [asked] if isinstance(asked, str | sympy.Symbol) else list(asked)


def _variables(network: Network, layer: int) -> tuple[sympy.Symbol, ...]:
    """Return the symbols of what enters a layer, and of its shift where it has one."""
    units = inputs_of_layer(layer, network.sizes[layer - 1])
    if network.layers[layer - 1].activation.has_shift:
        return (*units, symbol("c", superscript=layer_superscript(layer, network.depth)))
    return units


def _find(asked: Variable, variables: Mapping[int, Sequence[sympy.Symbol]], what: str) -> tuple[int, sympy.Symbol]:
    """Return the layer and the symbol of a variable given by symbol, name or column."""
    if _is_whole(asked):
        ((layer, columns),) = variables.items()
        place = whole(asked)
        if not 0 <= place < len(columns):
            raise OptionError(
                f"{what} columns of layer {layer} must lie between 0 and {len(columns) - 1}, not {place}."
            )
        return layer, columns[place]
    for layer, columns in variables.items():
        for variable in columns:
            if str(asked) == variable.name:
                return layer, variable
    known = [v for columns in variables.values() for v in columns]
    shown = ", ".join(map(str, known[:8])) + (", ..." if len(known) > 8 else "")
    raise OptionError(f"{what} must name variables of the layers ({shown}), not {str(asked)[:40]!r}.")


def _is_whole(asked: Variable) -> bool:
    try:
        whole(asked)
    except TypeError:
        return False
    return True


def _check_layers(asked: Mapping[int, object], depth: int, what: str) -> None:
    wrong = [layer for layer in asked if layer not in range(1, depth + 1)]
    if wrong:
        raise OptionError(f"{what} must name layers between 1 and {depth}, not {wrong}.")
