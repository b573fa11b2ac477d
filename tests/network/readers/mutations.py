"""Good files of every format, and ways to damage them: for the fuzz tests and benchmarks/fuzz_readers.py."""

import contextlib
import io
import json
import random
import re
import zipfile
from importlib.util import find_spec

import numpy as np

ABSURD = [0, 1, -1, 2, 7, 255, 2**15, 2**31 - 1, 2**31, 2**40, 10**12, 2**62, 2**63 - 1, -(2**63)]
WORDS = [
    "NaN",
    "Infinity",
    "-1",
    "0",
    "1e999",
    "1e-999",
    "1000000000000",
    '""',
    "null",
    "[]",
    "{}",
    "1/0",
    "0.1.2",
    "_",
]


def available():
    """The formats whose packages are installed."""
    needs = {"json": "numpy", "npz": "numpy", "nnet": "numpy", "vnnlib": "numpy"}
    needs |= {"onnx": "onnx", "pt": "torch", "keras": "keras", "h5": "keras"}
    return [name for name, package in needs.items() if find_spec(package)]


def seeds(kind):
    """Whole files of a format, as bytes."""
    return {
        "json": _json,
        "npz": _npz,
        "nnet": _nnet,
        "vnnlib": _vnnlib,
        "onnx": _onnx,
        "pt": _pt,
        "keras": lambda: _keras("keras"),
        "h5": lambda: _keras("h5"),
    }[kind]()


def _json():
    layers = [
        {"W": [[1, 0.5, "1/3"], [-2, 3e-1, 4]], "b": [0.1, "2.5"], "activation": "leaky_relu(0.1)"},
        {"W": [[1.5, 2]], "b": [0], "activation": "sigmoid"},
    ]
    whole = {"layers": layers, "box": [[-1, 1]] * 3, "input_names": ["a", "b", "c"], "sizes": [3, 2, 1], "notes": ["n"]}
    pair = {"layers": [{"W": [[1]], "b": [0], "activation": "relu"}], "x_star": [2], "y_star": [2]}
    kernels = {"kernels_and_biases": [[[1, 2]], [0, 0]], "activations": ["tanh"]}
    return [json.dumps(content).encode() for content in (whole, pair, kernels)]


def _npz():
    found = []
    for dtype, save in ((np.float64, np.savez), (np.float32, np.savez_compressed)):
        stream = io.BytesIO()
        weights = {"W1": np.ones((3, 2), dtype), "W2": np.asfortranarray(np.ones((2, 3), dtype))}
        save(stream, **weights, b1=np.ones(3, dtype), b2=np.ones(2, dtype), activations="relu,identity")
        found.append(stream.getvalue())
    return found


def _nnet():
    raw = "// comment\n2,2,1,3,\n2,3,1,\n0,\n-1.0,-2.0,\n1.0,2.0,\n0.5,0.0,1.0,\n2.0,1.0,3.0,\n"
    return [(raw + "1.0,2.0,\n-0.5,1e-1,\n0.25,-3.0,\n0.1,\n0.2,\n0.3,\n1.0,-1.0,2.0,\n0.5,\n").encode()]


def _vnnlib():
    text = "; box\n(declare-const X_0 Real)\n(declare-const X_1 Real)\n(declare-const Y_0 Real)\n"
    text += "(assert (<= X_0 0.5))(assert (>= X_0 -0.5))\n(assert (or (and (<= X_1 1) (>= X_1 0)) (and (= X_1 2))))\n"
    return [(text + "(assert (or (and (<= Y_0 1e-3)) (and (>= Y_0 3))))\n").encode()]


def _onnx():
    from tests.network.readers.models import chain

    rng = np.random.default_rng(1)

    def f(*shape):
        return rng.uniform(-1, 1, shape).astype("f4")

    def ints(*entries):
        return np.array(entries, dtype=np.int64)

    window = {"kernel_shape": [2, 2], "strides": [2, 2], "pads": [0, 0, 1, 1]}
    stats = [f(3) + np.float32(2), f(3), f(3), f(3) + np.float32(2)]
    models = [
        chain(
            ("Sub", [f(2)], {}),
            ("Gemm", [f(3, 2), f(3)], {"transB": 1, "alpha": 0.5}),
            ("Relu", [], {}),
            ("MatMul", [f(3, 2)], {}),
            ("Softmax", [], {"axis": 1}),
            shape=("n", 2),
        ),
        chain(
            ("Conv", [f(3, 1, 3, 3), f(3)], {"pads": [1] * 4, "strides": [2, 2], "dilations": [1, 1], "group": 1}),
            ("BatchNormalization", stats, {"epsilon": 0.1}),
            ("Relu", [], {}),
            ("MaxPool", [], window),
            ("Flatten", [], {"axis": 1}),
            ("MatMul", [f(12, 2)], {}),
            shape=(1, 1, 6, 6),
        ),
        chain(
            ("Pad", [ints(0, 0, 1, 1, 0, 0, 1, 1), np.float32(0.5)], {}),
            ("AveragePool", [], {**window, "ceil_mode": 1, "count_include_pad": 1}),
            ("GlobalAveragePool", [], {}),
            ("Reshape", [ints(-1, 2)], {}),
            ("LeakyRelu", [], {"alpha": 0.1}),
            shape=(1, 2, 4, 4),
        ),
        chain(
            ("Transpose", [], {"perm": [0, 2, 1]}),
            ("Unsqueeze", [ints(1)], {}),
            ("Squeeze", [ints(1)], {}),
            ("Mul", [f(2)], {}),
            ("Div", [f(1) + np.float32(3)], {}),
            ("Cast", [], {"to": 1}),
            ("Tanh", [], {}),
            shape=(1, 2, 2),
        ),
    ]
    return [m.SerializeToString() for m in models]


def _pt():
    import torch

    stream = io.BytesIO()
    torch.save({"0.weight": torch.ones(3, 2), "0.bias": torch.ones(3), "2.weight": torch.ones(1, 3)}, stream)
    return [stream.getvalue()]


def _keras(ending):
    import tempfile
    from pathlib import Path

    from symbinv.network.readers.keras import _import_keras

    keras = _import_keras()
    steps = [keras.layers.Dense(3, "relu"), keras.layers.BatchNormalization(), keras.layers.Dense(2, "softmax")]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"m.{ending}"
        keras.Sequential([keras.Input((4,)), *steps]).save(path)
        return [path.read_bytes()]


# -- damage -----------------------------------------------------------------------------------------------


def damage(kind, data, seed):
    """A damaged copy of a file; the same for the same seed."""
    rng = random.Random(f"{kind}-{seed}")
    ways = {
        "json": [flip, cut, swap, numbers, words],
        "npz": [flip, cut, swap, lambda d, r: members(d, r, inside)],
        "nnet": [flip, cut, swap, numbers, lines],
        "vnnlib": [flip, cut, swap, numbers, words, lines],
        "onnx": [flip, cut, swap, fields, fields, fields],
        "pt": [flip, cut, swap, lambda d, r: members(d, r, inside)],
        "keras": [flip, cut, swap, lambda d, r: members(d, r, inside), lambda d, r: members(d, r, inside)],
        "h5": [flip, cut, swap, inside],
    }[kind]
    for _ in range(rng.choice([1, 1, 2, 4])):
        with contextlib.suppress(UnicodeDecodeError):  # a way that needs text, after one that broke it
            data = rng.choice(ways)(data, rng)
    return data


def flip(data, rng):
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 3, 20])):
        if changed:
            changed[rng.randrange(len(changed))] = rng.choice([0, 255, rng.randrange(256)])
    return bytes(changed)


def cut(data, rng):
    start, stop = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    return rng.choice([data[:start], data[stop:], data[:start] + data[stop:], data + data[start:stop]])


def swap(data, rng):
    size = rng.choice([1, 4, 8, 32])
    if len(data) <= 2 * size:
        return data
    i, j = rng.randrange(len(data) - size), rng.randrange(len(data) - size)
    changed = bytearray(data)
    changed[i : i + size], changed[j : j + size] = data[j : j + size], data[i : i + size]
    return bytes(changed[: len(data)])


def numbers(data, rng):
    spots = list(re.finditer(rb"-?\d+(\.\d+)?", data))
    if not spots:
        return data
    spot = rng.choice(spots)
    new = rng.choice([str(rng.choice(ABSURD)), rng.choice(WORDS), f"{rng.random()}e{rng.randrange(-400, 400)}"])
    return data[: spot.start()] + new.encode() + data[spot.end() :]


def words(data, rng):
    spots = list(re.finditer(rb'"[^"]*"|[A-Za-z_]+|[\[\]{}()]', data))
    if not spots:
        return data
    one, two = rng.choice(spots), rng.choice(spots)
    new = rng.choice([two.group(), rng.choice(WORDS).encode(), b""])
    return data[: one.start()] + new + data[one.end() :]


def lines(data, rng):
    parts = data.split(b"\n")
    i, j = rng.randrange(len(parts)), rng.randrange(len(parts))
    way = rng.randrange(3)
    if way == 0:
        parts[i], parts[j] = parts[j], parts[i]
    elif way == 1:
        del parts[i]
    else:
        parts.insert(i, parts[j])
    return b"\n".join(parts)


def inside(data, rng):
    """Damage text and sizes in binary data: numbers, words, or eight bytes that may be a size."""
    way = rng.choice([numbers, words, flip, swap])
    if rng.random() < 0.3 and len(data) > 8:
        spot = rng.randrange(len(data) - 8)
        return data[:spot] + (rng.choice(ABSURD) % 2**64).to_bytes(8, "little") + data[spot + 8 :]
    return way(data, rng)


def members(data, rng, way):
    """Damage one member of a zip archive and pack it again."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            content = [(m.filename, archive.read(m)) for m in archive.infolist()]
    except Exception:
        return flip(data, rng)
    if not content:
        return data
    chosen = rng.randrange(len(content))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])) as archive:
        for k, (name, member) in enumerate(content):
            archive.writestr(name, way(member, rng) if k == chosen else member)
    return stream.getvalue()


def fields(data, rng):
    """Change one field of an ONNX model to something absurd."""
    import onnx

    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except Exception:
        return flip(data, rng)
    graph = model.graph
    for _ in range(rng.choice([1, 1, 2])):
        nodes, tensors = list(graph.node), list(graph.initializer)
        way = rng.randrange(9)
        if way == 0 and tensors:
            dims = rng.choice(tensors).dims
            dims[:] = (
                [rng.choice(ABSURD) for _ in range(rng.randrange(4))] if rng.random() < 0.3 else list(reversed(dims))
            )
        elif way == 1 and graph.input:
            sizes = graph.input[0].type.tensor_type.shape.dim
            if sizes:
                rng.choice(sizes).dim_value = rng.choice([*ABSURD, 3, 5, 64])
        elif way == 2 and nodes:
            attributes = rng.choice(nodes).attribute
            if attributes:
                chosen = rng.choice(attributes)
                chosen.i, chosen.f = rng.choice(ABSURD), rng.choice([0.0, -1.0, 1e38, float("nan"), float("inf")])
                if chosen.ints:
                    chosen.ints[rng.randrange(len(chosen.ints))] = rng.choice([*ABSURD, 2, 3, 4])
                    if rng.random() < 0.2:
                        chosen.ints.append(rng.choice(ABSURD))
        elif way == 3 and nodes:
            names = [n for node in nodes for n in (*node.input, *node.output)]
            node = rng.choice(nodes)
            if node.input and names:
                node.input[rng.randrange(len(node.input))] = rng.choice([*names, "", "x", "y"])
        elif way == 4 and nodes:
            rng.choice(nodes).op_type = rng.choice(
                [*(n.op_type for n in nodes), "Relu", "Conv", "Gemm", "Reshape", "Pad", "Loop"]
            )
        elif way == 5 and nodes:
            graph.node.insert(rng.randrange(len(nodes)), rng.choice(nodes))
        elif way == 6 and tensors:
            tensor = rng.choice(tensors)
            tensor.data_type = rng.randrange(24)
        elif way == 7 and tensors:
            tensor = rng.choice(tensors)
            if tensor.data_type == 7:
                count = len(tensor.raw_data) // 8
                tensor.raw_data = b"".join(
                    (rng.choice([*ABSURD, 2, 3]) % 2**64).to_bytes(8, "little") for _ in range(count)
                )
        elif way == 8 and nodes:
            del graph.node[rng.randrange(len(nodes))]
    return model.SerializeToString()
