"""Real networks with known answers; skipped where the data is absent."""

import json
from fractions import Fraction

import pytest

from symbinv import checker
from symbinv.cells.answer import answer
from symbinv.cells.output_set import to_output_set
from symbinv.cells.preimage import preimage, regions
from symbinv.cells.problem import pose
from symbinv.cells.specification import Case, Specification, parse_specification, read_specification
from symbinv.network.readers.load import load


def through_json(data):
    return json.loads(json.dumps(data))


def test_premap_networks_have_their_known_numbers_of_regions(data):
    folder = data / "small_public" / "premap" / "auto_park"
    assert len(regions(load(folder / "auto_park_model_4.onnx")).cells) == 56
    network = load(folder / "auto_park_model_20.onnx")
    assert len(regions(network).cells) == 211
    box = [[-0.5, 0.5]] * 2
    found = preimage(network, "argmax == 0", box=box)
    assert len(found.cells) == 10 and len(regions(network, box=box).cells) == 40
    assert float(found.volume) == pytest.approx(0.248899036226, abs=1e-12)
    assert sum(preimage(network, f"argmax == {i}", box=box).volume for i in range(4)) == 1
    assert checker.check(through_json(found.certificate()))["cells"] == 10


def test_labels_of_vertcas_fill_its_box_exactly(data):
    network = load(data / "small_public" / "premap" / "VCAS_21" / "VertCAS_1.onnx")
    box = [["-1/2", "1/2"], ["-1/2", "1/2"], ["149/1000", "151/1000"], ["-1/2", "1/2"]]
    volumes = [preimage(network, f"argmax == {label}", box=box).volume for label in range(9)]
    assert sum(volumes) == Fraction(1, 500)


@pytest.mark.parametrize(
    ("name", "width"), [("10_inp-5_layers-10_width-10", 10), ("5_inp-2_layers-5_width-1", 5), ("1e-2", 5)]
)
def test_twin_ladders_are_constant_and_their_constant_is_exact(data, name, width):
    (path,) = (p for p in (data / "small_public" / "twin").glob("*.nnet") if f"{name}_margin" in p.name)
    network = load(path)
    box = network.box.fractions()
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
        assert checker.check(through_json(found.certificate()))["cells"] == cells


def test_collision_avoidance_networks_have_their_labels(data):
    paths = sorted((data / "small_public" / "coav").glob("*.nnet"))
    assert len(paths) == 12
    for path in paths:
        network = load(path)
        box = tuple(tuple(e) for e in network.box.fractions())
        property_ = Specification((Case(box, to_output_set("y_0 <= 0", 1)),), len(box), 1)
        found = answer(network, property_, max_seconds=60)
        assert found.status == ("unsat" if "UNSAT" in path.name else "sat")
        checker.check(through_json(found.certificate()))


@pytest.mark.parametrize(
    ("name", "number", "status"),
    [("5_7", "3", "unsat"), ("1_9", "4", "sat"), ("4_5", "4", "unsat"), ("2_1", "2", "sat")],
)
def test_acas_properties_have_their_published_answers(data, name, number, status):
    network = load(data / "acasxu" / f"ACASXU_run2a_{name}_batch_2000.onnx")
    property_ = read_specification(data / "acasxu" / f"prop_{number}.vnnlib")
    found = answer(network, property_, max_seconds=60)
    assert found.status == status
    if status == "sat":
        case = property_.cases[0]
        assert pose(network, case.outputs, case.box).reaches([Fraction(str(e)) for e in found.witness])
        assert found.float32_residual < 1e-5
    else:
        assert checker.check(through_json(found.certificate()))["claim"] == "unsat"


@pytest.mark.parametrize(
    ("name", "spec", "status"),
    [
        ("nano", "nano", "unsat"),
        ("tiny", "tiny", "unsat"),
        ("small", "small", "unsat"),
        ("sat", "prop", "sat"),
        ("unsat", "prop", "unsat"),
    ],
)
def test_vnncomp_properties_have_their_answers_and_proofs(data, name, spec, status):
    folder = data / "small_public" / "vnncomp_test"
    network = load(folder / f"test_{name}.onnx")
    found = answer(network, read_specification(folder / f"test_{spec}.vnnlib"), max_seconds=60)
    assert found.status == status
    assert checker.check(through_json(found.certificate()))["claim"] == status


def test_a_small_network_takes_the_values_that_are_known(data):
    network = load(data / "small_public" / "vnncomp_test" / "test_small.onnx")
    everything = preimage(network, "61/2 <= y_0 <= 157/2", box=[[-1, 1]])
    assert everything.volume == 2
    assert preimage(network, "y_0 <= 61/2", box=[[-1, 1]]).dimension == 0  # attained at one end
    assert preimage(network, "y_0 > 157/2 or y_0 < 61/2", box=[[-1, 1]]).cells == ()


def test_every_property_file_is_read(data):
    paths = [*(data / "acasxu").glob("*.vnnlib"), *(data / "small_public").glob("*/vnnlib/*.vnnlib")]
    assert len(paths) > 100
    for path in paths[::7]:
        assert parse_specification(path.read_text()).cases
