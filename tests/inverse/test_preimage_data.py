"""Real networks with known answers; skipped where the data is absent."""

import json
from fractions import Fraction

import numpy as np
import pytest

from symbinv import checker
from symbinv.inverse.answer import answer
from symbinv.inverse.output_set import to_output_set
from symbinv.inverse.preimage import preimage, regions
from symbinv.inverse.problem import pose
from symbinv.inverse.specification import Case, Specification, parse_specification, read_specification
from symbinv.network.network import Network


def read_nnet(path):
    """Return the stored network of a .nnet file (no normalisation) and its input box."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("//")]
    rows = [[float(e) for e in line.split(",") if e.strip()] for line in lines]
    depth, sizes = int(rows[0][0]), [int(e) for e in rows[1]]
    low, high, place = rows[3], rows[4], 7
    weights, biases = [], []
    for n, m in zip(sizes, sizes[1:], strict=False):
        weights.append(np.array([row[:n] for row in rows[place : place + m]]))
        biases.append(np.array([row[0] for row in rows[place + m : place + 2 * m]]))
        place += 2 * m
    network = Network.from_arrays(weights, biases, ["relu"] * (depth - 1) + ["identity"])
    return network, tuple((Fraction(a), Fraction(b)) for a, b in zip(low, high, strict=True))


def read_onnx(path):
    """Return a chain of MatMul, Add and Relu with the weights taken as arrays."""
    onnx = pytest.importorskip("onnx")
    graph = onnx.load(path).graph
    constants = {i.name: onnx.numpy_helper.to_array(i).astype(float) for i in graph.initializer}
    weights, biases, names = [], [], []
    for node in graph.node:
        values = [constants[i] for i in node.input if i in constants]
        if node.op_type == "MatMul":
            weights.append(values[0] if node.input[0] in constants else values[0].T)
            biases.append(np.zeros(len(weights[-1])))
            names.append("identity")
        elif node.op_type == "Gemm":
            weights.append(values[0])
            biases.append(values[1].ravel())
            names.append("identity")
        elif node.op_type == "Add":
            biases[-1] = biases[-1] + values[0].ravel()
        elif node.op_type == "Relu":
            names[-1] = "relu"
    return Network.from_arrays(weights, biases, names)


def test_premap_networks_have_their_known_numbers_of_regions(data):
    folder = data / "small_public" / "premap" / "auto_park"
    assert len(regions(read_onnx(folder / "auto_park_model_4.onnx")).cells) == 56
    network = read_onnx(folder / "auto_park_model_20.onnx")
    assert len(regions(network).cells) == 211
    box = [[-0.5, 0.5]] * 2
    found = preimage(network, "argmax == 0", box=box)
    assert len(found.cells) == 10 and len(regions(network, box=box).cells) == 40
    assert float(found.volume) == pytest.approx(0.248899036226, abs=1e-12)
    assert sum(preimage(network, f"argmax == {i}", box=box).volume for i in range(4)) == 1
    assert checker.check(json.loads(json.dumps(found.certificate())))["cells"] == 10


def test_labels_of_vertcas_fill_its_box_exactly(data):
    network = read_onnx(data / "small_public" / "premap" / "VCAS_21" / "VertCAS_1.onnx")
    box = [["-1/2", "1/2"], ["-1/2", "1/2"], ["149/1000", "151/1000"], ["-1/2", "1/2"]]
    volumes = [preimage(network, f"argmax == {label}", box=box).volume for label in range(9)]
    assert sum(volumes) == Fraction(1, 500)


@pytest.mark.parametrize(
    ("name", "width"), [("10_inp-5_layers-10_width-10", 10), ("5_inp-2_layers-5_width-1", 5), ("1e-2", 5)]
)
def test_twin_ladders_are_constant_and_their_constant_is_exact(data, name, width):
    (path,) = (p for p in (data / "small_public" / "twin").glob("*.nnet") if f"{name}_margin" in p.name)
    network, box = read_nnet(path)
    assert network.sizes[0] == width
    constant = Fraction(str(network.forward([0] * width)[0]))
    everything = preimage(network, [constant], box=[list(e) for e in box])
    size = Fraction(1)
    for low, high in box:
        size *= high - low
    assert everything.volume == size and everything.is_complete
    nearby = preimage(network, [constant + Fraction(1, 10**12)], box=[list(e) for e in box])
    assert nearby.cells == () and nearby.is_complete
    assert (constant == Fraction(1, 100)) is False
    for found, cells in ((everything, 1), (nearby, 0)):
        assert checker.check(json.loads(json.dumps(found.certificate())))["cells"] == cells


def test_collision_avoidance_networks_have_their_labels(data):
    paths = sorted((data / "small_public" / "coav").glob("*.nnet"))
    assert len(paths) == 12
    for path in paths:
        network, box = read_nnet(path)
        property_ = Specification((Case(box, to_output_set("y_0 <= 0", 1)),), len(box), 1)
        found = answer(network, property_, max_seconds=60)
        assert found.status == ("unsat" if "UNSAT" in path.name else "sat")
        if "0.0049" in path.name or found.status == "sat":
            checker.check(json.loads(json.dumps(found.certificate())))


@pytest.mark.parametrize(
    ("name", "number", "status"),
    [("5_7", "3", "unsat"), ("1_9", "4", "sat"), ("4_5", "4", "unsat"), ("2_1", "2", "sat")],
)
def test_acas_properties_have_their_published_answers(data, name, number, status):
    network, _ = read_nnet(data / "acasxu" / f"ACASXU_experimental_v2a_{name}.nnet")
    property_ = read_specification(data / "acasxu" / f"prop_{number}.vnnlib")
    found = answer(network, property_, max_seconds=60)
    assert found.status == status
    if status == "sat":
        case = property_.cases[0]
        assert pose(network, case.outputs, case.box).reaches([Fraction(str(e)) for e in found.witness])
        assert found.float32_residual < 1e-5
    elif name == "5_7":
        assert checker.check(json.loads(json.dumps(found.certificate())))["claim"] == "unsat"


def test_small_vnncomp_properties_are_unsat(data):
    folder = data / "small_public" / "vnncomp_test"
    nano = Network.from_arrays([[["1/2"]]], [[0]], ["relu"])
    tiny = Network.from_arrays([[[1]]], [[0]], ["relu"])
    assert answer(nano, read_specification(folder / "test_nano.vnnlib")).status == "unsat"
    found = answer(tiny, read_specification(folder / "test_tiny.vnnlib"))
    assert found.status == "unsat"
    assert checker.check(json.loads(json.dumps(found.certificate())))["claim"] == "unsat"


def test_every_property_file_is_read(data):
    paths = [*(data / "acasxu").glob("*.vnnlib"), *(data / "small_public").glob("*/vnnlib/*.vnnlib")]
    assert len(paths) > 100
    for path in paths[::7]:
        assert parse_specification(path.read_text()).cases
