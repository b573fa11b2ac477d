"""compile_sampler: an Inverse to NumPy functions, one pair of kernels a layer.

Each layer's closed form is one matrix expression, X = P S with P = [T | -R_free | constant] and S the stacked
pre-activations, free variables and ones; `sympy.lambdify` prints it. Exact numbers are rounded here, once.
Layers stay apart: composed through its layers, the same inverse runs several times slower and its source
doubles at every logit (benchmarks/backward.py). Arrays are feature-major inside, in blocks that fit the cache.

`backward` runs the kernels without looking at the values between: outside its image the inverse of an activation
gives NaN or an infinity, which every later product spreads, so one look at the inputs finds the blocks in which a
value left. `trace` goes step by step and says where.
"""

import inspect
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from symbinv.errors import InexactError, NotSupportedError, ShapeError
from symbinv.exact.interval import Interval
from symbinv.exact.policy import to_fraction
from symbinv.inverse.invert import Inverse
from symbinv.inverse.layer import LayerInverse
from symbinv.inverse.target import to_target
from symbinv.inverse.verdict import Empty
from symbinv.network.network import Network

Array = NDArray[np.float64]
BLOCK = 4096


@dataclass(frozen=True, eq=False)
class LayerKernel:
    """The compiled inverse of one layer.

    Attributes:
        step: What was compiled.
        matrix: P, (unknowns, rows + free + 1); the rows of free variables are those of the identity.
        multiply: The lambdified P S.
        undo: The lambdified inverse of the activation below, entry by entry; None at layer 1 and wherever leaving
            the image would go unseen or the printed form would lose digits.
        conditions: Rows of [T | constant] that must vanish, (m - rank, rows + 1).
    """

    step: LayerInverse
    matrix: Array
    multiply: Callable[[Array, Array], Array]
    undo: Callable[[Array], Array] | None
    conditions: Array

    @cached_property
    def single(self) -> NDArray[np.float32]:
        """P in single precision."""
        return self.matrix.astype(np.float32)


@dataclass(frozen=True, eq=False)
class Sampler:
    """NumPy functions of an inverse; `draw` is its way to points.

    Attributes:
        inverse: What was compiled.
        kernels: One a layer, last layer first.
    """

    inverse: Inverse
    kernels: tuple[LayerKernel, ...]
    start: Array

    @property
    def network(self) -> Network:
        """The network whose preimage is sampled."""
        return self.inverse.network

    @property
    def source(self) -> str:
        """The generated NumPy text, layer by layer."""
        parts = []
        for kernel in self.kernels:
            header = f"# layer {kernel.step.index}: {', '.join(map(str, kernel.step.pivot_variables))}"
            parts.append(f"{header}\n{inspect.getsource(kernel.multiply)}")
        return "\n".join(parts)

    def forward(self, x: Any) -> Array:
        """Return the network's outputs, (k, n0) -> (k, m)."""
        return np.asarray(self.network.forward(np.asarray(x, dtype=np.float64)))

    def free_of(self, x: Any) -> Array:
        """Return the free variables of inputs, read off their forward pass: (k, n0) -> (k, d)."""
        a = np.atleast_2d(np.asarray(x, dtype=np.float64))
        activations = [a]
        shift: Any = None
        for layer in self.network.layers:
            z = a @ layer.float_weights.T + layer.float_bias
            a = layer.activation.numeric(z)
            if layer.activation.has_shift:
                top = z.max(axis=1, keepdims=True)
                shift = (top + np.log(np.exp(z - top).sum(axis=1, keepdims=True)))[:, 0]
            activations.append(a)
        columns = []
        for step in self.inverse.steps:
            for j in step.reduction.free:
                is_shift = step.shift is not None and j == len(step.columns)
                columns.append(shift if is_shift else activations[step.index - 1][:, step.columns[j]])
        return np.column_stack(columns) if columns else np.zeros((len(activations[0]), 0))

    def backward(self, free: Any, target: Any = None) -> Array:
        """Propagate values of the free variables backward to inputs.

        Blocks run in threads, on all cores. Where `free` is an array of float32, so is the result; a column-major
        `free` is read fastest, and the result is column-major.

        Args:
            free: (k, d), columns in the order of `inverse.free_variables`.
            target: (m,) or (k, m) outputs; needed where the inverse's target is symbolic.

        Returns:
            (k, n0); rows of NaN where a value left the image of a layer's activation.

        Raises:
            ShapeError: Where shapes do not fit.
            InexactError: Where the target is symbolic and none is given.
        """
        if not self.is_streamlined:
            return self.trace(free, target)[0]
        single = getattr(free, "dtype", None) == np.float32
        values: Any = self._checked(free, np.float32 if single else np.float64)
        top: Any = self._top(target, len(values)).astype(values.dtype, copy=False)
        points: Any = np.empty((self.network.sizes[0], len(values)), dtype=values.dtype)
        blocks = [slice(begin, min(begin + BLOCK, len(values))) for begin in range(0, len(values), BLOCK)]

        def work(part: list[slice]) -> None:
            stacks: list[Any] = [np.ones((k.matrix.shape[1], BLOCK), dtype=values.dtype) for k in self.kernels]
            with np.errstate(all="ignore"):
                for block in part:
                    z = top[:, block] if top.shape[1] > 1 else top
                    x = self._streamlined_block(z, values[block].T, stacks)
                    if not np.isfinite(x[0].sum()):  # a product spreads NaN and infinities to every entry
                        x += 0 * x.sum(axis=0)
                    points[:, block] = x

        workers = min(available_cores(), len(blocks)) if len(self.kernels) > 1 else 1
        if workers <= 1:
            work(blocks)
        else:
            with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(workers) as pool:
                share = -(-len(blocks) // workers)
                list(pool.map(work, [blocks[i : i + share] for i in range(0, len(blocks), share)]))
        return np.asarray(points.T)

    @property
    def is_streamlined(self) -> bool:
        """Whether the kernels may run without a look at the values between."""
        return all(k.undo is not None or k.step.index == 1 for k in self.kernels) and not any(
            len(k.conditions) or k.step.constants for k in self.kernels
        )

    def _streamlined_block(self, z: Array, free: Array, stacks: list[Array]) -> Array:
        """Take one block backward; `stacks` hold S of every layer, their last rows ones."""
        count, used = free.shape[1], 0
        inputs = z
        for kernel, whole in zip(self.kernels, stacks, strict=True):
            rows, d = len(kernel.step.rows), len(kernel.step.reduction.free)
            stacked = whole[:, :count]
            stacked[:rows] = z
            stacked[rows : rows + d] = free[used : used + d]
            used += d
            matrix: Any = kernel.matrix if whole.dtype == np.float64 else kernel.single
            inputs = kernel.multiply(matrix, stacked)
            if kernel.undo is not None:
                z = kernel.undo(inputs[: len(kernel.step.columns)])
        return inputs[: self.network.sizes[0]]

    def _checked(self, free: Any, dtype: Any = np.float64) -> Array:
        values: Array = np.asarray(free, dtype=dtype)
        if values.ndim != 2 or values.shape[1] != len(self.inverse.free_variables):
            raise ShapeError(
                f"free must have shape (k, {len(self.inverse.free_variables)}), one column per free variable, "
                f"not {values.shape}."
            )
        return values

    def trace(self, free: Any, target: Any = None) -> tuple[Array, NDArray[np.int_]]:
        """Propagate as `backward` does; return also the layer at which each row left, 0 for none."""
        values = self._checked(free)
        top = self._top(target, len(values))
        points = np.empty((len(values), self.network.sizes[0]))
        lost = np.zeros(len(values), dtype=int)
        with np.errstate(all="ignore"):
            for begin in range(0, len(values), BLOCK):
                block = slice(begin, min(begin + BLOCK, len(values)))
                z = top[:, block] if top.shape[1] > 1 else top
                points[block] = self._backward_block(z, values[block].T, lost[block]).T
        points[lost > 0] = np.nan
        return points, lost

    def _top(self, target: Any, count: int) -> Array:
        """Return the right side of the last layer, (rows, 1) or (rows, k)."""
        step = self.inverse.steps[0]
        if target is None:
            if not len(self.start) and len(step.rows):
                raise InexactError("the inverse's target is symbolic; give backward(free, target) numbers.")
            return self.start
        y = np.atleast_2d(np.asarray(target, dtype=np.float64))
        if y.shape[1] != self.network.sizes[-1] or y.shape[0] not in (1, count):
            raise ShapeError(
                f"target must have shape ({self.network.sizes[-1]},) or ({count}, {self.network.sizes[-1]}), "
                f"not {np.shape(target)}."
            )
        return step.undo_numerically(y.T)

    def _backward_block(self, z: Array, free: Array, lost: NDArray[np.int_]) -> Array:
        """Take one feature-major block from the last pre-activations to the inputs; mark lost columns."""
        count, used = free.shape[1], 0
        inputs = np.empty((0, count))
        for kernel in self.kernels:
            step = kernel.step
            d = len(step.reduction.free)
            stacked = np.empty((kernel.matrix.shape[1], count))
            stacked[: len(step.rows)] = z
            stacked[len(step.rows) : len(step.rows) + d] = free[used : used + d]
            stacked[-1] = 1.0
            unknowns = kernel.multiply(kernel.matrix, stacked)
            unknowns[list(step.reduction.free)] = free[used : used + d]
            used += d
            inputs = self._whole(step, unknowns)
            if len(kernel.conditions):
                tops = np.vstack([stacked[: len(step.rows)], stacked[-1:]])
                broken = np.abs(kernel.conditions @ tops).max(axis=0) > condition_scale(kernel.conditions, tops)
                lost[broken & (lost == 0)] = step.index
            if step.index > 1:
                below = self.inverse.step(step.index - 1)
                outside = ~np.all([inside(v, i) for v, i in zip(unknowns, step.images, strict=False)], axis=0)
                lost[outside & (lost == 0)] = step.index - 1
                z = below.undo_numerically(inputs)
        return inputs

    def _whole(self, step: LayerInverse, unknowns: Array) -> Array:
        """Return all inputs of a layer, constants of a pattern included."""
        if not step.constants:
            return unknowns[: len(step.columns)]
        everything = np.empty((step.weights.columns, unknowns.shape[1]))
        everything[list(step.columns)] = unknowns[: len(step.columns)]
        for j, value in step.constants.items():
            everything[j] = float(value)
        return everything

    def draw(self, count: int = 10_000, *, method: str = "uniform", **options: Any) -> Any:
        """Draw points of the preimage; see `symbinv.sampler.draw.draw`, which this calls."""
        from symbinv.sampler.draw import draw

        return draw(self, count, method=method, **options)


def compile_sampler(inverse: Inverse, *, target: Any = None) -> Sampler:
    """Compile an inverse to NumPy functions.

    Args:
        inverse: With numbers for weights; symbolic weights have no numeric form.
        target: Numbers for a symbolic target, kept as the default of `backward`.

    Raises:
        NotSupportedError: For symbolic weights.

    Example:
        >>> from symbinv.inverse.invert import invert
        >>> network = Network.from_arrays([[[1, 2, 3], [2, 5, 7]]], [[0, 0]], ["sigmoid"])
        >>> sampler = compile_sampler(invert(network, ["0.8", "0.2"]))
        >>> network.forward(sampler.backward([[0.0], [2.5]])).round(12).tolist()
        [[0.8, 0.2], [0.8, 0.2]]
    """
    network = inverse.network
    if not network.is_rational:
        raise NotSupportedError(
            "weights must be numbers to be compiled, not symbols: put numbers in with substitute, or take "
            "compile_batched."
        )
    goal = to_target(network, target) if target is not None else None
    values = goal.values if goal else inverse.target
    below = [*inverse.steps[1:], None]
    kernels = tuple(_compile_layer(step, under) for step, under in zip(inverse.steps, below, strict=True))
    start = np.zeros((0, 1))
    if all(v.is_Rational for v in values) and not isinstance(inverse.verdict, Empty):
        start = _exact_top(inverse.steps[0], values)
    return Sampler(inverse, kernels, start)


def _exact_top(step: LayerInverse, values: tuple[sympy.Expr, ...]) -> Array:
    """Return the last layer's right side, each entry computed exactly and rounded once."""
    top = [float(step.undo_exactly(i, to_fraction(values[i]))) for i in step.rows]
    return np.array(top).reshape(-1, 1)


def _compile_layer(step: LayerInverse, below: LayerInverse | None) -> LayerKernel:
    reduction = step.reduction
    rank, rows = reduction.rank, len(step.rows)
    transform = reduction.transform
    constant = -(transform @ step.moved_bias) if rows else transform
    parts = [transform.select(rows=range(rank)).to_numpy()]
    if reduction.free:
        parts.append(-reduction.rref.select(rows=range(rank), columns=reduction.free).to_numpy())
    parts.append(constant.select(rows=range(rank)).to_numpy() if rows else np.zeros((rank, 1)))
    matrix = np.zeros((len(step.unknowns), rows + len(reduction.free) + 1))
    if rank:
        matrix[list(reduction.pivots)] = np.hstack(parts)
    matrix[list(reduction.free), rows + np.arange(len(reduction.free))] = 1.0
    rest = range(rank, rows)
    conditions = np.zeros((0, rows + 1))
    if rest:
        conditions = np.hstack([transform.select(rows=rest).to_numpy(), constant.select(rows=rest).to_numpy()])
    return LayerKernel(step, matrix, _lambdify_product(step.index, matrix.shape), _lambdify_undo(below), conditions)


def _lambdify_undo(below: LayerInverse | None) -> Callable[[Array], Array] | None:
    """Return the inverse of an activation as SymPy prints it, where the printed form keeps its digits.

    It must agree with the accurate form over the image, and be NaN or infinite outside.
    """
    if below is None or below.pieces is not None or below.activation.inverse is None:
        return None
    inverse, image = below.activation.inverse, below.activation.image
    a = sympy.Symbol("a", real=True)
    function: Callable[[Array], Array] = sympy.lambdify(a, inverse.symbolic(a), [{"log": _log_in_place}, "numpy"])
    inside_points, outside = _probes(image)
    with np.errstate(all="ignore"):
        try:
            exact, printed = inverse.numeric(inside_points), function(inside_points.copy())
            beyond = function(outside)
        except (TypeError, ValueError):  # printed for single numbers only
            return None
    close = np.abs(exact - printed) <= 4e-16 * (1 + np.abs(exact))
    return function if close.all() and not np.isfinite(beyond).any() else None


def _log_in_place(values: Array) -> Array:
    """Return the logarithm, written over its argument: a quotient just made, or a layer's values not used again."""
    return np.asarray(np.log(values, out=values))


def _probes(image: Interval) -> tuple[Array, Array]:
    """Return values inside an interval, up to its very ends, and values outside."""
    tiny = np.array([1e-300, 1e-17, 1e-9, 1e-3, 0.1])
    middle = np.array([-1e3, -40.0, -1.0, 0.0, 0.3, 0.5, 0.9, 1.5, 40.0, 1e3])
    low = -np.inf if image.lower is None else float(image.lower)
    high = np.inf if image.upper is None else float(image.upper)
    values = np.concatenate([middle, low + tiny, high - tiny])
    values = values[np.isfinite(values)]
    outside = (low, low - 1e-9, low - 1, low - 1e3, high, high + 1e-9, high + 1, high + 1e3)
    return values[(values > low) & (values < high)], np.array([v for v in outside if np.isfinite(v)])


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _lambdify_product(index: int, shape: tuple[int, ...]) -> Callable[[Array, Array], Array]:
    """Return the NumPy function that SymPy prints for the layer's closed form X = P S."""
    count = sympy.Symbol("k", integer=True, positive=True)
    p = sympy.MatrixSymbol(f"P_{index}", shape[0], shape[1])
    s = sympy.MatrixSymbol(f"S_{index}", shape[1], count)
    function: Callable[[Array, Array], Array] = sympy.lambdify([p, s], p * s, "numpy")
    return function


def inside(values: Array, interval: Interval) -> NDArray[np.bool_]:
    """Tell which values lie in an interval, with its open and closed ends."""
    result = np.isfinite(values)
    if interval.lower is not None:
        low = float(interval.lower)
        result &= (values > low) if interval.open_lower else (values >= low)
    if interval.upper is not None:
        high = float(interval.upper)
        result &= (values < high) if interval.open_upper else (values <= high)
    return result


def condition_scale(conditions: Array, tops: Array) -> Array:
    """Return how large a consistency condition may be by rounding alone, per column of `tops`."""
    return np.asarray(1e-9 * (np.abs(conditions) @ np.abs(tops)).max(axis=0) + 1e-300)
