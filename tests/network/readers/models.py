"""Small ONNX models for the tests, and what onnx's own evaluators say of them."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

DTYPES = {np.dtype("f4"): TensorProto.FLOAT, np.dtype("f8"): TensorProto.DOUBLE, np.dtype("f2"): TensorProto.FLOAT16}


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
