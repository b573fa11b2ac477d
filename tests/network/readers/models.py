"""Small ONNX models for the tests, and what onnx's own evaluators say of them."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from symbinv.network.readers.load import load

GENERATOR = np.random.default_rng(11)
DTYPES = {np.dtype("f4"): TensorProto.FLOAT, np.dtype("f8"): TensorProto.DOUBLE, np.dtype("f2"): TensorProto.FLOAT16}


def values(*shape, dtype="f4"):
    return GENERATOR.uniform(-1, 1, shape).astype(dtype)


def ints(*entries):
    return np.array(entries, dtype=np.int64)


def model(nodes, constants, shape, opset=17, dtype="f4", name="x", out="y"):
    """A model from nodes and named constant arrays, with input `x` and output `y`."""
    kind = DTYPES[np.dtype(dtype)]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, kind, shape)],
        [helper.make_tensor_value_info(out, kind, None)],
        [numpy_helper.from_array(np.asarray(value), key) for key, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def chain(*steps, shape, opset=17, dtype="f4"):
    """A model of steps (operator, constants after the input, attributes), one after another."""
    nodes, constants, last = [], {}, "x"
    for k, (operator, arrays, attributes) in enumerate(steps):
        names = []
        for i, array in enumerate(arrays):
            names.append("" if array is None else f"c{k}_{i}")
            if array is not None:
                constants[names[-1]] = array
        out = "y" if k == len(steps) - 1 else f"v{k}"
        nodes.append(helper.make_node(operator, [last, *names], [out], **attributes))
        last = out
    return model(nodes, constants, shape, opset, dtype)


def run(proto, x):
    """The outputs of a model, by onnxruntime where it is installed and can, else by onnx.reference."""
    (declared,) = [i for i in proto.graph.input if i.name == proto.graph.input[0].name]
    try:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return session.run(None, {declared.name: x})[0]
    except Exception:
        return onnx.reference.ReferenceEvaluator(proto).run(None, {declared.name: x})[0]


def agrees(proto, sizes=None, points=1, rtol=1e-5):
    """Load a model and compare its outputs with the runtime's; return the network."""
    network = load(proto)
    shape = [d.dim_value or 1 for d in proto.graph.input[0].type.tensor_type.shape.dim]
    kind = {TensorProto.FLOAT: "f4", TensorProto.DOUBLE: "f8"}[proto.graph.input[0].type.tensor_type.elem_type]
    for _ in range(3):
        x = values(*shape, dtype=kind)
        expected = run(proto, x).astype(float).reshape(points, -1)
        found = network.forward(x.astype(float).reshape(points, -1))
        assert found.shape == expected.shape
        assert np.allclose(found, expected, rtol=rtol, atol=rtol)
    if sizes is not None:
        assert network.sizes == sizes
    return network
