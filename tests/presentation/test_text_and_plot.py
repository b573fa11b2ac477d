import io
import math

import numpy as np
import pytest
from matplotlib.image import imread

import symbinv as si
import symbinv.presentation.text as text_module
from symbinv.exact.matrix import ExactMatrix
from symbinv.presentation.plot import figure_bytes, plot_manifold, plot_pairs
from symbinv.presentation.record import network_record
from symbinv.presentation.text import condition_number, network_rows, to_text

NETWORK = si.Network.from_arrays(
    [[["0.8", "-0.5", "0.3"], ["-0.4", "0.9", "0.6"]]],
    [["0.1", "-0.2"]],
    ["sigmoid"],
    input_names=["$x$ cost", r"\alpha_{", "<b>"],
)


@pytest.fixture(scope="module")
def samples():
    return si.compile_sampler(si.invert(NETWORK, ["0.8", "0.2"])).draw(200, method="random", seed=0)


def test_the_table_tells_the_facts_of_every_layer():
    network = si.Network.from_arrays([np.ones((3, 12)), [[1, 2, 3]]], [[0, 0, 0], [0]], ["sigmoid", "identity"])
    text = to_text(si.invert(network, ["1/2"]))
    first, second = text.splitlines()[1:3]
    assert first.split() == ["1", "3x12", "1", "x_1", "x_2..x_12", "2", "sigmoid", "inf", "11"]
    assert second.split()[:3] == ["2", "1x3", "1"]
    assert "a^{(1)}_1..a^{(1)}_3 in (0, 1)" in text


def test_long_numbers_are_rounded_with_their_sign():
    network = si.Network.from_arrays([[[0.1, 0.7]]], [[0.3]], ["sigmoid"])
    assert "≈" in to_text(si.invert(network, [0.123456789]))


def test_inspect_needs_no_target():
    assert network_rows(NETWORK)[0]["rank"] == 2


@pytest.mark.parametrize("shape", [(300, 290), (290, 300)])
@pytest.mark.parametrize("smallest", [1e-1, 1e-3, 1e-6])
def test_condition_numbers_of_large_layers_are_those_they_are_made_with(shape, smallest):
    rng = np.random.default_rng(1)
    left, right = (np.linalg.qr(rng.normal(size=(side, 290)))[0] for side in shape)
    weights = ExactMatrix(left * np.geomspace(1, smallest, 290) @ right.T * 1e200)
    assert condition_number(weights) == pytest.approx(1 / smallest, rel=1e-4)


def test_condition_numbers_are_infinite_below_full_rank_and_none_where_there_is_none():
    flat = ExactMatrix(np.outer(np.arange(1, 301), np.ones(280)))
    assert condition_number(flat) == condition_number(flat, 1) == math.inf
    assert condition_number(ExactMatrix.zeros(300, 280)) is None


def test_a_layer_above_the_limit_has_a_note_for_its_condition_number(monkeypatch):
    monkeypatch.setattr(text_module, "CONDITION_LIMIT", 11)
    network = si.Network.from_arrays([[[1, 2, 3], [2, 5, 7]], [[1, 2]]], [[0, 0], [0]], ["sigmoid", "identity"])
    record = network_record(network)
    assert record["layers"][0]["condition number"] is None and record["layers"][1]["condition number"] == 1
    (note,) = record["notes"]
    assert note.startswith("layer 1: no condition number for 2x3")
    lines = to_text(si.invert(network, ["1/2"])).splitlines()
    assert lines[1].split()[-2:] == ["-", "1"] and lines[-1] == f"note: {note}"


@pytest.mark.parametrize("inputs", [None, (0, 1), (0, 1, 2)])
def test_the_manifold_is_drawn_where_the_points_are(samples, inputs):
    figure = plot_manifold(samples, inputs)
    offsets = figure.axes[0].collections[0]
    assert len(offsets.get_offsets()) == len(samples)
    picture = imread(io.BytesIO(figure_bytes(figure)))
    assert picture.std() > 0.02


def test_pairs_show_every_input_against_every_other(samples):
    figure = plot_pairs(samples)
    assert len([a for a in figure.axes if a.get_visible()]) == 6
    assert figure_bytes(figure, ".svg").startswith(b"<?xml")


def test_pictures_are_the_same_from_run_to_run(samples):
    assert figure_bytes(plot_manifold(samples)) == figure_bytes(plot_manifold(samples))


def test_bad_choices_are_named(samples):
    with pytest.raises(si.ShapeError, match="between 0 and 2"):
        plot_manifold(samples, (0, 7))
    with pytest.raises(si.OptionError, match="two or three inputs"):
        plot_manifold(samples, (0,))
    with pytest.raises(si.OptionError, match=r"\.png, \.pdf or \.svg"):
        figure_bytes(plot_manifold(samples), ".gif")
    nothing = si.compile_sampler(si.invert(NETWORK, [1, 0])).draw(10, method="random")
    with pytest.raises(si.OptionError, match="at least one point"):
        plot_manifold(nothing)
