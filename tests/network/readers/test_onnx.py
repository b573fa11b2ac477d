import os
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from symbinv.errors import BudgetError, InexactError, NotSupportedError, ReadError, SymbinvError
from symbinv.exact.policy import rationalize
from symbinv.network.activation import ACTIVATIONS
from symbinv.network.readers.load import load

onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from tests.network.readers.models import agrees, chain, ints, model, values  # noqa: E402
from tests.network.readers.samples import needs_data, trained  # noqa: E402

# -- linear operators -------------------------------------------------------------------------------------


@pytest.mark.parametrize("trans_a", [0, 1])
@pytest.mark.parametrize("trans_b", [0, 1])
@pytest.mark.parametrize("bias", [None, values(3), values(1, 3), values(1), values(1, 1)])
def test_gemm_takes_all_its_attributes(trans_a, trans_b, bias):
    shape = (4, 1) if trans_a else (1, 4)
    weights = values(3, 4) if trans_b else values(4, 3)
    arrays = [weights] if bias is None else [weights, bias]
    attributes = {"alpha": 0.3, "beta": -1.5, "transA": trans_a, "transB": trans_b}
    agrees(chain(("Gemm", arrays, attributes), shape=shape), (4, 3))


def test_gemms_alpha_and_beta_are_exact_float32():
    network = load(
        chain(("Gemm", [np.eye(1, dtype="f4"), np.ones(1, "f4")], {"alpha": 0.1, "beta": 0.2}), shape=(1, 1))
    )
    assert network.layers[0].weights.fraction(0, 0) == Fraction(*np.float32(0.1).as_integer_ratio())
    assert network.layers[0].bias.fraction(0, 0) == Fraction(*np.float32(0.2).as_integer_ratio())


def test_gemm_with_the_weights_first():
    proto = model(
        [helper.make_node("Gemm", ["w", "x", "b"], ["y"], alpha=0.5, transA=1)],
        {"w": values(4, 2), "b": values(2, 1)},
        (4, 1),
    )
    agrees(proto, (4, 2))


@pytest.mark.parametrize(
    ("x", "w", "left", "sizes", "points"),
    [
        ((4,), (4, 3), False, (4, 3), 1),
        ((4,), (4,), False, (4, 1), 1),
        ((1, 4), (4,), False, (4, 1), 1),
        ((5, 4), (4, 3), False, (4, 3), 5),
        ((2, 5, 4), (4, 3), False, (4, 3), 10),
        ((4,), (3, 4), True, (4, 3), 1),
        ((4,), (4,), True, (4, 1), 1),
        ((4, 2), (3, 4), True, (8, 6), 1),
        ((5, 4, 2), (3, 4), True, (8, 6), 5),
    ],
)
def test_matmul_on_either_side(x, w, left, sizes, points):
    names = ["w", "x"] if left else ["x", "w"]
    agrees(model([helper.make_node("MatMul", names, ["y"])], {"w": values(*w)}, x), sizes, points)


def test_weights_that_pass_through_keep_their_doubles():
    layers = load(
        chain(("MatMul", [values(3, 2)], {}), ("Add", [values(2)], {}), ("Relu", [], {}), shape=(1, 3))
    ).layers
    assert layers[0].weights._doubles is not None
    assert len(layers) == 1


@pytest.mark.parametrize("operator", ["Add", "Sub", "Mul", "Div"])
@pytest.mark.parametrize("constant_first", [False, True])
@pytest.mark.parametrize("shape", [(), (1,), (3,), (1, 3), (2, 3), (2, 1)])
def test_arithmetic_with_constants_broadcasts(operator, constant_first, shape):
    constant = np.array(values(*shape) + np.float32(2), dtype="f4")
    names = ["c", "x"] if constant_first else ["x", "c"]
    proto = model([helper.make_node(operator, names, ["y"])], {"c": constant}, (2, 3))
    if operator == "Div" and constant_first:
        with pytest.raises(NotSupportedError, match=r"node 1 \(Div\): its first input must be the one that depends"):
            load(proto)
        return
    batched = len(shape) < 2 or shape[0] == 1
    agrees(proto, (3, 3) if batched else (6, 6), points=2 if batched else 1)


def test_broadcasting_may_widen_a_value():
    agrees(chain(("Add", [values(2, 1, 3)], {}), ("Relu", [], {}), shape=(1, 3)), (3, 6))


def test_scaling_before_weights_is_folded_in_rationals():
    proto = chain(
        ("Sub", [np.float32([0.1, 0.2])], {}),
        ("Div", [np.float32([3, 7])], {}),
        ("MatMul", [np.eye(2, dtype="f4")], {}),
        shape=(1, 2),
    )
    network = load(proto)
    assert network.sizes == (2, 2)
    assert network.layers[0].weights.fractions() == [[Fraction(1, 3), 0], [0, Fraction(1, 7)]]
    assert network.layers[0].bias.fraction(0, 0) == -Fraction(*np.float32(0.1).as_integer_ratio()) / 3


def test_scaling_after_an_activation_waits_for_the_next_layer():
    proto = chain(
        ("Relu", [], {}), ("Mul", [values(3)], {}), ("MatMul", [values(3, 2)], {}), ("Tanh", [], {}), shape=(1, 3)
    )
    network = agrees(proto, (3, 3, 2))
    assert [layer.activation.name for layer in network.layers] == ["relu", "tanh"]


def test_two_linear_layers_stay_two():
    network = agrees(chain(("MatMul", [values(3, 4)], {}), ("MatMul", [values(4, 2)], {}), shape=(1, 3)), (3, 4, 2))
    assert [layer.activation.name for layer in network.layers] == ["identity", "identity"]


# -- convolutions and pools -------------------------------------------------------------------------------


@st.composite
def windows(draw, axes):
    def sizes(low, high):
        return [draw(st.integers(low, high)) for _ in range(axes)]

    return {
        "size": sizes(3, 7),
        "kernel_shape": sizes(1, 3),
        "strides": sizes(1, 3),
        "pads": [min(p, k - 1) for p, k in zip(sizes(0, 2) * 2, [3] * 2 * axes, strict=True)],
        "dilations": sizes(1, 2),
    }


RELAXED = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])


@RELAXED
@given(st.data(), st.integers(1, 3), st.integers(1, 2), st.integers(1, 2), st.integers(1, 2), st.booleans())
def test_convolutions_agree_with_the_runtime(data, axes, groups, fan, width, has_bias):
    window = data.draw(windows(axes))
    size = window.pop("size")
    assume(
        all(
            s + a + b >= d * (k - 1) + 1
            for s, k, d, a, b in zip(
                size, window["kernel_shape"], window["dilations"], window["pads"], window["pads"][axes:], strict=False
            )
        )
    )
    arrays = [values(groups * width, fan, *window["kernel_shape"])] + ([values(groups * width)] if has_bias else [])
    agrees(chain(("Conv", arrays, {**window, "group": groups}), shape=(1, groups * fan, *size)))


@pytest.mark.parametrize("mode", ["SAME_UPPER", "SAME_LOWER", "VALID"])
@pytest.mark.parametrize("operator", ["Conv", "AveragePool", "MaxPool"])
def test_named_padding(operator, mode):
    attributes = {"auto_pad": mode, "kernel_shape": [3, 2], "strides": [2, 1]}
    agrees(chain((operator, [values(2, 2, 3, 2)] if operator == "Conv" else [], attributes), shape=(1, 2, 6, 5)))


@RELAXED
@given(st.data(), st.integers(1, 2), st.booleans(), st.booleans())
def test_average_pools_agree_with_the_runtime(data, axes, ceil, count_padding):
    window = data.draw(windows(axes))
    size, pads = window.pop("size"), window["pads"]
    del window["dilations"]
    window["pads"] = [min(p, k - 1) for p, k in zip(pads, window["kernel_shape"] * 2, strict=True)]
    assume(
        all(
            s + a + b >= k
            for s, k, a, b in zip(size, window["kernel_shape"], window["pads"], window["pads"][axes:], strict=False)
        )
    )
    attributes = {**window, "ceil_mode": int(ceil), "count_include_pad": int(count_padding)}
    agrees(chain(("AveragePool", [], attributes), shape=(1, 2, *size), opset=19))


@RELAXED
@given(st.data(), st.integers(1, 2), st.booleans(), st.booleans(), st.booleans())
def test_max_pools_agree_with_the_runtime(data, axes, ceil, relu_before, relu_after):
    window = data.draw(windows(axes))
    size, pads = window.pop("size"), window["pads"]
    window["pads"] = [min(p, k - 1) for p, k in zip(pads, window["kernel_shape"] * 2, strict=True)]
    assume(
        all(
            s + a + b >= d * (k - 1) + 1
            for s, k, d, a, b in zip(
                size, window["kernel_shape"], window["dilations"], window["pads"], window["pads"][axes:], strict=False
            )
        )
    )
    relu = [("Relu", [], {})]
    steps = [
        *(relu if relu_before else []),
        ("MaxPool", [], {**window, "ceil_mode": int(ceil)}),
        *(relu if relu_after else []),
    ]
    network = agrees(chain(*steps, shape=(1, 2, *size)))
    assert all(layer.activation.name in ("relu", "identity") for layer in network.layers)


def test_a_maximum_is_exact_where_floats_are_not():
    # the largest of 2^60, 2^60 + 1 and -1 by exact evaluation; doubles cannot tell the first two apart
    network = load(chain(("MaxPool", [], {"kernel_shape": [3]}), shape=(1, 1, 3)))
    assert network.forward([2**60, 2**60 + 1, -1]) == (2**60 + 1,)
    assert network.forward(["-1/3", "-1/2", "-1/4"]) == (Fraction(-1, 4),)


def test_a_maximum_of_values_known_not_to_be_negative_needs_fewer_neurons():
    pool = ("MaxPool", [], {"kernel_shape": [2], "strides": [2]})
    assert load(chain(pool, shape=(1, 1, 4))).sizes == (4, 6, 2)
    assert load(chain(("Relu", [], {}), pool, shape=(1, 1, 4))).sizes == (4, 4, 4, 2)


def test_pools_merge_with_the_convolution_before_them():
    conv = ("Conv", [values(2, 1, 3, 3)], {})
    network = agrees(chain(conv, ("AveragePool", [], {"kernel_shape": [2, 2], "strides": [2, 2]}), shape=(1, 1, 6, 6)))
    assert network.depth == 1
    assert network.layers[0].weights.is_sparse


def test_global_average_pool_and_normalisation():
    stats = [values(2) + 2, values(2), values(2), values(2) + np.float32(1.5)]
    steps = [("Conv", [values(2, 1, 2, 2)], {}), ("BatchNormalization", stats, {"epsilon": 0.01})]
    proto = chain(*steps, ("Relu", [], {}), ("GlobalAveragePool", [], {}), shape=(1, 1, 4, 4))
    network = agrees(proto, (16, 18, 2))
    assert any("batch normalisation was folded" in note for note in network.notes)


def test_a_normalisation_with_square_variance_is_exact():
    one, three = np.float32([1]), np.float32([3])
    proto = chain(("BatchNormalization", [three, one, one, np.float32([4])], {"epsilon": 0.0}), shape=(1, 1))
    network = load(proto)
    assert network.layers[0].weights.fraction(0, 0) == Fraction(3, 2)
    assert network.layers[0].bias.fraction(0, 0) == Fraction(-1, 2)
    assert not any("rounded" in note for note in network.notes)


@pytest.mark.parametrize(("opset", "old"), [(10, True), (13, False)])
def test_pad_before_a_convolution(opset, old):
    pads = [0, 0, 1, 2, 0, 0, 0, 1]
    pad = ("Pad", [], {"pads": pads, "value": 0.5}) if old else ("Pad", [ints(*pads), np.float32(0.5)], {})
    agrees(chain(pad, ("Conv", [values(1, 1, 2, 2)], {}), shape=(1, 1, 3, 3), opset=opset))


def test_negative_pads_crop():
    agrees(chain(("Pad", [ints(0, -1, 0, -2)], {}), shape=(1, 6)), (6, 3))


# -- shapes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "shape", "sizes", "points"),
    [
        ([("Transpose", [], {"perm": [0, 2, 1]}), ("Flatten", [], {})], (1, 2, 3), (6, 6), 1),
        ([("Transpose", [], {})], (2, 3), (6, 6), 1),
        ([("Flatten", [], {"axis": 0})], (2, 3), (6, 6), 1),
        ([("Flatten", [], {"axis": -1})], (2, 3), (3, 3), 2),
        ([("Reshape", [ints(0, -1)], {})], (2, 3, 2), (6, 6), 2),
        ([("Reshape", [ints(-1, 2)], {})], (2, 3, 2), (2, 2), 6),
        ([("Reshape", [ints(-1)], {}), ("MatMul", [values(6, 1)], {})], (1, 2, 3), (6, 1), 1),
        ([("Unsqueeze", [ints(0, 3)], {}), ("Squeeze", [], {})], (1, 3), (3, 3), 1),
        ([("Squeeze", [ints(1)], {}), ("MatMul", [values(3, 2)], {})], (2, 1, 3), (3, 2), 2),
        ([("Identity", [], {}), ("Dropout", [], {}), ("Cast", [], {"to": 1})], (1, 3), (3, 3), 1),
    ],
)
def test_shapes(steps, shape, sizes, points):
    agrees(chain(*steps, shape=shape), sizes, points)


def test_axes_stood_in_attributes_before_opset_13():
    agrees(chain(("Unsqueeze", [], {"axes": [1]}), ("Squeeze", [], {"axes": [1]}), shape=(1, 3), opset=9), (3, 3))


def test_the_leading_axes_over_which_all_broadcasts_are_a_batch_of_points():
    proto = chain(
        ("MatMul", [values(2, 5)], {}), ("Relu", [], {}), ("MatMul", [values(5, 4)], {}), shape=("batch", 2, 2)
    )
    network = load(proto)
    assert network.sizes == (2, 5, 4)
    assert network.notes[0] == (
        "the first 2 axes of the input (?, 2, 2) are a batch of points: every operator acts on each point alone"
    )


def test_an_operator_that_mixes_the_axis_makes_it_part_of_the_point():
    steps = [("MatMul", [values(2, 5)], {}), ("Relu", [], {}), ("Flatten", [], {}), ("MatMul", [values(10, 1)], {})]
    assert load(chain(*steps, shape=("batch", 2, 2))).sizes == (4, 10, 1)


def test_an_open_batch_that_an_operator_mixes_is_one_point_and_the_notes_say_so():
    network = load(chain(("Flatten", [], {"axis": 0}), ("MatMul", [values(6, 1)], {}), shape=("n", 2, 3)))
    assert network.sizes == (6, 1)
    assert "the batch is one point: an operator mixes the first axis of (?, 2, 3)" in network.notes


def test_a_size_left_open_elsewhere_is_refused():
    with pytest.raises(NotSupportedError, match=r"must be declared, not left open as in \(1, \?\)"):
        load(chain(("Relu", [], {}), shape=(1, "n")))


# -- activations ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operator", "attributes", "label"),
    [
        ("Relu", {}, "relu"),
        ("Sigmoid", {}, "sigmoid"),
        ("Tanh", {}, "tanh"),
        ("Softplus", {}, "softplus"),
        ("Softmax", {}, "softmax"),
        ("LeakyRelu", {"alpha": 0.25}, "leaky_relu(alpha=1/4)"),
        ("LeakyRelu", {"alpha": 0.0}, "relu"),
        ("Softsign", {}, "softsign"),
        ("Atan", {}, "arctan"),
        ("Exp", {}, "exp"),
        ("Abs", {}, "abs"),
        ("Elu", {"alpha": 0.5}, "elu(alpha=1/2)"),
        ("Celu", {"alpha": 2.0}, "celu(alpha=2)"),
        ("HardSigmoid", {"alpha": 0.25, "beta": 0.5}, "hard_sigmoid(alpha=1/4, beta=1/2)"),
        ("LogSoftmax", {}, "log_softmax"),
        ("Selu", {"alpha": 1.5, "gamma": 0.5}, "selu(alpha=3/2, scale=1/2)"),
    ],
)
def test_activations_of_the_table(operator, attributes, label):
    network = agrees(chain((operator, [], attributes), shape=(1, 3)), (3, 3))
    assert network.layers[0].activation.label == label


def test_leaky_relus_slope_is_a_float32():
    network = load(chain(("LeakyRelu", [], {"alpha": 0.1}), shape=(1, 1), dtype="f8"))
    assert network.layers[0].activation.parameters["alpha"] == Fraction(*np.float32(0.1).as_integer_ratio())


def test_prelu_with_one_slope_and_clip_at_zero():
    network = agrees(chain(("PRelu", [np.float32([0.5])], {}), ("Clip", [np.float32(0)], {}), shape=(1, 2)), (2, 2, 2))
    assert [layer.activation.label for layer in network.layers] == ["leaky_relu(alpha=1/2)", "relu"]
    with pytest.raises(NotSupportedError, match=r"PRelu\): its slopes must be equal"):
        load(chain(("PRelu", [np.float32([0.5, 1])], {}), shape=(1, 2)))
    network = agrees(
        chain(
            ("Clip", [np.float32(0), np.float32(6)], {}),
            ("Clip", [np.float32(-0.5), np.float32(0.5)], {}),
            shape=(1, 2),
        )
    )
    assert [layer.activation.label for layer in network.layers] == ["relu6", "hard_tanh(lower=-1/2, upper=1/2)"]
    network = agrees(chain(("Clip", [np.float32(0.5)], {}), ("Clip", [None, np.float32(0.75)], {}), shape=(1, 2)))
    assert [layer.activation.name for layer in network.layers] == ["relu", "relu", "identity"]
    assert agrees(chain(("Pow", [np.float32(2)], {}), shape=(1, 2))).layers[0].activation.name == "square"
    assert agrees(chain(("Gelu", [], {}), shape=(1, 2), opset=20)).layers[0].activation.name == "gelu"


def test_softmax_before_opset_13_runs_over_all_axes_behind():
    agrees(chain(("Softmax", [], {"axis": 1}), shape=(1, 2, 3), opset=11), (6, 6))
    with pytest.raises(NotSupportedError, match="softmax must be over all 6 values of a point, not 2"):
        load(chain(("Flatten", [], {}), ("Reshape", [ints(1, 2, 3)], {}), ("Softmax", [], {"axis": 1}), shape=(1, 6)))


@pytest.mark.skipif("mish" in ACTIVATIONS, reason="the table has mish now")
def test_an_activation_outside_the_table_is_refused_by_name():
    with pytest.raises(NotSupportedError, match=r"node 1 \(Mish\): the activation mish is not supported; identity"):
        load(chain(("Mish", [], {}), shape=(1, 3), opset=18))


# -- constants --------------------------------------------------------------------------------------------


def test_constants_of_every_kind_are_evaluated():
    weights = values(3, 2)
    nodes = [
        helper.make_node("MatMul", ["x", "wt"], ["a"]),  # before its constants: files are not always in order
        helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(weights.T.copy())),
        helper.make_node("Transpose", ["w"], ["t"], perm=[1, 0]),
        helper.make_node("Identity", ["t"], ["wt"]),
        helper.make_node("Constant", [], ["half"], value_float=0.5),
        helper.make_node("Constant", [], ["ints"], value_ints=[1, 2]),
        helper.make_node("Cast", ["ints"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["floats", "half"], ["b"]),
        helper.make_node("Add", ["a", "b"], ["y"]),
    ]
    network = agrees(model(nodes, {}, (1, 3)), (3, 2))
    assert network.layers[0].bias.fractions() == [[Fraction(1, 2)], [1]]


def test_a_product_of_constants_is_exact():
    nodes = [helper.make_node("MatMul", ["u", "v"], ["w"]), helper.make_node("MatMul", ["x", "w"], ["y"])]
    u = np.float32([[0.1, 0.7]])
    network = load(model(nodes, {"u": u, "v": u.T.copy()}, (1, 1)))
    exact = [Fraction(*v.as_integer_ratio()) for v in u[0]]
    assert network.layers[0].weights.fraction(0, 0) == exact[0] ** 2 + exact[1] ** 2


def test_float32_weights_under_each_policy():
    proto = chain(("MatMul", [np.float32([[0.8]])], {}), shape=(1, 1))
    assert load(proto).layers[0].weights.fraction(0, 0) == Fraction(*np.float32(0.8).as_integer_ratio())
    assert load(proto, policy="decimal").layers[0].weights.fraction(0, 0) == Fraction(4, 5)
    assert load(proto, policy=rationalize(3)).layers[0].weights.fraction(0, 0) == Fraction(2, 3)


def test_float16_and_every_field_of_a_tensor():
    half = helper.make_tensor("c", TensorProto.FLOAT16, [1], [0.1])
    proto = chain(("Add", [np.zeros(1, "f2")], {}), shape=(1, 1), dtype="f2")
    proto.graph.initializer[0].CopyFrom(half)
    proto.graph.initializer[0].name = "c0_0"
    assert load(proto).layers[0].bias.fraction(0, 0) == Fraction(float(np.float16(0.1)))
    listed = helper.make_tensor("c0_0", TensorProto.DOUBLE, [1], [0.1])
    proto = chain(("Add", [np.zeros(1)], {}), shape=(1, 1), dtype="f8")
    proto.graph.initializer[0].CopyFrom(listed)
    assert load(proto).layers[0].bias.fraction(0, 0) == Fraction(0.1)


def test_the_names_of_input_and_output_come_along():
    proto = model(
        [helper.make_node("MatMul", ["pixels", "w"], ["score"])],
        {"w": values(2, 1)},
        (1, 2),
        name="pixels",
        out="score",
    )
    network = load(proto)
    assert network.input_names == ("pixels[0]", "pixels[1]")
    assert network.output_names == ("score",)


def test_an_output_that_does_not_depend_on_the_input():
    network = load(model([helper.make_node("Constant", [], ["y"], value_floats=[1.0, 2.0])], {}, (1, 3)))
    assert network.forward([5, 6, 7]) == (1, 2)
    assert "the output does not depend on the input" in network.notes


def test_nodes_beside_the_chain_are_left_out_and_counted():
    nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Erf", ["x"], ["unused"])]
    assert "nodes on which the output does not depend were left out: 1" in load(model(nodes, {}, (1, 2))).notes


# -- refusals ---------------------------------------------------------------------------------------------

W, B = values(3, 3), values(3)


def two_inputs():
    proto = chain(("Relu", [], {}), shape=(1, 2))
    proto.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, (1, 2)))
    return proto


def two_outputs():
    proto = chain(("Relu", [], {}), ("Tanh", [], {}), shape=(1, 2))
    proto.graph.output.append(helper.make_tensor_value_info("v0", TensorProto.FLOAT, None))
    return proto


def residual():
    nodes = [
        helper.make_node("Relu", ["x"], ["a"], name="first"),
        helper.make_node("Add", ["x", "a"], ["y"], name="join"),
    ]
    return model(nodes, {}, (1, 2))


def branch():
    nodes = [helper.make_node(op, [i], [o]) for op, i, o in [("Relu", "x", "a"), ("Tanh", "a", "b"), ("Exp", "a", "c")]]
    return model([*nodes, helper.make_node("Add", ["b", "c"], ["y"])], {}, (1, 2))


def cycle():
    nodes = [
        helper.make_node("Relu", ["b"], ["a"]),
        helper.make_node("Add", ["a", "x"], ["b"]),
        helper.make_node("Relu", ["b"], ["y"]),
    ]
    return model(nodes, {}, (1, 2))


def custom():
    return model([helper.make_node("Relu", ["x"], ["y"], domain="com.example", name="mine")], {}, (1, 2))


def opset(version):
    proto = chain(("Relu", [], {}), shape=(1, 2))
    proto.opset_import[0].version = version
    return proto


def integers():
    proto = chain(("Relu", [], {}), shape=(1, 2))
    proto.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
    return proto


REFUSED = {
    "two inputs": (two_inputs(), NotSupportedError, "must have one input, not 2 (x, z)"),
    "two outputs": (two_outputs(), NotSupportedError, "must have one output, not 2 (y, v0)"),
    "residual": (residual(), NotSupportedError, "node 2 'join' (Add) has 2 inputs that depend on the network's input"),
    "branch": (branch(), NotSupportedError, "take the same value 'a'; branches are not read"),
    "cycle": (cycle(), ReadError, "the graph must have no cycle"),
    "domain": (custom(), NotSupportedError, "node 1 'mine' (Relu): operators of the domain 'com.example'"),
    "old opset": (opset(6), NotSupportedError, "must lie between 7 and 28, not 6"),
    "new opset": (opset(99), NotSupportedError, "not 99"),
    "integer input": (integers(), NotSupportedError, "must hold floats of 16 to 64 bits, not ONNX's type 7"),
    "operator": (
        chain(("Gather", [ints(0)], {}), shape=(1, 2)),
        NotSupportedError,
        "node 1 (Gather): the operator Gather",
    ),
    "attribute": (
        chain(("Relu", [], {"unknown": 1}), shape=(1, 2)),
        NotSupportedError,
        "version 17 of the operator has no attribute 'unknown'",
    ),
    "training": (
        chain(("BatchNormalization", [B, B, B, B], {"training_mode": 1}), shape=(1, 3)),
        NotSupportedError,
        "training mode",
    ),
    "dropout": (
        chain(("Dropout", [np.float32(0.5), np.array(True)], {}), shape=(1, 3)),
        NotSupportedError,
        "node 1 (Dropout): in training mode it is random",
    ),
    "variance": (
        chain(("BatchNormalization", [B, B, B, np.float32([1, -1, 1])], {}), shape=(1, 3)),
        InexactError,
        "a variance with its epsilon must be positive",
    ),
    "batched product": (
        chain(("MatMul", [values(2, 3, 3)], {}), shape=(2, 1, 3)),
        NotSupportedError,
        "batched products",
    ),
    "cast": (chain(("Cast", [], {"to": 7}), shape=(1, 3)), NotSupportedError, "a cast must be between floats"),
    "pad mode": (chain(("Pad", [ints(0, 1, 0, 1)], {"mode": "edge"}), shape=(1, 3)), NotSupportedError, "not 'edge'"),
    "division by 0": (chain(("Div", [np.float32([1, 0, 1])], {}), shape=(1, 3)), InexactError, "must not be 0"),
    "nan": (chain(("MatMul", [np.full((3, 3), np.nan, "f4")], {}), shape=(1, 3)), InexactError, "must be finite"),
    "misfit": (chain(("MatMul", [values(4, 3)], {}), shape=(1, 3)), ReadError, "node 1 (MatMul): a product must fit"),
    "reshape": (chain(("Reshape", [ints(1, 4)], {}), shape=(1, 3)), ReadError, "cannot have shape [1, 4]"),
    "window": (chain(("MaxPool", [], {"kernel_shape": [9]}), shape=(1, 1, 3)), ReadError, "a window of 9 must fit"),
    "missing": (model([helper.make_node("Add", ["x", "c"], ["y"])], {}, (1, 2)), ReadError, "'c' is made nowhere"),
    "no output": (model([helper.make_node("Relu", ["x"], ["z"])], {}, (1, 2)), ReadError, "'y' is made nowhere"),
    "huge input": (chain(("Relu", [], {}), shape=(1, 10**12)), BudgetError, "the input must have at most"),
    "huge pad": (chain(("Pad", [ints(0, 0, 0, 10**12)], {}), shape=(1, 3)), BudgetError, "a padded tensor must have"),
    "huge conv": (
        chain(("Conv", [values(1, 1, 1, 1)], {"pads": [10**8] * 4}), shape=(1, 1, 3, 3)),
        BudgetError,
        "a convolution must have at most",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_exact_counterpart_is_refused_with_its_place(name):
    proto, error, message = REFUSED[name]
    with pytest.raises(error) as caught:
        load(proto)
    assert message in str(caught.value)


# -- safety -----------------------------------------------------------------------------------------------


def save(proto, path):
    path.write_bytes(proto.SerializeToString())
    return path


def test_a_small_file_that_declares_a_huge_tensor_is_refused_at_once(tmp_path):
    proto = chain(("MatMul", [values(3, 3)], {}), shape=(1, 3))
    proto.graph.initializer[0].dims[:] = [10**6, 10**6]
    with pytest.raises(BudgetError, match=r"m\.onnx: .*tensor 'c0_0': it must have at most 16777216 entries"):
        load(save(proto, tmp_path / "m.onnx"))
    proto.graph.initializer[0].dims[:] = [3, 4]
    with pytest.raises(ReadError, match="it declares 48 bytes, and 36 are stored"):
        load(save(proto, tmp_path / "m.onnx"))
    proto.graph.initializer[0].dims[:] = [-1, 3]
    with pytest.raises(ReadError, match="sizes must not be negative"):
        load(save(proto, tmp_path / "m.onnx"))


def outside(location, **entries):
    proto = chain(("MatMul", [values(3, 3)], {}), shape=(1, 3))
    tensor = proto.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=str(value))
    return proto


def test_data_beside_the_file_is_read(tmp_path):
    weights = values(3, 3)
    (tmp_path / "w.bin").write_bytes(b"skip" + weights.tobytes())
    network = load(save(outside("w.bin", offset=4, length=36), tmp_path / "m.onnx"))
    assert network.layers[0].weights.to_numpy().tolist() == weights.T.astype(float).tolist()


def test_data_outside_the_files_folder_is_never_read(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(bytes(36))
    (folder / "link").symlink_to(tmp_path / "secret")
    for location in ("../secret", str(tmp_path / "secret"), "link", "sub/../../secret"):
        with pytest.raises(ReadError, match="its data must lie in the folder of the file"):
            load(save(outside(location), folder / "m.onnx"))
    for location, entries in [("none", {}), ("m.onnx", {"offset": -1}), ("m.onnx", {"length": 10**12}), ("", {})]:
        with pytest.raises(ReadError):
            load(save(outside(location, **entries), folder / "m.onnx"))
    with pytest.raises(NotSupportedError, match="pass the path of the file"):
        load(outside("w.bin"))


def test_a_damaged_file_is_one_clear_error(tmp_path):
    whole = chain(("MatMul", [values(3, 3)], {}), shape=(1, 3)).SerializeToString()
    for data in (b"\x00", b"hello", whole[: len(whole) // 2], whole[:-1] + b"\xff"):
        (tmp_path / "m.onnx").write_bytes(data)
        with pytest.raises(SymbinvError, match=re.escape("m.onnx: ")):
            load(tmp_path / "m.onnx")


def test_hostile_names_reach_no_file_and_no_terminal(tmp_path):
    name = "a\n\x1b[31m__import__('os').system('touch pwned')"
    nodes = [helper.make_node("Mystery", ["x"], ["y"], name=name)]
    with pytest.raises(NotSupportedError) as caught:
        load(model(nodes, {}, (1, 2)))
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert not os.path.exists("pwned")


# -- parity -----------------------------------------------------------------------------------------------


def test_a_reader_that_is_wrong_is_caught_by_the_parity_check(monkeypatch):
    from symbinv.network.readers import onnx_ops

    pytest.importorskip("onnxruntime")
    monkeypatch.setitem(onnx_ops._OPERATORS, "Neg", lambda call: None)
    proto = chain(("Neg", [], {}), shape=(1, 2))
    with pytest.raises(ReadError, match=r"must agree with onnxruntime, not give \[.*\] where onnxruntime gives \[-?"):
        load(proto)
    assert load(proto, check=False).sizes == (2, 2)


def test_the_notes_say_what_the_network_was_checked_against():
    notes = load(chain(("Relu", [], {}), shape=(1, 2))).notes
    assert re.fullmatch(r"checked against (onnxruntime|onnx\.reference) at 3 points", notes[-1])


# -- the trained networks -----------------------------------------------------------------------------


@needs_data
@pytest.mark.parametrize("path", [p for p in trained("*_f64.onnx") if "cnn" not in p.name], ids=lambda p: p.stem)
def test_trained_networks_have_the_same_weights_in_every_precision_they_are_stored_in(path):
    twin = load(path.with_name(path.name.replace("_f64.onnx", ".json")))
    double, single = load(path), load(path.with_name(path.name.replace("_f64", "")))
    assert double.sizes == single.sizes == twin.sizes
    for d, s, t in zip(double.layers, single.layers, twin.layers, strict=True):
        assert d.weights == t.weights
        assert d.bias == t.bias
        assert s.weights.to_numpy().tolist() == t.weights.to_numpy().astype("f4").tolist()
        assert s.bias.to_numpy().tolist() == t.bias.to_numpy().astype("f4").tolist()
        assert d.activation.name == s.activation.name == t.activation.name


@needs_data
@pytest.mark.parametrize("name", ["torch_digits_cnn", "torch_digits_cnn2"])
def test_folded_and_unfolded_normalisation_are_the_same_map_to_rounding(name):
    (folded,), (unfolded,) = trained(f"{name}.onnx"), trained(f"{name}_unfusedBN.onnx")
    one, two = load(folded), load(unfolded)
    assert one.sizes == two.sizes
    for a, b in zip(one.layers, two.layers, strict=True):
        assert np.allclose(a.weights.to_numpy(), b.weights.to_numpy(), rtol=1e-5, atol=1e-6)
