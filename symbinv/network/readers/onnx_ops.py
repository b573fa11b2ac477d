"""The operators of ONNX that have an exact counterpart, each one function on a Trace.

A node reaches its function with one input that depends on the network's input, at position `varying`; all
others are constants. An operator that is not in the tables is refused.
"""

from collections.abc import Callable
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
    if node.operator in ACTIVATION_OPERATORS:
        activate(call)
    elif node.operator in _OPERATORS:
        _OPERATORS[node.operator](call)
    else:
        known = ", ".join(sorted({*ACTIVATION_OPERATORS, *_OPERATORS}))
        raise NotSupportedError(f"the operator {show(node.operator, 40)} is not supported; {known} are.")


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
    exact = [call.trace.number(v) for v in fractions_if_small(below)]
    if any(v == 0 for v in exact):
        raise InexactError("a divisor must not be 0.")
    call.trace.multiply(objects([1 / v for v in exact]).reshape(below.shape))


def fractions_if_small(value: Array) -> list[Any]:
    """Return the entries of a constant, checked to be few enough for rational arithmetic."""
    fractions(value)
    return list(value.ravel())


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
    node.allow("alpha", "beta", "transA", "transB", "broadcast")
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


def _window(call: Call, kernel: tuple[int, ...], *, ceil: bool = False) -> Window:
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
    return Window(kernel, strides, dilations, before, after, ceil)


def _convolve(call: Call) -> None:
    node = call.node
    node.allow("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")
    call.first()
    weights = call.need(1)
    kernel = node.integers("kernel_shape", tuple(weights.shape[2:])) or ()
    images.convolve(call.trace, weights, call.floats(2), _window(call, kernel), node.integer("group", 1))


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
    if node.input(3):
        raise NotSupportedError("padding along chosen axes is not supported.")
    if call.opset < 11:
        pads, value = list(node.integers("pads", ()) or ()), call.number("value", 0.0)
    else:
        constants = _constants(call)
        if not constants:
            raise ReadError("pads must be given.")
        pads = integers(constants[0], "pads")
        given = call.floats(2)
        if given is not None and given.size != 1:
            raise ReadError("the value must be one number.")
        value = Fraction(0) if given is None else trace.number(given.ravel()[0])
    half = len(pads) // 2
    trace.pad(pads[:half], pads[half:], value)


def _identity(call: Call) -> None:
    call.node.allow()


def _dropout(call: Call) -> None:
    call.node.allow("ratio", "seed", "is_test")
    call.first()
    if any(call.node.outputs[1:]) and call.opset < 10:
        pass  # the mask is not used: a value of the chain has one user
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
        low, high = (
            default if v is None else v.ravel()[0] for v, default in zip(given, (-np.inf, np.inf), strict=True)
        )
    top = None if high >= np.finfo(np.float32).max else call.trace.number(high)
    bottom = None if low <= np.finfo(np.float32).min else call.trace.number(low)
    if bottom == 0 and top is None:
        call.trace.activate(named("relu"))
    elif bottom is None or top is None:
        raise NotSupportedError(f"its ends must be numbers, or 0 and infinity as relu has them, not {low} and {high}.")
    elif bottom == 0 and top == 6:
        call.trace.activate(named("relu6"))
    else:
        call.trace.activate(named("hard_tanh", {"lower": bottom, "upper": top}))


def _power(call: Call) -> None:
    call.node.allow()
    call.first()
    exponent = call.constant(call.node.input(1))
    if exponent.size != 1 or exponent.ravel()[0] != 2:
        raise NotSupportedError("its exponent must be 2.")
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
