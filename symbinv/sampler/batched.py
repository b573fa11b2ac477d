"""compile_batched: one derivation with symbols, run in NumPy for many networks at once.

The derivation of a network with symbols holds wherever its provisos do: pivots that do not vanish, and conditions that
are met. Run for numbers, the provisos are checked for each network: where a pivot vanishes or is small the rows are
put in another order and the system is solved again (`sampler/program.py`), and `status` says so; where the pivot
block itself is singular the chosen free variables do not determine the others, and the point is NaN. For exact
numbers, `Inverse.substitute` does the same exactly.
"""

import math
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from symbinv.cores import available_cores
from symbinv.errors import NotSupportedError, OptionError, ShapeError
from symbinv.exact.matrix import ExactMatrix
from symbinv.inverse.invert import Inverse
from symbinv.inverse.layer import LayerInverse, piece_interval
from symbinv.sampler.compile import inside
from symbinv.sampler.program import (
    AS_DERIVED,
    BROKEN_CONDITION,
    OTHER_ORDER,
    OUTSIDE,
    SINGULAR,
    Program,
    Workspace,
    to_feature_major,
)

__all__ = [
    "AS_DERIVED",
    "BROKEN_CONDITION",
    "MEANINGS",
    "OTHER_ORDER",
    "OUTSIDE",
    "SINGULAR",
    "BatchedInverse",
    "BatchedPoints",
    "compile_batched",
]

Array = NDArray[np.float64]
BLOCK_ENTRIES = 1 << 18  # matrix entries in a block: few calls a network, and copies that stay near the core

MEANINGS = (
    "as derived",
    "in another pivot order, since a pivot vanished or was small",
    "not determined: the pivot block is singular",
    "without a solution: a consistency condition is broken",
    "left the image of an activation",
)


@dataclass(frozen=True, eq=False)
class BatchedPoints:
    """Inputs of many networks.

    Attributes:
        points: (..., n0); NaN where there is none.
        status: (...), an index of MEANINGS.
    """

    points: Array
    status: NDArray[np.int8]

    @property
    def report(self) -> str:
        """How many networks went which way, one line each."""
        counts = np.bincount(self.status.ravel(), minlength=len(MEANINGS))
        return "\n".join(f"{count} {text}" for count, text in zip(counts, MEANINGS, strict=True) if count)


@dataclass(frozen=True, eq=False)
class LayerProgram:
    """What runs for one layer: the elimination, and the activation undone.

    Attributes:
        step: What was compiled.
        program: Its elimination.
        parameters: Symbols of the activation's parameters.
        undo: With parameters that are symbols: a function of the outputs and of them; else None.
    """

    step: LayerInverse
    program: Program
    parameters: tuple[sympy.Symbol, ...]
    undo: Callable[..., Any] | None

    def right_sides(self, outputs: Array, slopes: Mapping[sympy.Symbol, Array]) -> Array:
        """Return the right sides from this layer's activations, feature-major."""
        if self.undo is None:
            return self.step.undo_numerically(outputs)
        known = [slopes[s] for s in self.parameters]
        return np.asarray(self.undo(outputs[list(self.step.rows)], *known))


@dataclass(frozen=True, eq=False)
class BatchedInverse:
    """An inverse with symbols, ready for numbers of many networks at once.

    Attributes:
        inverse: What was compiled.
        programs: One a layer, last layer first.
    """

    inverse: Inverse
    programs: tuple[LayerProgram, ...]

    def __repr__(self) -> str:
        return f"BatchedInverse({self.inverse!r})"

    def at(self, values: Mapping[Any, Any], free: Any, target: Any = None) -> BatchedPoints:
        """Return the inputs for numbers of the symbols, whatever stands where: weights, biases, slopes, target.

        Args:
            values: A number or an array (...) for each symbol of the network and the target, or for its name.
            free: (..., d) values in the order of `inverse.free_variables`. All leading axes broadcast.
            target: (..., m) outputs; the inverse's own target where left out.

        Raises:
            OptionError: Where a symbol has no number.
            ShapeError: Where arrays do not broadcast.

        Example:
            >>> from symbinv.inverse.invert import invert
            >>> from symbinv.network.network import Network
            >>> w = sympy.Symbol("w")
            >>> network = Network.from_arrays([[[w, 1], [1, w]]], [[0, 0]], ["identity"])
            >>> batched = compile_batched(invert(network, [1, 2]))
            >>> found = batched.at({w: [3, 0, 1]}, free=[])
            >>> found.points.round(6).tolist()
            [[0.125, 0.625], [2.0, 1.0], [nan, nan]]
            >>> print(found.report)
            1 as derived
            1 in another pivot order, since a pivot vanished or was small
            1 not determined: the pivot block is singular
        """
        by_name = {str(s): np.asarray(v, dtype=np.float64) for s, v in values.items()}
        network, (weights, biases, outputs, slopes) = self.inverse.network, self._entries
        needed = {s for _, symbols in (*weights, *biases, *slopes) for s in symbols}
        needed |= set() if target is not None else set(outputs[1])
        missing = sorted(str(s) for s in needed if str(s) not in by_name)
        if missing:
            raise OptionError(f"values must have a number for every symbol; {', '.join(missing[:8])} is missing.")

        def filled(part: tuple[Callable[..., Any], tuple[sympy.Symbol, ...]], *shape: int) -> Array:
            """Return entries as an array (..., *shape)."""
            function, symbols = part
            entries = [np.asarray(e, dtype=np.float64) for e in function(*(by_name[str(s)] for s in symbols))]
            try:
                stacked = np.stack(np.broadcast_arrays(*entries), axis=-1)
            except ValueError as error:
                raise ShapeError("the arrays of values must broadcast.") from error
            return stacked.reshape(*stacked.shape[:-1], *shape)

        sizes = network.sizes
        w = [filled(part, m, n) for part, m, n in zip(weights, sizes[1:], sizes, strict=False)]
        b = [filled(part, m) for part, m in zip(biases, sizes[1:], strict=True)]
        y = filled(outputs, sizes[-1]) if target is None else target
        return self._run(w, b, y, free, {s: by_name[str(s)] for _, symbols in slopes for s in symbols})

    @cached_property
    def _entries(self) -> tuple[Any, Any, Any, Any]:
        """The entries of weights, biases, the target and the slopes as functions of their symbols."""
        layers = self.inverse.network.layers
        return (
            [_lambdified(layer.weights) for layer in layers],
            [_lambdified(layer.bias) for layer in layers],
            _lambdified(ExactMatrix.column(self.inverse.target)),
            [(None, p.parameters) for p in self.programs],
        )

    def backward(self, weights: Any, biases: Any, target: Any, free: Any) -> BatchedPoints:
        """Return the inputs of many networks that give a target, for values of the free variables.

        Args:
            weights: One array (..., m, n) per layer, first layer first; for one layer the array itself.
            biases: One array (..., m) per layer; for one layer the array itself.
            target: (..., m) outputs.
            free: (..., d) values in the order of `inverse.free_variables`. All leading axes broadcast.

        Raises:
            ShapeError: Where arrays do not have the network's sizes, or do not broadcast.
            OptionError: Where an activation's parameter is a symbol; `at` takes numbers for it.
        """
        if any(p.parameters for p in self.programs):
            raise OptionError("an activation's parameter is a symbol; give numbers for all symbols with `at`.")
        depth = self.inverse.network.depth
        w, b = _per_layer(weights, depth, "weights", 2), _per_layer(biases, depth, "biases", 1)
        return self._run(w, b, target, free, {})

    def _run(
        self, w: list[Array], b: list[Array], target: Any, free: Any, slopes: dict[sympy.Symbol, Array]
    ) -> BatchedPoints:
        sizes = self.inverse.network.sizes
        y, t = np.asarray(target, dtype=np.float64), np.asarray(free, dtype=np.float64)
        for index, (wi, bi) in enumerate(zip(w, b, strict=True), start=1):
            _check(wi.shape[-2:], (sizes[index], sizes[index - 1]), f"the weights of layer {index}")
            _check(bi.shape[-1:], (sizes[index],), f"the biases of layer {index}")
        _check(y.shape[-1:], (sizes[-1],), "target")
        _check(t.shape[-1:], (len(self.inverse.free_variables),), "free")
        leads = [*(v.shape[:-2] for v in w), *(v.shape[:-1] for v in (*b, y, t)), *(v.shape for v in slopes.values())]
        try:
            lead = np.broadcast_shapes(*leads)
        except ValueError as error:
            raise ShapeError("the leading axes of weights, biases, target and free must broadcast.") from error
        count = math.prod(lead)
        flat_w = [_flat(v, lead, 2) for v in w]
        flat_b, flat_y, flat_t = [_flat(v, lead, 1) for v in b], _flat(y, lead, 1), _flat(t, lead, 1)
        flat_slopes = {s: _flat(v, lead, 0) for s, v in slopes.items()}
        points, status = np.empty((count, sizes[0])), np.zeros(count, dtype=np.int8)
        largest = max(m * (n + 2) for m, n in zip(sizes[1:], sizes, strict=False))
        block = min(max(64, BLOCK_ENTRIES // largest), max(count, 1))

        spaces = threading.local()

        def work(begin: int) -> None:
            """Take one block from the target to the inputs."""
            if not hasattr(spaces, "own"):
                spaces.own = Workspace(4 * largest * block)
            cut = slice(begin, min(begin + block, count))
            block_w, block_b = [_cut(v, cut) for v in flat_w], [_cut(v, cut) for v in flat_b]
            given = {s: _cut(v, cut) for s, v in flat_slopes.items()}
            with np.errstate(all="ignore"):
                found = self._block(
                    block_w, block_b, _cut(flat_y, cut), _cut(flat_t, cut), given, status[cut], spaces.own
                )
            points[cut] = found.T

        begins = range(0, count, block)
        workers = min(available_cores(), len(begins))
        if workers > 1:
            with ThreadPoolExecutor(workers) as pool:
                list(pool.map(work, begins))
        else:
            for begin in begins:
                work(begin)
        points[status >= SINGULAR] = np.nan
        return BatchedPoints(points.reshape(*lead, sizes[0]), status.reshape(lead))

    def _block(
        self,
        weights: list[Array],
        biases: list[Array],
        target: Array,
        free: Array,
        slopes: dict[sympy.Symbol, Array],
        status: NDArray[np.int8],
        space: Workspace,
    ) -> Array:
        """Take one block, networks first, from the target to the inputs; feature-major inside."""
        outputs, moved_free, used = np.ascontiguousarray(target.T), np.ascontiguousarray(free.T), 0
        for layer_program in self.programs:
            step = layer_program.step
            space.clear()
            whole, bias = to_feature_major(weights[step.index - 1], space), biases[step.index - 1].T
            matrix, sides = whole, layer_program.right_sides(outputs, slopes)
            if step.pieces is None:
                sides = sides - bias
            else:
                rows, fixed = list(step.rows), sorted(step.constants)
                matrix, sides = whole[rows][:, list(step.columns)], sides - bias[rows]
                if fixed:
                    constants = np.array([float(step.constants[j]) for j in fixed])
                    sides = sides - np.einsum("ijk,j->ik", whole[rows][:, fixed], constants)
            if step.shift is not None:
                matrix = np.concatenate([matrix, np.full((matrix.shape[0], 1, matrix.shape[2]), -1.0)], axis=1)
            if step.pieces is None:  # outside its image an inverse is NaN or infinite
                status[np.broadcast_to(~np.isfinite(sides.sum(axis=0)), status.shape) & (status < SINGULAR)] = OUTSIDE
            d = len(step.reduction.free)
            unknowns = layer_program.program.solve(matrix, sides, moved_free[used : used + d], status, space)
            used += d
            outputs = unknowns[: len(step.columns)]
            good = np.ones(1, dtype=bool)
            if step.index > 1:
                good = np.all([inside(v, i) for v, i in zip(outputs, step.images, strict=False)], axis=0)
            if step.constants:
                everything = np.empty((step.weights.columns, outputs.shape[1]))
                everything[list(step.columns)] = outputs
                for j, value in step.constants.items():
                    everything[j] = float(value)
                outputs = everything
            for i, piece in enumerate(step.pieces or ()):
                if piece.is_constant:
                    good = good & inside(np.einsum("jk,jk->k", whole[i], outputs) + bias[i], piece_interval(piece))
            status[np.broadcast_to(~good, status.shape) & (status < SINGULAR)] = OUTSIDE
        return np.broadcast_to(outputs, (outputs.shape[0], len(status)))


def compile_batched(inverse: Inverse) -> BatchedInverse:
    """Compile a derivation with symbols to NumPy functions of their numbers.

    Requires: symbols somewhere in the network or the target; a pattern where activations are not one-to-one.
    Exact? No; every point is refined to rounding level or marked. Provisos: checked for every network; see `status`.
    Cost: one pass of array operations per definition; blocks run in threads, on all cores.

    Raises:
        NotSupportedError: For a network and a target of numbers.

    Example:
        >>> from symbinv.inverse.invert import invert
        >>> from symbinv.network.network import Network
        >>> batched = compile_batched(invert(Network.generic([3, 2], ["sigmoid"])))
        >>> W = np.random.default_rng(0).standard_normal((1000, 2, 3))
        >>> found = batched.backward(W, np.zeros(2), [0.8, 0.2], np.zeros((1000, 1)))
        >>> z = np.einsum("kij,kj->ki", W, found.points)
        >>> bool(np.abs(1 / (1 + np.exp(-z)) - [0.8, 0.2]).max() < 1e-10)
        True
    """
    if inverse.network.is_rational and all(v.is_number for v in inverse.target):
        raise NotSupportedError(
            "a network or a target with symbols is needed to be compiled for many numbers, as Network.generic makes "
            "it; for one network of numbers use compile_sampler."
        )
    return BatchedInverse(inverse, tuple(_compile(step) for step in inverse.steps))


def _compile(step: LayerInverse) -> LayerProgram:
    program = Program.of(step.reduction)
    parameters = tuple(v for v in step.activation.parameters.values() if isinstance(v, sympy.Symbol))
    if not parameters:
        return LayerProgram(step, program, (), None)
    a = sympy.Dummy("a", real=True)
    undo = sympy.lambdify([a, *parameters], step.inverse_of(0).symbolic(a), "numpy", dummify=True)
    return LayerProgram(step, program, parameters, undo)


def _lambdified(entries: ExactMatrix) -> tuple[Callable[..., Any], tuple[sympy.Symbol, ...]]:
    """Return the entries, row by row, as one function of the symbols in them."""
    flat = [e for row in entries.to_sympy().tolist() for e in row]
    symbols = tuple(sorted({s for e in flat for s in e.free_symbols}, key=str))
    rounded = [e.evalf(17) if e.is_number else e for e in flat]
    return sympy.lambdify(symbols, rounded, "numpy", dummify=True), symbols


def _per_layer(arrays: Any, depth: int, what: str, axes: int) -> list[Array]:
    one = depth == 1 and not (isinstance(arrays, list | tuple) and len(arrays) == 1 and np.ndim(arrays[0]) >= axes)
    parts = [arrays] if one else list(arrays)
    if len(parts) != depth:
        raise ShapeError(f"{what} must have one array per layer ({depth}), not {len(parts)}.")
    result = [np.asarray(v, dtype=np.float64) for v in parts]
    if any(v.ndim < axes for v in result):
        raise ShapeError(f"{what} must have at least {axes} axes a layer.")
    return result


def _check(shape: tuple[int, ...], expected: tuple[int, ...], what: str) -> None:
    if shape != expected:
        raise ShapeError(f"{what} must end in shape {expected}, not {shape}.")


def _flat(values: Array, lead: tuple[int, ...], axes: int) -> Array:
    """Return an array with its leading axes made one; of length 1 where it is the same for all."""
    own, rest = values.shape[: values.ndim - axes], values.shape[values.ndim - axes :]
    if all(size == 1 for size in own):
        return values.reshape(1, *rest)
    return np.broadcast_to(values, (*lead, *rest)).reshape(math.prod(lead), *rest)


def _cut(values: Array, block: slice) -> Array:
    return values if len(values) == 1 else values[block]
