"""Kernels: the closed form of one layer as NumPy functions that write into given memory.

A layer's closed form is one matrix expression, X = P S with P = [T | -R_free | constant] and S the stacked right
sides, free variables and ones. `sympy.lambdify` prints it, and the inverse of the activation below, through a
printer that gives every operation a place for its result. Exact numbers are rounded here, once, and an
ill-conditioned layer is not evaluated in the rounded ones at all (`precise.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy.printing.numpy import NumPyPrinter

from symbinv.exact.interval import Interval
from symbinv.exact.matrix import ExactMatrix
from symbinv.inverse.layer import LayerInverse
from symbinv.sampler.precise import PreciseMatrix

Array = NDArray[np.float64]
DOUBLES_SUFFICE = 4096.0  # times 2^-53: half of 1e-12 in the right side, for entries of S up to 1
UFUNCS = {
    sympy.log: "log",
    sympy.exp: "exp",
    sympy.atanh: "arctanh",
    sympy.tanh: "tanh",
    sympy.tan: "tan",
    sympy.atan: "arctan",
    sympy.sinh: "sinh",
    sympy.asinh: "arcsinh",
    sympy.Abs: "absolute",
}


@dataclass(frozen=True, eq=False)
class LayerKernel:
    """The compiled inverse of one layer.

    Attributes:
        step: What was compiled.
        matrix: P, (unknowns, rows + free + 1); the rows of free variables are those of the identity.
        multiply: The lambdified X = P S: takes P, S and the place of X.
        undo: The inverse of the activation below, entry by entry, over its argument, with scratch memory of the
            same shape; None at layer 1 and wherever leaving the image would go unseen.
        conditions: Rows of [T | constant] that must vanish, (m - rank, rows + 1).
        growth: The largest entry of |W| |P|: by how many rounding units W X may miss the right side in doubles.
        precise: The computed rows of P in higher precision where doubles do not suffice, else None.
    """

    step: LayerInverse
    matrix: Array
    multiply: Callable[[Array, Array, Array], Array]
    undo: Callable[[Array, Array], Array] | None
    conditions: Array
    growth: float
    precise: PreciseMatrix | None

    @property
    def computed(self) -> int:
        """How many rows of X are computed; the rest are the free variables, as they came."""
        pivots = self.step.reduction.pivots
        return len(pivots) if pivots == tuple(range(len(pivots))) else len(self.matrix)

    @cached_property
    def single(self) -> NDArray[np.float32]:
        """The computed rows of P in single precision."""
        return self.matrix[: self.computed].astype(np.float32)

    def solve(self, stacked: Any, out: Any) -> None:
        """Write the computed rows of X = P S into `out`: (rows + free + 1, k) -> (`computed` or fewer, k)."""
        if self.precise is not None:
            out[...] = self.precise.times(stacked.astype(np.float64, copy=False))[: len(out)]
        else:
            matrix: Any = self.matrix if stacked.dtype == np.float64 else self.single
            self.multiply(matrix[: len(out)], stacked, out)

    def kept(self, stacked: Any, unknowns: int) -> Any:
        """Return the rows of S that are the unknowns behind the computed ones, up to that many unknowns in all."""
        rows = len(self.step.rows)
        return stacked[rows : rows + max(unknowns - self.computed, 0)]


def compile_layer(step: LayerInverse, below: LayerInverse | None, regularize: Fraction | None = None) -> LayerKernel:
    """Compile one layer; `below` is the layer whose activation its unknowns are.

    Args:
        step: The layer.
        below: The next layer on the way back, or None at layer 1.
        regularize: Tikhonov's lambda, for `regularized`.
    """
    reduction = step.reduction
    rank, rows, free = reduction.rank, len(step.rows), reduction.free
    exact = _pivot_rows(step) if regularize is None else regularized(step, regularize)
    matrix = np.zeros((len(step.unknowns), rows + len(free) + 1))
    if rank:
        matrix[list(reduction.pivots)] = exact.to_numpy()
    matrix[list(free), rows + np.arange(len(free))] = 1.0
    rest = range(rank, rows)
    conditions = np.zeros((0, rows + 1))
    if rest and regularize is None:
        transform = reduction.transform
        constant = -(transform @ step.moved_bias)
        conditions = np.hstack([transform.select(rows=rest).to_numpy(), constant.select(rows=rest).to_numpy()])
    growth = 0.0
    if rank and rows:
        weights = np.abs(reduction.matrix.to_numpy())
        growth = float((weights @ np.abs(matrix)).max())
    precise = None
    if growth > DOUBLES_SUFFICE:
        leads = reduction.pivots == tuple(range(rank))
        precise = PreciseMatrix.of((exact if leads else _with_free_rows(step, exact)).fractions())
    return LayerKernel(step, matrix, _lambdify_product(step.index), _make_undo(below), conditions, growth, precise)


def _pivot_rows(step: LayerInverse) -> ExactMatrix:
    """Return [T | -R_free | constant] for the pivot variables, exact, in the order of the pivots."""
    reduction = step.reduction
    rank, rows = reduction.rank, len(step.rows)
    top = range(rank)
    if not rows:
        return ExactMatrix.zeros(rank, len(reduction.free) + 1)
    transform = reduction.transform
    result = transform.select(rows=top)
    if reduction.free:
        result = result.beside(-reduction.rref.select(rows=top, columns=reduction.free))
    return result.beside(-(transform @ step.moved_bias).select(rows=top))


def regularized(step: LayerInverse, penalty: Fraction) -> ExactMatrix:
    """Return the rows that replace those of the pivot variables p under Tikhonov regularisation, exact.

    With B the pivot columns, F the free ones and r the right side, p minimises |B p + F x_free + b - r|^2 +
    penalty |p|^2: p = (B^T B + penalty)^-1 B^T [I | -F | -b] (r, x_free, 1). Consistency conditions fall away.

    References:
        A. N. Tikhonov, Solution of incorrectly formulated problems, Soviet Math. Dokl. 4 (1963).
    """
    reduction = step.reduction
    rank, rows = reduction.rank, len(step.rows)
    if not rank:
        return ExactMatrix.zeros(0, rows + len(reduction.free) + 1)
    block = reduction.matrix.select(columns=reduction.pivots)
    sides = ExactMatrix.identity(rows)
    if reduction.free:
        sides = sides.beside(-reduction.matrix.select(columns=reduction.free))
    sides = sides.beside(-step.moved_bias)
    normal = block.T @ block + ExactMatrix.identity(rank).scaled(penalty)
    solved, _ = normal.beside(block.T @ sides).rref()
    return solved.select(columns=range(rank, solved.columns))


def _with_free_rows(step: LayerInverse, pivots: ExactMatrix) -> ExactMatrix:
    """Return P whole: the pivots' rows and the identity's, in the order of the unknowns."""
    free, rows = step.reduction.free, len(step.rows)
    at = {j: row for row, j in enumerate(step.reduction.pivots)}
    place = {j: rows + i for i, j in enumerate(free)}
    return ExactMatrix.build(
        len(step.unknowns),
        pivots.columns,
        lambda j, c: pivots[at[j], c] if j in at else Fraction(int(c == place[j])),
    )


class _InPlacePrinter(NumPyPrinter):  # type: ignore[misc]  # SymPy is not typed
    """Prints operations on arrays with a place for their result: X for a product, A and T for entry by entry.

    A chain of operations in which each has at most one argument that is not the array itself or a number needs one
    scratch array: all but the last write to T, the last one over A.
    """

    def _print_MatMul(self, expr: Any) -> str:
        left, right = expr.args
        return f"matmul({self._print(left)}, {self._print(right)}, out=X)"

    def chain(self, expr: sympy.Expr, place: str) -> str:
        """Return the text of an expression in one symbol, its result written to `place`; "" where it is no chain."""
        if expr.is_Symbol:
            return "A"
        if expr.is_Rational:
            return repr(int(expr)) if expr.is_Integer else repr(float(expr))
        name, arguments = _operation(expr)
        inner = [e for e in arguments if not (e.is_Symbol or e.is_Rational)]
        if not name or len(inner) > 1:
            return ""
        printed = [self.chain(e, "T") for e in arguments]
        return f"{name}({', '.join(printed)}, out={place})" if all(printed) else ""


def _operation(expr: sympy.Expr) -> tuple[str, list[Any]]:
    """Return the ufunc of an expression's last operation and its arguments; "" where there is none."""
    if type(expr) in UFUNCS:
        return UFUNCS[type(expr)], list(expr.args)
    if expr.is_Mul:
        top, bottom = sympy.fraction(expr)
        if bottom != 1:
            return "divide", [top, bottom]
        first, rest = expr.as_two_terms()
        return "multiply", [first, rest]
    if expr.is_Add and len(expr.args) == 2:
        first, second = expr.args
        if second.could_extract_minus_sign():
            return "subtract", [first, -second]
        if first.could_extract_minus_sign():
            return "subtract", [second, -first]
        return "add", [first, second]
    return "", []


def _lambdify_product(index: int) -> Callable[[Array, Array, Array], Array]:
    """Return the NumPy function that SymPy prints for the layer's closed form X = P S."""
    m, n, k = sympy.symbols("m n k", integer=True, positive=True)
    p, s = sympy.MatrixSymbol(f"P_{index}", m, n), sympy.MatrixSymbol(f"S_{index}", n, k)
    x = sympy.Symbol("X")
    printer = _InPlacePrinter({"fully_qualified_modules": False, "inline": True, "allow_unknown_functions": True})
    function: Callable[[Array, Array, Array], Array] = sympy.lambdify(
        [p, s, x], p * s, [{"matmul": np.matmul}, "numpy"], printer=printer
    )
    return function


class _Chain(sympy.Function):  # type: ignore[misc]
    """An entry-by-entry inverse, printed as a chain of ufuncs."""

    def _numpycode(self, printer: Any) -> str:
        return str(printer.chain(self.args[0], "A"))


def _make_undo(below: LayerInverse | None) -> Callable[[Array, Array], Array] | None:
    """Return the inverse of an activation as SymPy prints it, the accurate form where that loses digits.

    It must agree with the accurate form over the image, and be NaN or infinite outside and at NaN and infinities.
    """
    if below is None or below.pieces is not None or below.activation.inverse is None:
        return None
    inverse, image = below.activation.inverse, below.activation.image
    accurate = inverse.numeric

    def over(values: Array, scratch: Array) -> Array:
        values[...] = accurate(values)
        return values

    a, scratch = sympy.symbols("A T", real=True)
    printer = _InPlacePrinter({"fully_qualified_modules": False, "inline": True, "allow_unknown_functions": True})
    expression = inverse.symbolic(a)
    candidates: list[Callable[[Array, Array], Array]] = [over]
    if not expression.is_Symbol and printer.chain(expression, "A"):
        candidates.insert(0, sympy.lambdify([a, scratch], _Chain(expression), "numpy", printer=printer))
    inside_points, outside = _probes(image)
    exact = inverse.numeric(inside_points)
    for function in candidates:
        with np.errstate(all="ignore"):
            printed = function(inside_points.copy(), np.empty_like(inside_points))
            beyond = function(outside.copy(), np.empty_like(outside))
        close = np.abs(exact - printed) <= 4e-16 * (1 + np.abs(exact))
        if close.all() and not np.isfinite(beyond).any():
            return function
    return None


def _probes(image: Interval) -> tuple[Array, Array]:
    """Return values inside an interval, up to its very ends, and values outside."""
    tiny = np.array([1e-300, 1e-17, 1e-9, 1e-3, 0.1])
    middle = np.array([-1e3, -40.0, -1.0, 0.0, 0.3, 0.5, 0.9, 1.5, 40.0, 1e3])
    low = -np.inf if image.lower is None else float(image.lower)
    high = np.inf if image.upper is None else float(image.upper)
    values = np.concatenate([middle, low + tiny, high - tiny])
    values = values[np.isfinite(values)]
    beyond = np.array([low, low - 1e-9, low - 1, low - 1e3, high, high + 1e-9, high + 1, high + 1e3, np.nan])
    beyond = np.append(beyond, [-np.inf, np.inf])
    return values[(values > low) & (values < high)], beyond[~((beyond > low) & (beyond < high))]
