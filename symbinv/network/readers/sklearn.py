"""scikit-learn's fitted MLPs, alone or at the end of a Pipeline of scalers.

Scalers are folded exactly into the first layer: StandardScaler maps x to (x - mean_) / scale_, MinMaxScaler to
x * scale_ + min_, MaxAbsScaler to x / scale_. The output activation is `out_activation_`, so that a binary
classifier is a network of one logistic output, the probability of its second class. This module imports
nothing of scikit-learn: it reads the attributes that fitting has set.
"""

import warnings
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symbinv.errors import NotSupportedError, ReadError
from symbinv.exact.policy import Policy, Rationalize
from symbinv.network.activation import ACTIVATIONS, activation
from symbinv.network.network import Network
from symbinv.network.readers import limits
from symbinv.network.readers.rational import objects
from symbinv.network.readers.reference import check_parity
from symbinv.network.readers.source import place, show
from symbinv.network.readers.trace import Trace

Array = NDArray[Any]

_NAMES = {"logistic": "sigmoid"}


def read_estimator(model: Any, *, policy: Policy = "exact", check: bool = True) -> Network:
    """Return the network of a fitted MLPClassifier or MLPRegressor."""
    return _read([], model, model, policy, check)


def read_pipeline(model: Any, *, policy: Policy = "exact", check: bool = True) -> Network:
    """Return the network of a fitted Pipeline that ends in an MLP, its scalers folded into the first layer."""
    steps = _flatten(model)
    if not steps or _class_of(steps[-1]) not in ("MLPClassifier", "MLPRegressor"):
        last = _class_of(steps[-1]) if steps else "nothing"
        raise NotSupportedError(f"a pipeline must end in an MLPClassifier or MLPRegressor, not in {last}.")
    return _read(steps[:-1], steps[-1], model, policy, check)


def _flatten(pipeline: Any) -> list[Any]:
    steps: list[Any] = []
    for _, step in pipeline.steps:
        if step is None or (isinstance(step, str) and step == "passthrough"):
            continue
        steps += _flatten(step) if _class_of(step) == "Pipeline" else [step]
    return steps


def _class_of(value: Any) -> str:
    """Return the nearest class of scikit-learn's own that an object belongs to."""
    for cls in type(value).__mro__:
        if cls.__module__.partition(".")[0] == "sklearn":
            return str(cls.__name__)
    return show(type(value).__qualname__)


def _read(scalers: list[Any], mlp: Any, model: Any, policy: Policy, check: bool) -> Network:
    if not hasattr(mlp, "coefs_") or not hasattr(mlp, "out_activation_"):
        raise NotSupportedError(f"an {_class_of(mlp)} must be fitted before it is read.")
    coefs, intercepts = list(mlp.coefs_), list(mlp.intercepts_)
    if len(coefs) != len(intercepts) or not coefs or any(np.ndim(c) != 2 for c in coefs):
        raise ReadError(f"an {_class_of(mlp)} must have a matrix in coefs_ and a vector in intercepts_ per layer.")
    trace = Trace((len(coefs[0]),), policy)
    for step, scaler in enumerate(scalers, start=1):
        with place(f"step {step} ({_class_of(scaler)})"):
            _scale(trace, scaler)
    for layer, (coef, intercept) in enumerate(zip(coefs, intercepts, strict=True), start=1):
        with place(f"layer {layer}"):
            name = mlp.activation if layer < len(coefs) else mlp.out_activation_
            trace.matmul(_floats(coef), _floats(intercept))
            _activate(trace, name)
    names = getattr(scalers[0] if scalers else mlp, "feature_names_in_", ())
    layers = trace.chain.finish()
    network = Network(
        layers,
        tuple(str(n) for n in names),
        _outputs(mlp, layers[-1].weights.rows),
        None,
        tuple(trace.notes),
    )
    if check and not isinstance(policy, Rationalize):
        precision = np.result_type(*coefs).name
        note = check_parity(network, _runner(model, mlp), precision, "scikit-learn", _points(scalers, network))
        network = replace(network, notes=(*network.notes, note))
    return network


def _activate(trace: Trace, name: Any) -> None:
    ours = _NAMES.get(name, name)
    if ours not in ACTIVATIONS:
        raise NotSupportedError(f"the activation {show(name, 40)!r} is not supported; {', '.join(ACTIVATIONS)} are.")
    if ours == "identity":
        return
    trace.activate(activation(ours))


def _scale(trace: Trace, scaler: Any) -> None:
    name = _class_of(scaler)
    if name not in _SCALERS:
        raise NotSupportedError(f"a step before the network must be one of {', '.join(_SCALERS)}.")
    if getattr(scaler, "clip", False):
        raise NotSupportedError("clip=True is not supported: it is not affine.")
    if not hasattr(scaler, "n_features_in_"):
        raise NotSupportedError("must be fitted before it is read.")
    _SCALERS[name](trace, scaler)
    trace.notes.append(f"a {name} was folded exactly into the first layer")


def _standard(trace: Trace, scaler: Any) -> None:
    if scaler.with_mean and scaler.mean_ is not None:
        trace.add(-_floats(scaler.mean_))
    if scaler.with_std and scaler.scale_ is not None:
        trace.multiply(_reciprocals(trace, scaler.scale_))


def _min_max(trace: Trace, scaler: Any) -> None:
    trace.multiply(_floats(scaler.scale_))
    trace.add(_floats(scaler.min_))


def _max_abs(trace: Trace, scaler: Any) -> None:
    trace.multiply(_reciprocals(trace, scaler.scale_))


_SCALERS: dict[str, Callable[[Trace, Any], None]] = {
    "StandardScaler": _standard,
    "MinMaxScaler": _min_max,
    "MaxAbsScaler": _max_abs,
}


def _reciprocals(trace: Trace, values: Any) -> Array:
    exact = [trace.number(v) for v in _floats(values)]
    if any(v == Fraction(0) for v in exact):
        raise ReadError("scales must not be 0.")
    return objects([1 / v for v in exact])


def _floats(values: Any) -> Array:
    array = np.asarray(values)
    if array.dtype.kind != "f" or array.dtype.itemsize > 8:
        raise NotSupportedError(f"fitted attributes must be floats of at most 64 bits, not {array.dtype}.")
    limits.entries(array.shape, "a fitted attribute")
    return array


def _outputs(mlp: Any, count: int) -> tuple[str, ...]:
    classes = [str(c) for c in np.ravel(getattr(mlp, "classes_", []))]
    if count == 1 and len(classes) == 2:
        return (classes[1],)
    return tuple(classes) if len(classes) == count else ()


def _points(scalers: list[Any], network: Network) -> Array:
    """Return points near the training data: what the scalers map to standard normals."""
    points = np.random.default_rng(0).standard_normal((3, network.sizes[0]))
    for scaler in reversed(scalers):
        points = scaler.inverse_transform(points)
    return np.asarray(points, dtype=np.float64)


def _runner(model: Any, mlp: Any) -> Callable[[Array], Array]:
    def run(x: Array) -> Array:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # arrays carry no feature names
            if not hasattr(mlp, "classes_"):
                return np.asarray(model.predict(x)).reshape(len(x), -1)
            found = np.asarray(model.predict_proba(x))
        return found[:, 1:] if mlp.n_outputs_ == 1 and found.shape[1] == 2 else found

    return run
