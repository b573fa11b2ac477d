"""compile_sampler: an Inverse to NumPy functions, a pair of kernels a layer (`kernel.py`).

Layers stay apart: composed through its layers, the same inverse runs several times slower and its source doubles
at every logit (benchmarks/backward.py). Arrays are feature-major inside, in blocks that fit the cache, and every
operation writes into memory that its thread holds.

`backward` runs the kernels without looking at the values between: outside its image the inverse of an activation
gives NaN or an infinity, which every later product spreads, so one look at the inputs finds the blocks in which a
value left. `trace` goes step by step and says where.
"""

import inspect
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, overload

import numpy as np
import sympy
from numpy.typing import NDArray

from symbinv.cells.preimage import Preimage
from symbinv.errors import InexactError, NotSupportedError, OptionError, ShapeError
from symbinv.exact.interval import Interval
from symbinv.exact.policy import to_fraction
from symbinv.inverse.invert import Inverse
from symbinv.inverse.layer import LayerInverse
from symbinv.inverse.target import to_target
from symbinv.inverse.verdict import Empty
from symbinv.network.network import Network
from symbinv.sampler.blocks import run_blocks
from symbinv.sampler.kernel import LayerKernel, compile_layer
from symbinv.sampler.polytopes.cells import CellSampler

Array = NDArray[np.float64]
BLOCK = 4096


@dataclass(frozen=True, eq=False)
class Sampler:
    """NumPy functions of an inverse; `draw` is its way to points.

    Attributes:
        inverse: What was compiled.
        kernels: One a layer, last layer first.
        start: The right side of the last layer, (rows, 1); without rows where the target is symbolic or has none.
        regularization: Tikhonov's lambda where the backward pass is not exact (`compile_sampler`), else None.
    """

    inverse: Inverse
    kernels: tuple[LayerKernel, ...]
    start: Array
    regularization: Fraction | None = None

    def __repr__(self) -> str:
        return f"Sampler({self.inverse!r})"

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
            if kernel.undo is not None:
                parts.append(inspect.getsource(kernel.undo))
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

    def backward(self, free: Any, target: Any = None, *, out: Any = None) -> Array:
        """Propagate values of the free variables backward to inputs.

        Blocks run in threads, on all cores. Where `free` is an array of float32, so is the result; a column-major
        `free` is read fastest, and the result is column-major. A layer whose closed form doubles would evaluate with
        an error of more than about 1e-12 in its right side is computed in twice their precision, several times
        slower.

        Args:
            free: (k, d), columns in the order of `inverse.free_variables`.
            target: (m,) or (k, m) outputs; needed where the inverse's target is symbolic.
            out: Where to write the result: (k, n0), column-major, of the type of the result. For many points over
                and over, as the system takes longer to give new memory than the computation takes.

        Returns:
            (k, n0); rows of NaN where a value left the image of a layer's activation.

        Raises:
            ShapeError: Where shapes do not fit.
            InexactError: Where the target is symbolic and none is given.
        """
        single = self.is_streamlined and getattr(free, "dtype", None) == np.float32
        values: Any = self._checked(free, np.float32 if single else np.float64)
        shape, dtype = (len(values), self.network.sizes[0]), values.dtype
        if out is not None and (out.shape != shape or out.dtype != dtype or not out.flags.f_contiguous):
            raise ShapeError(f"out must be a column-major array of {dtype} of shape {shape}; np.empty(..., order='F').")
        if not self.is_streamlined:
            found = self.trace(values, target)[0]
            if out is None:
                return found
            out[...] = found
            return np.asarray(out)
        top: Any = self._top(target, len(values)).astype(dtype, copy=False)
        points: Any = np.empty(shape[::-1], dtype=dtype) if out is None else out.T
        run_blocks(self.kernels, top, values.T, points)
        return np.asarray(points.T)

    @cached_property
    def is_streamlined(self) -> bool:
        """Whether the kernels may run without a look at the values between."""
        return all(k.undo is not None or k.step.index == 1 for k in self.kernels) and not any(
            len(k.conditions) or k.step.constants or not k.step.reduction.rank for k in self.kernels
        )

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
                empty = isinstance(self.inverse.verdict, Empty)
                reason = "the preimage is empty" if empty else "the inverse's target is symbolic"
                raise InexactError(f"{reason}; give backward(free, target) numbers.")
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
            used += d
            unknowns = np.empty((len(step.unknowns), count))
            kernel.solve(stacked, unknowns[: kernel.computed])
            unknowns[kernel.computed :] = kernel.kept(stacked, len(unknowns))
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


@overload
def compile_sampler(inverse: Inverse, *, target: Any = None, regularize: Any = None) -> Sampler: ...


@overload
def compile_sampler(inverse: Preimage, *, target: None = None, regularize: None = None) -> CellSampler: ...


def compile_sampler(
    inverse: Inverse | Preimage, *, target: Any = None, regularize: Any = None
) -> Sampler | CellSampler:
    """Compile an inverse to NumPy functions, or make an exact preimage ready to be drawn from.

    Args:
        inverse: An `Inverse` with numbers for weights (symbolic weights have no numeric form), or a `Preimage`.
        target: Numbers for a symbolic target, kept as the default of `backward`.
        regularize: lambda > 0 of Tikhonov's regularisation, for ill-conditioned and inconsistent layers: in each
            layer the pivot variables p minimise |W x + b - z|^2 + lambda |p|^2. Points are then near the preimage
            and not on it; their residuals and status say how near.

    Raises:
        NotSupportedError: For symbolic weights.
        OptionError: For a regularisation that is not positive.

    Example:
        >>> from symbinv.inverse.invert import invert
        >>> network = Network.from_arrays([[[1, 2, 3], [2, 5, 7]]], [[0, 0]], ["sigmoid"])
        >>> sampler = compile_sampler(invert(network, ["0.8", "0.2"]))
        >>> network.forward(sampler.backward([[0.0], [2.5]])).round(12).tolist()
        [[0.8, 0.2], [0.8, 0.2]]
    """
    if isinstance(inverse, Preimage):
        return CellSampler(inverse)
    network = inverse.network
    if not network.is_rational:
        raise NotSupportedError(
            "weights must be numbers to be compiled, not symbols: put numbers in with substitute, or use "
            "compile_batched."
        )
    goal = to_target(network, target) if target is not None else None
    values = goal.values if goal else inverse.target
    below = [*inverse.steps[1:], None]
    penalty = None if regularize is None else to_fraction(regularize)
    if penalty is not None and penalty <= 0:
        raise OptionError(f"regularize must be a positive number, not {regularize}.")
    kernels = tuple(compile_layer(step, under, penalty) for step, under in zip(inverse.steps, below, strict=True))
    start = np.zeros((0, 1))
    if all(v.is_Rational for v in values):
        images = network.layers[-1].activation.image
        within = penalty is not None and all(images.contains(to_fraction(v)) for v in values)
        if within or not isinstance(inverse.verdict, Empty):
            start = _exact_top(inverse.steps[0], values)
    return Sampler(inverse, kernels, start, penalty)


def _exact_top(step: LayerInverse, values: tuple[sympy.Expr, ...]) -> Array:
    """Return the last layer's right side, each entry computed exactly and rounded once."""
    top = [float(step.undo_exactly(i, to_fraction(values[i]))) for i in step.rows]
    return np.array(top).reshape(-1, 1)


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
