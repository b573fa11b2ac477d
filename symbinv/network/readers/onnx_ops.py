"""The operators of ONNX that have an exact counterpart, each one function on a Trace.

A node reaches its function with one input that depends on the network's input, at position `varying`; all
others are constants. An operator that is not in the tables is refused.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symbinv.errors import InexactError, NotSupportedError, ReadError
from symbinv.network.readers import images
from symbinv.network.readers.named import named
from symbinv.network.readers.onnx_activation import ACTIVATION_OPERATORS, activate
from symbinv.network.readers.onnx_attribute import Node
from symbinv.network.readers.onnx_call import Call
from symbinv.network.readers.onnx_constant import axes_of, fractions, integers
from symbinv.network.readers.rational import objects
from symbinv.network.readers.source import show
from symbinv.network.readers.trace import Trace
from symbinv.network.readers.windows import Window, same_padding

Array = NDArray[Any]


def apply(node: Node, trace: Trace, varying: int, constant: Callable[[str], Array], opset: int) -> None:
    """Apply a node to a trace.

    Raises:
        NotSupportedError: For an operator, attribute or use of one that has no exact counterpart.
        ReadError: Where its inputs do not fit together.
    """
    call = Call(node, trace, varying, constant, opset)
    if node.operator not in ACTIVATION_OPERATORS and node.operator not in _OPERATORS:
        known = ", ".join(sorted({*ACTIVATION_OPERATORS, *_OPERATORS}))
        raise NotSupportedError(f"the operator {show(node.operator, 40)} is not supported; {known} are.")
    node.check_version(opset)
    if node.operator in ACTIVATION_OPERATORS:
        activate(call)
    else:
        _OPERATORS[node.operator](call)


# -- arithmetic -------------------------------------------------------------------------------------------


def _add(call: Call) -> None:
    call.node.allow()
    call.trace.add(call.need(1 - call.varying))


def _subtract(call: Call) -> None:
    call.node.allow()
    if call.varying == 0:
        call.trace.add(_negated(call.need(1)))
        return
    call.trace.multiply(objects([Fraction(-1)]).reshape(()))
    call.trace.add(call.need(0))


def _negated(value: Array) -> Array:
    return -value  # exact for floats and Fractions


def _multiply(call: Call) -> None:
    call.node.allow()
    call.trace.multiply(call.need(1 - call.varying))


def _divide(call: Call) -> None:
    call.node.allow()
    call.first()
    below = call.need(1)
    exact = fractions(below, call.trace.policy).ravel()
    if any(v == 0 for v in exact):
        raise InexactError("a divisor must not be 0.")
    call.trace.multiply(objects([1 / v for v in exact]).reshape(below.shape))


def _negate(call: Call) -> None:
    call.node.allow()
    call.trace.multiply(objects([Fraction(-1)]).reshape(()))


def _matmul(call: Call) -> None:
    call.node.allow()
    if call.varying == 0:
        call.trace.matmul(call.need(1))
    else:
        call.trace.left_matmul(call.need(0))


def _gemm(call: Call) -> None:
    node, trace = call.node, call.trace
    node.allow("alpha", "beta", "transA", "transB")
    alpha, beta = call.number("alpha", 1.0), call.number("beta", 1.0)
    if call.varying == 2:
        raise NotSupportedError("its third input must be constant.")
    if len(trace.shape) != 2:
        raise ReadError(f"its factors must have two axes, not shape {trace.shape}.")
    other = call.need(1 - call.varying)
    if other.ndim != 2:
        raise ReadError(f"its factors must have two axes, not shape {other.shape}.")
    if node.integer("transA" if call.varying == 0 else "transB", 0):
        trace.transpose((1, 0))
    if node.integer("transB" if call.varying == 0 else "transA", 0):
        other = other.T
    if call.varying == 0:
        trace.matmul(other, factor=alpha)
    else:
        trace.left_matmul(other)
        trace.multiply(objects([alpha]).reshape(()))
    bias = call.floats(2)
    if bias is not None:
        shape = trace.shape
        scaled = bias if beta == 1 else objects([beta * trace.number(v) for v in bias.ravel()]).reshape(bias.shape)
        trace.add(scaled)
        if trace.shape != shape:
            raise ReadError(f"its third input must fit the product {shape}, not have shape {bias.shape}.")


# -- convolutions and pools -------------------------------------------------------------------------------


def _window(call: Call, kernel: tuple[int, ...], *, ceil: bool = False, pool: bool = True) -> Window:
    node, axes = call.node, len(kernel)
    sizes = call.trace.shape[2:]
    strides = node.integers("strides", (1,) * axes) or ()
    dilations = node.integers("dilations", (1,) * axes) or ()
    pads = node.integers("pads")
    mode = node.text("auto_pad", "NOTSET")
    if mode != "NOTSET":
        if pads is not None and any(pads):
            raise ReadError("pads must not be given beside auto_pad.")
        before, after = same_padding(mode, sizes, kernel, strides, dilations)
    else:
        pads = (0,) * (2 * axes) if pads is None else pads
        before, after = tuple(pads[:axes]), tuple(pads[axes:])
    window = Window(kernel, strides, dilations, before, after, ceil)
    if mode in ("SAME_UPPER", "SAME_LOWER") and sizes:
        _refuse_what_runtimes_differ_on(window, sizes, pool=pool)
    return window


def _refuse_what_runtimes_differ_on(window: Window, sizes: Sequence[int], *, pool: bool) -> None:
    """Refuse named padding where onnxruntime departs from ONNX's text."""
    if pool and any(d != 1 for d in window.dilations):
        raise NotSupportedError("auto_pad with dilations is not supported in a pool: runtimes differ on it.")
    outside = max(n - k - (-(-n // s) - 1) * s for n, k, s in zip(sizes, window.reach, window.strides, strict=True))
    if outside > 1:
        raise NotSupportedError(
            f"auto_pad must not leave {outside} inputs at an end outside of all windows: runtimes differ on it."
        )


def _convolve(call: Call) -> None:
    node = call.node
    node.allow("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")
    call.first()
    weights = call.need(1)
    kernel = node.integers("kernel_shape", tuple(weights.shape[2:])) or ()
    images.convolve(call.trace, weights, call.floats(2), _window(call, kernel, pool=False), node.integer("group", 1))


def _average_pool(call: Call) -> None:
    node = call.node
    node.allow("auto_pad", "ceil_mode", "count_include_pad", "dilations", "kernel_shape", "pads", "strides")
    window = _window(call, node.integers("kernel_shape") or (), ceil=bool(node.integer("ceil_mode", 0)))
    images.average_pool(call.trace, window, count_padding=bool(node.integer("count_include_pad", 0)))


def _global_average_pool(call: Call) -> None:
    call.node.allow()
    sizes = call.trace.shape[2:]
    ones, zeros = (1,) * len(sizes), (0,) * len(sizes)
    images.average_pool(call.trace, Window(sizes, ones, ones, zeros, zeros), count_padding=False)


def _max_pool(call: Call) -> None:
    node = call.node
    node.allow("auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "storage_order", "strides")
    _one_output(call)
    window = _window(call, node.integers("kernel_shape") or (), ceil=bool(node.integer("ceil_mode", 0)))
    images.max_pool(call.trace, window)


def _normalise(call: Call) -> None:
    node = call.node
    node.allow("epsilon", "momentum", "spatial", "training_mode")
    call.first()
    if node.integer("training_mode", 0) or not node.integer("spatial", 1):
        raise NotSupportedError("training mode and statistics per place are not supported.")
    _one_output(call)
    if len(call.trace.shape) < 2:
        raise ReadError(f"its input must have a batch and a channel axis, not shape {call.trace.shape}.")
    scale, bias, mean, variance = (call.need(k) for k in range(1, 5))
    call.trace.normalise(1, scale, bias, mean, variance, call.number("epsilon", 1e-5))


def _one_output(call: Call) -> None:
    if any(call.node.outputs[1:]):
        raise NotSupportedError("only its first output is supported.")


# -- shapes -----------------------------------------------------------------------------------------------


def _constants(call: Call) -> list[Array]:
    call.first()
    return [call.constant(name) for name in call.node.inputs[1:] if name]


def _reshape(call: Call) -> None:
    call.node.allow("allowzero")
    constants = _constants(call)
    if len(constants) != 1:
        raise ReadError("a shape must be given.")
    zero_copies = not call.node.integer("allowzero", 0)
    call.trace.reshape(integers(constants[0], "a shape"), zero_copies=zero_copies)


def _flatten(call: Call) -> None:
    call.node.allow("axis")
    call.trace.flatten(call.node.integer("axis", 1))


def _squeeze(call: Call) -> None:
    call.trace.squeeze(axes_of(call.node, [np.zeros(0), *_constants(call)]))


def _unsqueeze(call: Call) -> None:
    axes = axes_of(call.node, [np.zeros(0), *_constants(call)])
    if axes is None:
        raise ReadError("axes must be given.")
    call.trace.unsqueeze(axes)


def _transpose(call: Call) -> None:
    call.node.allow("perm")
    order = call.node.integers("perm")
    call.trace.transpose(tuple(reversed(range(len(call.trace.shape)))) if order is None else order)


def _pad(call: Call) -> None:
    node, trace = call.node, call.trace
    node.allow("mode", "pads", "value")
    call.first()
    if node.text("mode", "constant") != "constant":
        raise NotSupportedError(f"the mode must be constant, not {node.text('mode', '')[:20]!r}.")
    axes = list(range(len(trace.shape)))
    if call.opset < 11:
        pads, value = list(node.integers("pads", ()) or ()), call.number("value", 0.0)
    else:
        pads = call.integers(1, "pads")
        given = call.floats(2)
        if given is not None and given.size != 1:
            raise ReadError("the value must be one number.")
        value = Fraction(0) if given is None else trace.number(given.ravel()[0])
        if node.input(3):
            axes = [trace.axis(axis) for axis in call.integers(3, "axes")]
    if len(pads) != 2 * len(axes) or len(set(axes)) != len(axes):
        raise ReadError(f"pads must have one entry per axis ({len(axes)}) and side, not {len(pads)}.")
    before, after = ([0] * len(trace.shape) for _ in range(2))
    for k, axis in enumerate(axes):
        before[axis], after[axis] = pads[k], pads[k + len(axes)]
    trace.pad(before, after, value)


def _identity(call: Call) -> None:
    call.node.allow()


def _dropout(call: Call) -> None:
    call.node.allow("ratio", "seed", "is_test")
    call.first()
    mode = call.node.input(2)
    if mode and call.constant(mode).size == 1 and bool(call.constant(mode).ravel()[0]):
        ratio = call.floats(1)
        if ratio is None or ratio.size != 1 or ratio.ravel()[0] != 0:
            raise NotSupportedError("in training mode it is random.")


def _cast(call: Call) -> None:
    call.node.allow("to", "saturate")
    target = call.node.integer("to", 0)
    if target not in (1, 10, 11):
        raise NotSupportedError(f"a cast must be between floats of 16 to 64 bits, not to ONNX's type {target}.")
    call.trace.notes.append("casts between floats were left out: the network is that of the real numbers")


def _clip(call: Call) -> None:
    node = call.node
    node.allow("min", "max")
    if call.opset < 11:
        low, high = node.number_of("min", -np.inf), node.number_of("max", np.inf)
    else:
        given = [call.floats(1), call.floats(2)]
        if any(v is not None and v.size != 1 for v in given):
            raise ReadError("its ends must be numbers.")
        low, high = (None if v is None else v.ravel()[0] for v in given)
    bottom, top = _end(call.trace, low, -1), _end(call.trace, high, 1)
    if bottom is None or top is None:
        _clip_one_side(call.trace, bottom, top)
    elif bottom == 0 and top == 6:
        call.trace.activate(named("relu6"))
    else:
        call.trace.activate(named("hard_tanh", {"lower": bottom, "upper": top}))


def _end(trace: Trace, value: Any, side: int) -> Fraction | None:
    """Return an end of a Clip; None for one that bounds nothing: infinity, or the largest number of its type."""
    if value is None or (isinstance(value, np.floating) and side * value >= np.finfo(value.dtype).max):
        return None
    return trace.number(value)


def _clip_one_side(trace: Trace, bottom: Fraction | None, top: Fraction | None) -> None:
    """Apply max(x, bottom) = relu(x - bottom) + bottom, or min(x, top) = top - relu(top - x)."""
    end = bottom if bottom is not None else top
    if end is None:
        return
    trace.add(objects([-end]))
    if bottom is None:
        trace.multiply(objects([Fraction(-1)]))
    trace.activate(named("relu"))
    if bottom is None:
        trace.multiply(objects([Fraction(-1)]))
    trace.add(objects([end]))


def _power(call: Call) -> None:
    call.node.allow()
    call.first()
    exponent = call.constant(call.node.input(1))
    if exponent.size != 1 or exponent.ravel()[0] != 2:
        raise NotSupportedError("its exponent must be 2.")
    call.keep_shape(exponent)
    call.trace.activate(named("square"))


_OPERATORS: dict[str, Callable[[Call], None]] = {
    "Add": _add,
    "AveragePool": _average_pool,
    "BatchNormalization": _normalise,
    "Cast": _cast,
    "Clip": _clip,
    "Conv": _convolve,
    "Div": _divide,
    "Dropout": _dropout,
    "Flatten": _flatten,
    "Gemm": _gemm,
    "GlobalAveragePool": _global_average_pool,
    "Identity": _identity,
    "MatMul": _matmul,
    "MaxPool": _max_pool,
    "Mul": _multiply,
    "Neg": _negate,
    "Pad": _pad,
    "Pow": _power,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Sub": _subtract,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
