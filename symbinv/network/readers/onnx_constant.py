"""Operators between constants of an ONNX graph, evaluated exactly: arithmetic in rationals, no rounding."""

from collections.abc import Callable
from fractions import Fraction
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symbinv.errors import InexactError, NotSupportedError, ReadError
from symbinv.exact.policy import Policy, to_fraction
from symbinv.network.readers import limits
from symbinv.network.readers.onnx_attribute import Node
from symbinv.network.readers.onnx_tensor import TYPES, to_array

Array = NDArray[Any]
_MAX_WORK = 1 << 21


def evaluate(
    node: Node, constant: Callable[[str], Array], folder: Path | None, opset: int, policy: Policy
) -> dict[str, Array]:
    """Return the outputs of a node whose inputs are all constants, computed from what `policy` takes them for.

    Raises:
        NotSupportedError: For an operator that is not evaluated here.
        ReadError: Where its inputs do not fit together.
    """
    if node.operator == "Constant":
        return {node.outputs[0]: _constant(node, folder)} if node.outputs else {}
    if node.operator not in _OPERATORS:
        raise NotSupportedError(f"between constants, an operator must be one of {', '.join(_OPERATORS)}, Constant.")
    node.check_version(opset)
    values = [constant(name) for name in node.inputs if name]
    least = 2 if node.operator in ("MatMul", "Reshape", "Add", "Sub", "Mul", "Div") else 1
    if len(values) < least or not node.outputs:
        raise ReadError(f"must have {least} inputs and an output.")
    try:
        result = _OPERATORS[node.operator](node, values, policy)
    except (ValueError, IndexError, TypeError, OverflowError, ZeroDivisionError) as error:
        raise ReadError(f"its constants do not fit together: {error}.") from error
    limits.entries(result.shape, "a constant")
    return {node.outputs[0]: result}


def _constant(node: Node, folder: Path | None) -> Array:
    if len(node.attributes) != 1:
        raise ReadError(f"a constant must have one value, not {len(node.attributes)}.")
    ((name, value),) = node.attributes.items()
    if name == "value" and hasattr(value, "data_type"):
        return to_array(value, folder)
    if name in ("value_float", "value_floats"):
        return np.array(value, dtype=np.float32)
    if name in ("value_int", "value_ints"):
        return np.array(value, dtype=np.int64)
    raise NotSupportedError(f"a constant must be a tensor or numbers, not {name!r}.")


def integers(value: Array, what: str) -> list[int]:
    """Return a constant that must be a list of integers."""
    if value.dtype.kind not in "iu" or value.ndim > 1 or value.size > 64:
        raise ReadError(f"{what} must be a list of integers, not {value.dtype.name} of shape {value.shape}.")
    return [int(v) for v in value.ravel()]


def fractions(value: Array, policy: Policy) -> Array:
    """Return an array of numbers as Fractions, each what `policy` takes it for."""
    limits.check_nonzeros(value.size, "a constant in rational arithmetic")
    exact = np.empty(value.size, dtype=object)
    exact[:] = [v if value.dtype.kind == "O" else to_fraction(v, policy) for v in value.ravel()]
    return exact.reshape(value.shape)


def _arithmetic(operation: Callable[[Any, Any], Any]) -> Callable[[Node, list[Array], Policy], Array]:
    def apply(node: Node, values: list[Array], policy: Policy) -> Array:
        node.allow()
        left, right = values
        if any(v.dtype.kind not in "fO" for v in values):
            raise NotSupportedError("arithmetic between constants must be of floats.")
        limits.check_nonzeros(prod(np.broadcast_shapes(left.shape, right.shape)), "a constant")
        return np.asarray(operation(fractions(left, policy), fractions(right, policy)), dtype=object)

    return apply


def _matmul(node: Node, values: list[Array], policy: Policy) -> Array:
    node.allow()
    left, right = values
    if any(v.dtype.kind not in "fO" or v.ndim not in (1, 2) for v in values) or left.shape[-1] != right.shape[0]:
        raise ReadError(f"factors must be matrices of floats that fit, not {left.shape} and {right.shape}.")
    work = left.size * prod(right.shape[1:])
    if work > _MAX_WORK:
        raise NotSupportedError(f"a product of constants must take at most {_MAX_WORK} multiplications, not {work}.")
    return np.asarray(fractions(left, policy) @ fractions(right, policy), dtype=object)


def _cast(node: Node, values: list[Array], policy: Policy) -> Array:
    node.allow("to", "saturate")
    target = node.integer("to", 0)
    if target not in TYPES:
        raise NotSupportedError(
            f"a cast must be to floats of 16 to 64 bits, integers or bool, not ONNX's type {target}."
        )
    dtype = np.dtype(TYPES[target][0])
    value = values[0]
    if value.dtype == dtype:
        return value
    if value.dtype.kind == "O":
        raise NotSupportedError("a cast of a constant that was computed is not evaluated.")
    if value.dtype.kind == "f" and not np.isfinite(value).all():
        raise InexactError("numbers must be finite; replace NaN and infinite values first.")
    with np.errstate(over="ignore", invalid="ignore"):
        cast = value.astype(dtype)
    if dtype.kind in "iu" and (cast.astype(np.float64) != np.trunc(value.astype(np.float64))).any():
        raise ReadError(f"a cast must keep the values in the range of {dtype.name}.")
    return cast


def _reshape(node: Node, values: list[Array], policy: Policy) -> Array:
    node.allow("allowzero")
    target = integers(values[1], "a shape")
    if not node.integer("allowzero", 0):
        target = [values[0].shape[i] if size == 0 else size for i, size in enumerate(target)]
    if any(size < -1 for size in target):
        raise ReadError("sizes must not be negative.")
    return values[0].reshape(target)


def _transpose(node: Node, values: list[Array], policy: Policy) -> Array:
    node.allow("perm")
    return values[0].transpose(node.integers("perm"))


def axes_of(node: Node, values: list[Array]) -> list[int] | None:
    """Return the axes of Squeeze or Unsqueeze, from the attribute or (opset 13 on) the second input."""
    node.allow("axes")
    if len(values) > 1:
        return integers(values[1], "axes")
    found = node.integers("axes")
    return None if found is None else list(found)


def _squeeze(node: Node, values: list[Array], policy: Policy) -> Array:
    axes = axes_of(node, values)
    return np.squeeze(values[0], None if axes is None else tuple(axes))


def _unsqueeze(node: Node, values: list[Array], policy: Policy) -> Array:
    axes = axes_of(node, values)
    if axes is None:
        raise ReadError("axes must be given.")
    return np.expand_dims(values[0], tuple(axes))


def _identity(node: Node, values: list[Array], policy: Policy) -> Array:
    node.allow()
    return values[0]


def _divide(left: Any, right: Any) -> Any:
    if any(v == Fraction(0) for v in right.ravel()):
        raise InexactError("a divisor must not be 0.")
    return left / right


_OPERATORS: dict[str, Callable[[Node, list[Array], Policy], Array]] = {
    "Add": _arithmetic(lambda a, b: a + b),
    "Sub": _arithmetic(lambda a, b: a - b),
    "Mul": _arithmetic(lambda a, b: a * b),
    "Div": _arithmetic(_divide),
    "MatMul": _matmul,
    "Cast": _cast,
    "Reshape": _reshape,
    "Transpose": _transpose,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Identity": _identity,
}
