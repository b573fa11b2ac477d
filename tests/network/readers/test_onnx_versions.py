"""What an operator means in each version, with its defaults left out; and what must not be guessed."""

from fractions import Fraction

import numpy as np
import pytest

from symbinv.errors import NotSupportedError, ReadError
from symbinv.exact.policy import rationalize
from symbinv.network.readers.load import load

onnx = pytest.importorskip("onnx")

from onnx import helper  # noqa: E402

from tests.network.readers.models import agrees, chain, ints, model, values  # noqa: E402

POOL = {"kernel_shape": [3, 2], "strides": [2, 3]}
STATS = [values(2), values(2), values(2), values(2) + np.float32(2)]

# name -> (operator, constants, attributes), shape, versions
SAME_IN_ALL = {
    "elu": (("Elu", [], {}), (1, 3), (7, 22)),
    "leaky relu": (("LeakyRelu", [], {}), (1, 3), (7, 16)),
    "leaky relu that turns": (("LeakyRelu", [], {"alpha": -0.5}), (1, 3), (7, 16)),
    "selu": (("Selu", [], {}), (1, 3), (7, 22)),
    "hard sigmoid": (("HardSigmoid", [], {}), (1, 3), (7, 22)),
    "hard sigmoid with both": (("HardSigmoid", [], {"alpha": 0.7, "beta": 0.1}), (1, 3), (7,)),
    "softmax": (("Softmax", [], {}), (1, 3), (7, 11, 13)),
    "log-softmax": (("LogSoftmax", [], {}), (1, 3), (7, 11, 13)),
    "softmax along the last axis": (("Softmax", [], {"axis": -1}), (1, 3), (11, 13)),
    "flatten": (("Flatten", [], {}), (1, 2, 3), (7, 9, 21)),
    "normalisation": (("BatchNormalization", STATS, {}), (1, 2, 3), (7, 9, 14, 15)),
    "normalisation with a wide epsilon": (("BatchNormalization", STATS, {"epsilon": 3.0}), (1, 2), (9, 15)),
    "spatial normalisation": (("BatchNormalization", STATS, {"spatial": 1, "momentum": 0.3}), (1, 2, 3), (7,)),
    "average pool": (("AveragePool", [], POOL), (1, 1, 7, 7), (7, 11, 19)),
    "average of padding": (
        ("AveragePool", [], {**POOL, "pads": [1, 0, 2, 1], "count_include_pad": 1}),
        (1, 1, 6, 7),
        (7, 19),
    ),
    "average without padding": (("AveragePool", [], {**POOL, "pads": [1, 0, 2, 1]}), (1, 1, 6, 7), (7, 19)),
    "average up to the end": (
        ("AveragePool", [], {**POOL, "pads": [1, 0, 2, 1], "ceil_mode": 1}),
        (1, 1, 6, 7),
        (11, 19, 22),
    ),
    "average with gaps": (("AveragePool", [], {**POOL, "dilations": [2, 3]}), (1, 1, 7, 8), (19, 22)),
    "average with gaps and padding": (
        ("AveragePool", [], {**POOL, "dilations": [2, 3], "pads": [2, 1, 1, 0], "count_include_pad": 1}),
        (1, 1, 7, 8),
        (19, 22),
    ),
    "max pool": (("MaxPool", [], {**POOL, "pads": [1, 0, 2, 1]}), (1, 1, 6, 7), (7, 8, 12)),
    "max pool with gaps": (
        ("MaxPool", [], {**POOL, "dilations": [2, 1], "ceil_mode": 1, "storage_order": 1}),
        (1, 1, 8, 7),
        (10, 12, 22),
    ),
    "padding of both kinds of ends": (
        ("Conv", [values(1, 1, 2, 3)], {"pads": [0, 2, 1, 1], "dilations": [2, 1]}),
        (1, 1, 5, 4),
        (7, 11, 22),
    ),
    "no stride along one axis": (
        ("Conv", [values(2, 1, 1, 1)], {"auto_pad": "SAME_LOWER", "strides": [1, 2]}),
        (1, 1, 3, 4),
        (7, 22),
    ),
    "third factor of a product": (("Gemm", [values(3, 2), values(1, 1)], {"beta": 0.5}), (1, 3), (7, 9, 11, 13)),
    "a squeeze of all": (("Squeeze", [], {}), (1, 3, 1), (7, 11, 13, 21)),
    "a number at every place of a shape": (("Reshape", [ints(0, 1, -1)], {}), (1, 3), (7, 13, 14, 21)),
}


@pytest.mark.parametrize("name", SAME_IN_ALL)
def test_an_operator_agrees_with_the_runtime_in_every_version(name):
    step, shape, versions = SAME_IN_ALL[name]
    for opset in versions:
        agrees(chain(step, shape=shape, opset=opset))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_the_ends_of_a_clip(dtype):
    number = np.dtype(dtype).type
    for low, high in [(0, None), (None, 0.25), (-0.5, None), (-0.5, 0.25), (0, 6), (None, None)]:
        ends = [None if end is None else number(end) for end in (low, high)]
        agrees(chain(("Clip", ends[: 2 if high is not None else 1], {}), shape=(1, 3), dtype=dtype))
        old = {name: float(end) for name, end in (("min", low), ("max", high)) if end is not None}
        agrees(chain(("Clip", [], old), shape=(1, 3), dtype=dtype, opset=10))


def test_the_largest_float32_is_no_bound_in_float32_and_one_in_float64():
    most = float(np.finfo(np.float32).max)
    assert load(chain(("Clip", [None, np.float32(most)], {}), shape=(1, 1))).forward([2**200]) == (2**200,)
    double = load(chain(("Clip", [None, np.float64(most)], {}), shape=(1, 1), dtype="f8"))
    assert double.forward([2**200]) == (int(most),)


def test_pads_of_some_axes():
    pad = ("Pad", [ints(1, 0, 0, 2), np.float32(0.5), ints(-1, 1)], {})
    agrees(chain(pad, shape=(1, 2, 3), opset=18), (6, 16))
    with pytest.raises(ReadError, match="one entry per axis"):
        load(chain(("Pad", [ints(1, 1), np.float32(0), ints(1, 2)], {}), shape=(1, 2, 3), opset=18))


def test_arithmetic_between_constants_follows_the_policy():
    nodes = [helper.make_node("Mul", ["u", "v"], ["w"]), helper.make_node("MatMul", ["x", "w"], ["y"])]
    proto = model(nodes, {"u": np.float32([[0.1]]), "v": np.float32([[0.3]])}, (1, 1))
    exact = Fraction(*np.float32(0.1).as_integer_ratio()) * Fraction(*np.float32(0.3).as_integer_ratio())
    found = [load(proto, policy=p).layers[0].weights.fraction(0, 0) for p in ("exact", "decimal", rationalize(10))]
    assert found == [exact, Fraction(3, 100), Fraction(3, 100)]


def mask(last):
    """A model whose output is made of the mask of a Dropout."""
    nodes = [helper.make_node("Dropout", ["x"], ["a", "b"]), helper.make_node("Not", ["b"], ["c"])]
    return model(nodes[: 1 if last == "b" else 2], {}, (1, 2), out=last)


def redefined():
    proto = chain(("Relu", [], {}), shape=(1, 2))
    node = helper.make_node("Neg", ["u"], ["v"])
    proto.functions.append(helper.make_function("", "Relu", ["u"], ["v"], [node], [helper.make_opsetid("", 17)]))
    return proto


def one(operator, constants, attributes, shape, opset):
    return lambda: chain((operator, constants, attributes), shape=shape, opset=opset)


ENDS = [np.float32(0), np.float32(1)]
REFUSED = {
    "a clip's attributes in 11": (one("Clip", [], {"min": 0.0}, (1, 2), 11), "version 11 .* no attribute 'min'"),
    "a clip's inputs in 10": (one("Clip", ENDS, {}, (1, 2), 10), "version 10 .* at most 1 inputs, not 3"),
    "a pad's attributes in 11": (one("Pad", [], {"pads": [0, 1] * 2}, (1, 2), 11), "no attribute 'pads'"),
    "a squeeze's attribute in 13": (one("Squeeze", [], {"axes": [0]}, (1, 2), 13), "no attribute 'axes'"),
    "rounding up in 9": (
        one("AveragePool", [], {"kernel_shape": [2], "ceil_mode": 1}, (1, 1, 4), 9),
        "no attribute 'ceil_mode'",
    ),
    "gaps in an average in 18": (
        one("AveragePool", [], {"kernel_shape": [2], "dilations": [2]}, (1, 1, 4), 18),
        "no attribute 'dilations'",
    ),
    "statistics per place": (one("BatchNormalization", STATS, {"spatial": 0}, (1, 2), 7), "statistics per place"),
    "a product's old attribute": (one("Gemm", [values(2, 2)], {"broadcast": 1}, (1, 2), 11), "attribute 'broadcast'"),
    "an operator of a later version": (one("Gelu", [], {}, (1, 2), 17), "version 17 of ONNX's operators has no Gelu"),
    "a mask": (lambda: mask("c"), r"takes 'b', which is not the first output of node 1 \(Dropout\)"),
    "a mask as the output": (lambda: mask("b"), r"the output must be the first of node 1 \(Dropout\)"),
    "an operator defined anew": (redefined, "defines operators of ONNX anew"),
    "one open axis": (one("Relu", [], {}, ("n",), 17), r"must be declared, not left open as in \(\?\)"),
    "named padding of a pool with gaps": (
        one("MaxPool", [], {"kernel_shape": [2], "dilations": [2], "auto_pad": "SAME_UPPER"}, (1, 1, 6), 12),
        "with dilations is not supported in a pool",
    ),
    "named padding that leaves inputs out": (
        one("Conv", [values(1, 1, 1)], {"strides": [3], "auto_pad": "SAME_UPPER"}, (1, 1, 6), 12),
        "must not leave 2 inputs at an end outside",
    ),
    "an exponent that widens": (one("Pow", [np.full((1, 1, 1), 2.0, "f4")], {}, (1, 2), 17), "and not widen it"),
    "slopes that widen": (one("PRelu", [np.full((1, 1, 1), 0.5, "f4")], {}, (1, 2), 17), "and not widen it"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_another_version_says_is_not_guessed(name):
    build, message = REFUSED[name]
    with pytest.raises((NotSupportedError, ReadError), match=message):
        load(build())
