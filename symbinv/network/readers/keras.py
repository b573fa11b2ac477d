"""Keras Sequential models, in memory or as .keras and .h5 files.

Files are opened by Keras itself in its safe mode, after `keras_file` has looked at what they declare. Tensors
of Keras have their channels last; they are moved to the front for a convolution or pool, and back.
"""

import importlib.util
import json
import os
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symbinv.errors import NotSupportedError, ReadError
from symbinv.exact.policy import Policy, Rationalize, to_fraction
from symbinv.network.network import Network
from symbinv.network.readers import images, keras_file, limits
from symbinv.network.readers.named import indexed, named
from symbinv.network.readers.rational import objects, square_root
from symbinv.network.readers.reference import UNITS, check_parity
from symbinv.network.readers.source import place, show
from symbinv.network.readers.trace import Trace
from symbinv.network.readers.windows import Window, same_padding

Array = NDArray[Any]


def read_keras(path: Path, *, policy: Policy = "exact", check: bool = True) -> Network:
    """Return the network of a .keras or .h5 file.

    Raises:
        ReadError: Where Keras cannot open the file.
        NotSupportedError: For layers without an exact counterpart, or where Keras is absent.
    """
    keras_file.inspect(path, frozenset({*_LAYERS, *_ACTIVATION_LAYERS, "InputLayer"}))
    keras = _import_keras()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = keras.saving.load_model(str(path), compile=False, safe_mode=True)
    except Exception as error:  # Keras documents no class of errors for damaged files
        raise ReadError(f"must be a model that Keras opens; Keras says: {show(error, 200)}") from error
    return read_sequential(model, policy=policy, check=check)


def read_sequential(model: Any, *, policy: Policy = "exact", check: bool = True) -> Network:
    """Return the network of a keras.Sequential.

    Raises:
        NotSupportedError: For a layer that has no exact counterpart, by its name.
    """
    layers = _flatten(model, "the model")
    shape = getattr(model, "input_shape", None) if getattr(model, "built", False) else None
    if not isinstance(shape, tuple) or not layers or len(shape) < 2:
        raise NotSupportedError(
            "a Sequential must have layers and know the shape of its input; begin it with an Input."
        )
    open_axes = len(shape) - next((k for k, size in enumerate(reversed(shape)) if size is None), len(shape))
    batch = shape[: max(open_axes, 1)]
    if any(size is not None for size in batch[1:]) or len(batch) == len(shape):
        raise NotSupportedError(f"the sizes of one point must be declared, not left open as in {shape}.")
    shape = (1,) * len(batch) + shape[len(batch) :]
    trace = Trace(shape, policy, batch)
    for layer in layers:
        with place(f"layer {show(layer.name, 60)!r} ({show(type(layer).__name__, 40)})"):
            _read_layer(layer, trace)
    found = trace.chain.finish()
    network = Network(
        found,
        indexed(_name_of(model.inputs), found[0].weights.columns),
        indexed(str(layers[-1].name), found[-1].weights.rows),
        None,
        tuple(dict.fromkeys(trace.notes)),
    )
    if check and not isinstance(policy, Rationalize):
        computed = str(getattr(model, "compute_dtype", ""))
        precision = computed if computed in UNITS else "float16"
        network = replace(
            network, notes=(*network.notes, check_parity(network, _runner(model, shape), precision, "keras"))
        )
    return network


def _name_of(tensors: Any) -> str:
    return str(getattr(tensors[0], "name", "")) if tensors else ""


def _class_of(layer: Any) -> str:
    """Return the nearest class of Keras's own that a layer belongs to."""
    return next((c.__name__ for c in type(layer).__mro__ if c.__module__.startswith("keras.")), type(layer).__name__)


def _own_call(layer: Any, name: str) -> None:
    base: Any = next((c for c in type(layer).__mro__ if c.__module__.startswith("keras.")), None)
    own: Any = type(layer)
    if base is None or own.call is not base.call or own.__call__ is not base.__call__ or "call" in vars(layer):
        raise NotSupportedError(f"{name}: a class with a call of its own is not supported.")


def _flatten(model: Any, name: str) -> list[Any]:
    _own_call(model, name)
    layers: list[Any] = []
    for layer in model.layers:
        layers += _flatten(layer, show(layer.name, 60)) if _class_of(layer) == "Sequential" else [layer]
    return layers


def _read_layer(layer: Any, trace: Trace) -> None:
    kind = _class_of(layer)
    _own_call(layer, "it")
    if kind in _ACTIVATION_LAYERS:
        _ACTIVATION_LAYERS[kind](layer, trace)
    elif kind in _LAYERS:
        _LAYERS[kind](layer, trace)
    else:
        known = ", ".join(sorted({*_LAYERS, *_ACTIVATION_LAYERS}))
        raise NotSupportedError(f"the layer {show(kind, 40)} is not supported; {known} are.")


def _array(variable: Any) -> Array:
    value = variable
    if hasattr(value, "numpy"):
        value = value.detach().cpu().numpy() if hasattr(value, "detach") else value.numpy()
    array = np.array(value)
    limits.entries(array.shape, "a weight")
    if array.dtype.kind != "f" or array.dtype.itemsize > 8:
        raise NotSupportedError(f"weights must be floats of at most 64 bits, not {array.dtype}.")
    return array


# -- layers -----------------------------------------------------------------------------------------------


def _dense(layer: Any, trace: Trace) -> None:
    if getattr(layer, "quantization_mode", None) or getattr(layer, "lora_enabled", False):
        raise NotSupportedError("quantised and LoRA layers are not supported.")
    trace.matmul(_array(layer.kernel), _array(layer.bias) if layer.use_bias else None)
    _function(layer.activation, trace)


def _convolve(layer: Any, trace: Trace) -> None:
    kernel = np.moveaxis(_array(layer.kernel), (-1, -2), (0, 1))
    bias = _array(layer.bias) if layer.use_bias else None
    window = _window(layer, trace, kernel.shape[2:], layer.strides, layer.dilation_rate)
    _channels_first(layer, trace, lambda: images.convolve(trace, kernel, bias, window, int(layer.groups)))
    _function(layer.activation, trace)


def _pool(layer: Any, trace: Trace, *, largest: bool) -> None:
    axes = len(trace.shape) - 2
    size = (layer.pool_size,) * axes if isinstance(layer.pool_size, int) else tuple(layer.pool_size)
    strides = (layer.strides,) * axes if isinstance(layer.strides, int) else tuple(layer.strides or size)
    window = _window(layer, trace, size, strides, (1,) * axes)
    if largest:
        _channels_first(layer, trace, lambda: images.max_pool(trace, window))
    else:
        _channels_first(layer, trace, lambda: images.average_pool(trace, window, count_padding=False))


def _window(layer: Any, trace: Trace, kernel: Any, strides: Any, dilations: Any) -> Window:
    sizes = trace.shape[1:-1] if layer.data_format == "channels_last" else trace.shape[2:]
    if layer.padding not in ("valid", "same"):
        raise NotSupportedError(f"padding must be valid or same, not {layer.padding!r}.")
    mode = "VALID" if layer.padding == "valid" else "SAME_UPPER"
    before, after = same_padding(mode, sizes, tuple(kernel), tuple(strides), tuple(dilations))
    return Window(tuple(kernel), tuple(strides), tuple(dilations), before, after)


def _channels_first(layer: Any, trace: Trace, act: Callable[[], None]) -> None:
    if layer.data_format == "channels_first":
        act()
        return
    rank = len(trace.shape)
    trace.transpose((0, rank - 1, *range(1, rank - 1)))
    act()
    trace.transpose((0, *range(2, rank), 1))


def _global_average(layer: Any, trace: Trace) -> None:
    last = layer.data_format == "channels_last"
    sizes = trace.shape[1:-1] if last else trace.shape[2:]
    channels = trace.shape[-1] if last else trace.shape[1]
    ones, zeros = (1,) * len(sizes), (0,) * len(sizes)
    _channels_first(
        layer, trace, lambda: images.average_pool(trace, Window(sizes, ones, ones, zeros, zeros), count_padding=False)
    )
    if not layer.keepdims:
        trace.reshape((-1, channels))


def _normalise(layer: Any, trace: Trace) -> None:
    if getattr(layer, "renorm", False):
        raise NotSupportedError("renorm is not supported.")
    axis = layer.axis if isinstance(layer.axis, int) else next(iter(layer.axis))
    scale, bias = _array(layer.gamma) if layer.scale else None, _array(layer.beta) if layer.center else None
    epsilon = to_fraction(float(layer.epsilon), trace.policy)
    trace.normalise(axis, scale, bias, _array(layer.moving_mean), _array(layer.moving_variance), epsilon)


def _standardise(layer: Any, trace: Trace) -> None:
    if layer.invert or getattr(layer, "mean", None) is None:
        raise NotSupportedError("must be adapted, and not inverted.")
    mean, variance = _array(layer.mean), _array(layer.variance)
    factors, rounded = [], False
    for value in variance.ravel():
        exact = trace.number(value)
        below, is_exact = square_root(exact) if exact else (Fraction(0), True)
        rounded = rounded or not is_exact
        factors.append(1 / max(below, to_fraction(1e-7)))
    trace.add(-mean)
    trace.multiply(objects(factors).reshape(variance.shape))
    note = "; irrational square roots were rounded to doubles" if rounded else ""
    trace.notes.append(f"a Normalization was folded into the next layer{note}")


def _rescale(layer: Any, trace: Trace) -> None:
    for value, apply in ((layer.scale, trace.multiply), (layer.offset, trace.add)):
        apply(np.asarray(value, dtype=np.float64))


def _flat(layer: Any, trace: Trace) -> None:
    if layer.data_format == "channels_first" and len(trace.shape) > 2:
        raise NotSupportedError("flattening channels_first is not supported.")
    trace.reshape((-1, prod(trace.shape[1:])), zero_copies=False)


def _reshape(layer: Any, trace: Trace) -> None:
    total, sizes = prod(trace.shape[1:]), [int(size) for size in layer.target_shape]
    known = prod(size for size in sizes if size != -1)
    if sizes.count(-1) == 1 and known > 0 and total % known == 0:
        sizes[sizes.index(-1)] = total // known
    trace.reshape((-1, *sizes), zero_copies=False)


def _permute(layer: Any, trace: Trace) -> None:
    trace.transpose((0, *(int(axis) for axis in layer.dims)))


def _pad(layer: Any, trace: Trace) -> None:
    pairs = layer.padding if isinstance(layer.padding[0], tuple | list) else [layer.padding]
    pads = [(0, 0), *((int(a), int(b)) for a, b in pairs)]
    last = getattr(layer, "data_format", "channels_last") == "channels_last"
    pads = [*pads, (0, 0)] if last else [pads[0], (0, 0), *pads[1:]]
    trace.pad([a for a, _ in pads], [b for _, b in pads])


def _nothing(layer: Any, trace: Trace) -> None:
    """Change nothing: what is random in training does nothing afterwards."""


_LAYERS: dict[str, Callable[[Any, Trace], None]] = {
    "InputLayer": _nothing,
    "Dense": _dense,
    "Conv1D": _convolve,
    "Conv2D": _convolve,
    "Conv3D": _convolve,
    "MaxPooling1D": lambda layer, trace: _pool(layer, trace, largest=True),
    "MaxPooling2D": lambda layer, trace: _pool(layer, trace, largest=True),
    "AveragePooling1D": lambda layer, trace: _pool(layer, trace, largest=False),
    "AveragePooling2D": lambda layer, trace: _pool(layer, trace, largest=False),
    "GlobalAveragePooling1D": _global_average,
    "GlobalAveragePooling2D": _global_average,
    "BatchNormalization": _normalise,
    "Normalization": _standardise,
    "Rescaling": _rescale,
    "Flatten": _flat,
    "Reshape": _reshape,
    "Permute": _permute,
    "ZeroPadding1D": _pad,
    "ZeroPadding2D": _pad,
    "Dropout": _nothing,
    "SpatialDropout1D": _nothing,
    "SpatialDropout2D": _nothing,
    "GaussianDropout": _nothing,
    "GaussianNoise": _nothing,
    "Identity": _nothing,
    "ActivityRegularization": _nothing,
}

# -- activations ------------------------------------------------------------------------------------------

# Keras's function -> (name in our table, parameters that it uses where none are given)
_FUNCTIONS: dict[str, tuple[str, dict[str, float]]] = {
    "linear": ("identity", {}),
    "relu": ("relu", {}),
    "leaky_relu": ("leaky_relu", {"alpha": 0.2}),
    "sigmoid": ("sigmoid", {}),
    "tanh": ("tanh", {}),
    "softplus": ("softplus", {}),
    "softmax": ("softmax", {}),
    "softsign": ("softsign", {}),
    "elu": ("elu", {"alpha": 1.0}),
    "celu": ("celu", {"alpha": 1.0}),
    "selu": ("selu", {}),
    "exponential": ("exp", {}),
    "silu": ("silu", {}),
    "gelu": ("gelu", {}),
    "relu6": ("relu6", {}),
    "hard_tanh": ("hard_tanh", {}),
    "hard_sigmoid": ("hard_sigmoid", {}),
    "log_softmax": ("log_softmax", {}),
    "mish": ("mish", {}),
}


def _function(function: Any, trace: Trace) -> None:
    if function is None:
        return
    kind = type(function).__name__
    if kind in _ACTIVATION_LAYERS and type(function).__module__.startswith("keras."):
        _read_layer(function, trace)
        return
    name = str(getattr(function, "__name__", kind))
    if name not in _FUNCTIONS or not str(getattr(function, "__module__", "")).startswith("keras."):
        raise NotSupportedError(f"the activation {show(name, 40)!r} is not supported; {', '.join(_FUNCTIONS)} are.")
    ours, parameters = _FUNCTIONS[name]
    if ours in ("softmax", "log_softmax"):
        trace.softmax(named(ours), -1)
        return
    if ours == "hard_sigmoid":
        trace.activate(named(ours, {"alpha": Fraction(1, 6)}))  # Keras 3 means relu6(x + 3) / 6
        return
    trace.activate(named(ours, {key: trace.number(value) for key, value in parameters.items()}))


def _relu_layer(layer: Any, trace: Trace) -> None:
    if layer.max_value is not None or layer.threshold:
        raise NotSupportedError("a largest value or a threshold is not supported.")
    trace.activate(named("leaky_relu", {"alpha": trace.number(float(layer.negative_slope or 0.0))}))


def _softmax_layer(layer: Any, trace: Trace) -> None:
    if not isinstance(layer.axis, int):
        raise NotSupportedError("softmax must be along one axis.")
    trace.softmax(named("softmax"), layer.axis)


_ACTIVATION_LAYERS: dict[str, Callable[[Any, Trace], None]] = {
    "Activation": lambda layer, trace: _function(layer.activation, trace),
    "ReLU": _relu_layer,
    "LeakyReLU": lambda layer, trace: trace.activate(
        named("leaky_relu", {"alpha": trace.number(float(layer.negative_slope))})
    ),
    "ELU": lambda layer, trace: trace.activate(named("elu", {"alpha": trace.number(float(layer.alpha))})),
    "Softmax": _softmax_layer,
}


def _runner(model: Any, shape: tuple[Any, ...]) -> Callable[[Array], Array]:
    def run(x: Array) -> Array:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = model(x.reshape(len(x), *shape[1:]).astype(np.float32), training=False)
        return _array(found).astype(np.float64).reshape(len(x), -1)

    return run


def _import_keras() -> Any:
    if "keras" not in sys.modules and "KERAS_BACKEND" not in os.environ and not _is_present(_configured()):
        # what is configured (tensorflow, where nothing is) cannot be imported: take what can
        os.environ["KERAS_BACKEND"] = next(name for name in ("torch", "jax", "numpy") if _is_present(name))
    try:
        import keras
    except ImportError as error:
        raise NotSupportedError(
            f"the package keras with a backend is needed: pip install symbinv[keras]; {show(error, 100)}."
        ) from error
    return keras


def _is_present(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _configured() -> str:
    """Return the backend that Keras's own configuration file names, tensorflow where it names none."""
    base = os.environ.get("KERAS_HOME")
    path = (Path(base) if base else Path.home() / ".keras") / "keras.json"
    try:
        content = json.loads(path.read_text())
        name = content.get("backend", "tensorflow")
    except (OSError, ValueError, AttributeError):
        return "tensorflow"
    return name if name in ("tensorflow", "torch", "jax", "numpy", "openvino") else "tensorflow"
