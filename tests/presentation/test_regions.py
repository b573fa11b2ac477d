"""Pictures of cells: what is drawn, read from the figure."""

import numpy as np
import pytest

from symbinv.cells.preimage import preimage, regions
from symbinv.errors import OptionError, ShapeError
from symbinv.network.network import Network
from symbinv.presentation.regions import plot_cells, plot_classes, plot_projection

RNG = np.random.default_rng(2)
NETWORK = Network.from_arrays(
    [RNG.normal(size=(8, 2)), RNG.normal(size=(3, 8))], [RNG.normal(size=8), RNG.normal(size=3)], ["relu", "identity"]
)
CUBE = Network.from_arrays([np.eye(3)], [np.zeros(3)], ["relu"])
BOX = [[-2, 2]] * 2


def polygons(figure):
    return [path.vertices for path in figure.axes[0].collections[0].get_paths()]


def area(points):
    x, y = points[:-1, 0], points[:-1, 1]
    return abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def test_polygons_fill_the_box_and_colours_are_those_of_the_pieces():
    found = regions(NETWORK, box=BOX)
    figure = plot_cells(found)
    drawn = polygons(figure)
    assert len(drawn) == len(found.cells)
    assert sum(map(area, drawn)) == pytest.approx(16)
    colors = {tuple(c) for c in figure.axes[0].collections[0].get_facecolors()}
    assert len(colors) == found.pieces
    figure.canvas.draw()


def test_foreign_names_of_inputs_are_shown_as_they_are():
    named = Network(NETWORK.layers, input_names=("input[0]", "price_$ ^{"))
    figure = plot_cells(preimage(named, "argmax == 0", box=BOX))
    figure.canvas.draw()
    assert figure.axes[0].get_xlabel() == "input[0]"


def test_unbounded_cells_are_cut_at_the_window():
    found = preimage(NETWORK, "argmax == 0")
    figure = plot_cells(found, window=[[-1, 1], [-1, 1]])
    inside = preimage(NETWORK, "argmax == 0", box=[[-1, 1]] * 2)
    assert sum(map(area, polygons(figure))) == pytest.approx(float(inside.volume))
    plot_cells(found)


def test_levels_are_drawn_as_segments_and_points():
    figure = plot_cells(preimage(NETWORK, "y_0 == 0", box=BOX))
    assert figure.axes[0].collections[1].get_segments()
    point = Network.from_arrays([np.eye(2)], [[0, 0]], ["relu"])
    assert plot_cells(preimage(point, [1, 1], box=BOX)).axes[0].lines


def test_slices_are_exact_and_projections_show_all_cells():
    found = preimage(CUBE, "y_0 + y_1 + y_2 <= 1", box=[[-1, 1]] * 3)
    figure = plot_cells(found, inputs=(2, 0), at=[0, "1/2", 0])
    assert sum(map(area, polygons(figure))) == pytest.approx(1 + 2 * 0.5 + 0.125)
    assert len(polygons(plot_projection(found))) == len(found.top_cells)


def test_classes_show_their_areas():
    figure = plot_classes(NETWORK, box=BOX, names=["a_1", "b", "$c"])
    texts = [t.get_text() for t in figure.axes[0].get_legend().get_texts()]
    volumes = [float(preimage(NETWORK, f"argmax == {i}", box=BOX).volume) for i in range(3)]
    assert len(texts) == sum(v > 0 for v in volumes)
    assert sum(float(t.split()[-1]) for t in texts) == pytest.approx(16, rel=1e-4)
    figure.canvas.draw()


def test_misuse_is_refused():
    found = regions(NETWORK, box=BOX)
    with pytest.raises(OptionError, match="two different ones"):
        plot_cells(found, inputs=(0, 0))
    with pytest.raises(ShapeError, match="window"):
        plot_cells(found, window=[[0, 0], [0, 1]])
    with pytest.raises(ShapeError, match="at must have"):
        plot_cells(regions(CUBE, box=[[-1, 1]] * 3), at=[0])
    with pytest.raises(OptionError, match="in a box"):
        plot_classes(NETWORK)
    with pytest.raises(ShapeError, match="one entry per output"):
        plot_classes(NETWORK, box=BOX, names=["a"])
