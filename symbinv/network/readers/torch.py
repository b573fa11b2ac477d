"""torch's nn.Sequential, nested or not.

Modules are recognised by the names of their classes; a derived class with a forward map of its own is refused,
and so is what is random or depends on the batch (Dropout and BatchNorm in training mode).
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symbinv.errors import NotSupportedError, OptionError
from symbinv.exact.policy import Policy, Rationalize, to_fraction
from symbinv.network.network import Network
from symbinv.network.readers import images, limits
from symbinv.network.readers.named import named
from symbinv.network.readers.rational import objects
from symbinv.network.readers.reference import check_parity, sample_inputs
from symbinv.network.readers.source import place, show
from symbinv.network.readers.trace import Trace
from symbinv.network.readers.windows import Window

Array = NDArray[Any]


def array(tensor: Any) -> Array:
    """Return a tensor as an array of its own type.

    Raises:
        NotSupportedError: For types other than floats of 16 to 64 bits, and for sparse or quantised tensors.
    """
    limits.entries(tuple(tensor.shape), "a tensor")
    if (
        str(tensor.dtype) not in ("torch.float16", "torch.float32", "torch.float64")
        or str(tensor.layout) != "torch.strided"
    ):
        raise NotSupportedError(f"must be a dense tensor of floats of 16 to 64 bits, not {tensor.dtype}.")
    try:
        return np.array(tensor.detach().cpu().numpy())
    except (RuntimeError, TypeError) as error:
        raise NotSupportedError(f"its values cannot be read: {show(error, 120)}.") from error


def import_torch() -> Any:
    """Return torch, or say how to install it."""
    try:
        import torch
    except ImportError as error:
        raise NotSupportedError("the package torch is needed: pip install symbinv[torch].") from error
    return torch


# -- modules ----------------------------------------------------------------------------------------------


def read_sequential(
    model: Any, *, policy: Policy = "exact", check: bool = True, input_shape: Sequence[int] | None = None
) -> Network:
    """Return the network of an nn.Sequential.

    Args:
        model: The module, in evaluation mode where it holds BatchNorm or Dropout.
        policy: What a stored float stands for.
        check: Compare with the module at a few points.
        input_shape: Of one point, such as (1, 8, 8); needed where the first module does not tell it.

    Raises:
        NotSupportedError: For a module that has no exact counterpart, by its place.
    """
    modules = _flatten(model, "")
    shape = _input_shape(modules, input_shape)
    trace = Trace((1, *shape), policy, (None,))
    for name, module in modules:
        with place(f"module {name} ({show(type(module).__name__, 40)})"):
            _read_module(module, trace)
    network = Network(trace.chain.finish(), notes=tuple(dict.fromkeys(trace.notes)))
    if check and not isinstance(policy, Rationalize):
        note = check_parity(network, *_runner(model, shape), sample_inputs(network))
        network = replace(network, notes=(*network.notes, note))
    return network


def _flatten(model: Any, prefix: str) -> list[tuple[str, Any]]:
    modules: list[tuple[str, Any]] = []
    _own_forward(model, prefix or "the model")
    for name, module in model._modules.items():
        nested = _class_of(module) == "Sequential"
        modules += _flatten(module, f"{prefix}{name}.") if nested else [(f"{prefix}{show(name, 40)}", module)]
    return modules


def _class_of(module: Any) -> str:
    """Return the nearest class of torch's own that a module belongs to."""
    return next((c.__name__ for c in type(module).__mro__ if c.__module__.startswith("torch.")), type(module).__name__)


def _own_forward(module: Any, name: str) -> None:
    base: Any = next((c for c in type(module).__mro__ if c.__module__.startswith("torch.")), None)
    own: Any = type(module)
    if base is None or own.forward is not base.forward or "forward" in vars(module):
        raise NotSupportedError(f"{name}: a class with a forward map of its own is not supported.")
    if module._forward_hooks or module._forward_pre_hooks:
        raise NotSupportedError(f"{name}: a module with forward hooks is not supported.")


def _input_shape(modules: list[tuple[str, Any]], given: Sequence[int] | None) -> tuple[int, ...]:
    if given is not None:
        shape = tuple(int(size) for size in given)
        if not shape or any(size < 1 for size in shape):
            raise OptionError(f"input_shape must have positive sizes, not {tuple(given)}.")
        return shape
    for _, module in modules:
        kind = _class_of(module)
        if kind == "Linear":
            return (int(module.in_features),)
        if kind == "BatchNorm1d":
            return (int(module.num_features),)
        if kind not in _ACTIVATIONS and kind not in ("Identity", "Dropout"):
            break
    raise OptionError("the first module does not tell the input's shape; give input_shape=, such as (1, 28, 28).")


def _read_module(module: Any, trace: Trace) -> None:
    kind = _class_of(module)
    _own_forward(module, "it")
    if kind in _ACTIVATIONS:
        _ACTIVATIONS[kind](module, trace)
    elif kind in _MODULES:
        _MODULES[kind](module, trace)
    else:
        known = ", ".join(sorted({*_ACTIVATIONS, *_MODULES}))
        raise NotSupportedError(f"the module {show(kind, 40)} is not supported; {known} are.")


def _linear(module: Any, trace: Trace) -> None:
    trace.matmul(array(module.weight).T, None if module.bias is None else array(module.bias))


def _convolve(module: Any, trace: Trace) -> None:
    if module.padding_mode != "zeros":
        raise NotSupportedError(f"padding must be with zeros, not {module.padding_mode!r}.")
    weights = array(module.weight)
    axes = weights.ndim - 2
    if module.padding == "same":
        total = [d * (k - 1) for k, d in zip(module.kernel_size, module.dilation, strict=True)]
        before, after = tuple(t // 2 for t in total), tuple(t - t // 2 for t in total)
    else:
        before = after = (0,) * axes if module.padding == "valid" else _sizes(module.padding, axes)
    window = Window(tuple(module.kernel_size), tuple(module.stride), tuple(module.dilation), before, after)
    images.convolve(trace, weights, None if module.bias is None else array(module.bias), window, int(module.groups))


def _normalise(module: Any, trace: Trace) -> None:
    if module.training or module.running_mean is None:
        raise NotSupportedError("a BatchNorm must be in evaluation mode with running statistics; call model.eval().")
    scale, bias = (None if p is None else array(p) for p in (module.weight, module.bias))
    epsilon = to_fraction(float(module.eps), trace.policy)
    trace.normalise(1, scale, bias, array(module.running_mean), array(module.running_var), epsilon)


def _pool_window(module: Any, trace: Trace) -> Window:
    axes = len(trace.shape) - 2
    kernel = _sizes(module.kernel_size, axes)
    pad = _sizes(module.padding, axes)
    stride = _sizes(module.stride, axes)
    return Window(kernel, stride, _sizes(getattr(module, "dilation", 1), axes), pad, pad, bool(module.ceil_mode))


def _max_pool(module: Any, trace: Trace) -> None:
    if module.return_indices:
        raise NotSupportedError("return_indices is not supported.")
    images.max_pool(trace, _pool_window(module, trace))


def _average_pool(module: Any, trace: Trace) -> None:
    if getattr(module, "divisor_override", None) is not None:
        raise NotSupportedError("divisor_override is not supported.")
    images.average_pool(trace, _pool_window(module, trace), count_padding=bool(module.count_include_pad))


def _adaptive_pool(module: Any, trace: Trace) -> None:
    sizes = trace.shape[2:]
    ones, zeros = (1,) * len(sizes), (0,) * len(sizes)
    given = module.output_size if isinstance(module.output_size, tuple | list) else (module.output_size,) * len(sizes)
    if tuple(given) != ones:
        raise NotSupportedError("an adaptive pool must have output size 1.")
    images.average_pool(trace, Window(sizes, ones, ones, zeros, zeros), count_padding=False)


def _dropout(module: Any, trace: Trace) -> None:
    if module.training and module.p > 0:
        raise NotSupportedError("a Dropout in training mode is random; call model.eval().")


def _flat(module: Any, trace: Trace) -> None:
    rank = len(trace.shape)
    start, end = trace.axis(int(module.start_dim)), trace.axis(int(module.end_dim))
    shape = trace.shape
    if start == 0 and rank > 1:
        raise NotSupportedError("flattening the batch axis is not supported.")
    trace.reshape((-1, *shape[1:start], int(np.prod(shape[start : end + 1])), *shape[end + 1 :]), zero_copies=False)


def _unflatten(module: Any, trace: Trace) -> None:
    axis = trace.axis(int(module.dim))
    sizes = tuple(int(s) for s in module.unflattened_size)
    if axis == 0 or any(s < 1 for s in sizes):
        raise NotSupportedError("its sizes must be positive, and not of the batch axis.")
    trace.reshape((-1, *trace.shape[1:axis], *sizes, *trace.shape[axis + 1 :]), zero_copies=False)


def _pad(module: Any, trace: Trace) -> None:
    pads = [int(p) for p in module.padding]  # last axis first, before and after
    axes = len(pads) // 2
    before, after = list(reversed(pads[::2])), list(reversed(pads[1::2]))
    zeros = [0] * (len(trace.shape) - axes)
    value = trace.number(float(getattr(module, "value", 0.0)))
    trace.pad(zeros + before, zeros + after, value)


def _sizes(value: Any, axes: int) -> tuple[int, ...]:
    return (int(value),) * axes if isinstance(value, int) else tuple(int(v) for v in value)


_MODULES: dict[str, Callable[[Any, Trace], None]] = {
    "Linear": _linear,
    "Identity": lambda module, trace: None,
    "Dropout": _dropout,
    "Dropout1d": _dropout,
    "Dropout2d": _dropout,
    "AlphaDropout": _dropout,
    "Flatten": _flat,
    "Unflatten": _unflatten,
    "Conv1d": _convolve,
    "Conv2d": _convolve,
    "Conv3d": _convolve,
    "BatchNorm1d": _normalise,
    "BatchNorm2d": _normalise,
    "BatchNorm3d": _normalise,
    "MaxPool1d": _max_pool,
    "MaxPool2d": _max_pool,
    "AvgPool1d": _average_pool,
    "AvgPool2d": _average_pool,
    "AdaptiveAvgPool1d": _adaptive_pool,
    "AdaptiveAvgPool2d": _adaptive_pool,
    "ZeroPad1d": _pad,
    "ZeroPad2d": _pad,
    "ConstantPad1d": _pad,
    "ConstantPad2d": _pad,
}

# -- activations ------------------------------------------------------------------------------------------


def _plain(name: str, **fields: str) -> Callable[[Any, Trace], None]:
    """Return a reader of an activation whose parameters are the module's fields of these names."""

    def read(module: Any, trace: Trace) -> None:
        trace.activate(named(name, {key: trace.number(float(getattr(module, f))) for key, f in fields.items()}))

    return read


def _softmax(module: Any, trace: Trace) -> None:
    if module.dim is None and len(trace.shape) not in (2, 4):
        raise NotSupportedError("dim must be given: what torch takes in its place is the batch axis here.")
    axis = 1 if module.dim is None else module.dim
    trace.softmax(named("log_softmax" if _class_of(module) == "LogSoftmax" else "softmax"), int(axis))


def _gelu(module: Any, trace: Trace) -> None:
    if module.approximate != "none":
        raise NotSupportedError("an approximate GELU is not supported.")
    trace.activate(named("gelu"))


def _softplus(module: Any, trace: Trace) -> None:
    beta = trace.number(float(module.beta))
    if beta <= 0:
        raise NotSupportedError(f"beta must be positive, not {beta}.")
    trace.multiply(objects([beta]).reshape(()))
    trace.activate(named("softplus"))
    trace.multiply(objects([1 / beta]).reshape(()))
    trace.notes.append("torch's Softplus is linear above its threshold; the network here is smooth everywhere")


def _prelu(module: Any, trace: Trace) -> None:
    slopes: set[Fraction] = {trace.number(v) for v in array(module.weight)}
    if len(slopes) != 1:
        raise NotSupportedError(f"its slopes must be equal, not {len(slopes)} different ones.")
    trace.activate(named("leaky_relu", {"alpha": slopes.pop()}))


_ACTIVATIONS: dict[str, Callable[[Any, Trace], None]] = {
    "ReLU": _plain("relu"),
    "LeakyReLU": _plain("leaky_relu", alpha="negative_slope"),
    "PReLU": _prelu,
    "Sigmoid": _plain("sigmoid"),
    "Tanh": _plain("tanh"),
    "Softplus": _softplus,
    "Softmax": _softmax,
    "Softsign": _plain("softsign"),
    "ELU": _plain("elu", alpha="alpha"),
    "CELU": _plain("celu", alpha="alpha"),
    "SELU": _plain("selu"),
    "SiLU": _plain("silu"),
    "ReLU6": _plain("relu6"),
    "Hardtanh": _plain("hard_tanh", lower="min_val", upper="max_val"),
    "Hardsigmoid": lambda module, trace: trace.activate(named("hard_sigmoid", {"alpha": Fraction(1, 6)})),
    "GELU": _gelu,
    "LogSoftmax": _softmax,
    "Mish": _plain("mish"),
    "Hardswish": _plain("hard_swish"),
}


def _runner(model: Any, shape: tuple[int, ...]) -> tuple[Callable[[Array], Array], str, str]:
    torch = import_torch()
    types = {p.dtype for p in model.parameters()} or {torch.float32}
    dtype = torch.float32 if torch.float32 in types else next(iter(types))
    device = next((p.device for p in model.parameters()), torch.device("cpu"))

    def run(x: Array) -> Array:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = model(torch.tensor(x.reshape(len(x), *shape), dtype=dtype, device=device))
        return np.asarray(found.cpu().double().numpy()).reshape(len(x), -1)

    smooth = any(_class_of(module) == "Softplus" for module in model.modules())  # off by up to 2e-9 in torch
    return run, "float32" if smooth and dtype == torch.float64 else str(dtype).removeprefix("torch."), "torch"
