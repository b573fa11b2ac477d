import numpy as np
import pytest
import sympy

import symbinv as si

PAPER = [[["0.8", "-0.5", "0.3"], ["-0.4", "0.9", "0.6"]]], [["0.1", "-0.2"]], ["sigmoid"]


@pytest.fixture
def sampler():
    return si.compile_sampler(si.invert(si.Network.from_arrays(*PAPER), ["0.8", "0.2"]))


@pytest.mark.parametrize("method", ["grid", "sobol", "lhs", "random"])
def test_every_point_hits_the_target(sampler, method):
    samples = sampler.draw(200, method=method, seed=1)
    assert len(samples) == samples.report.valid == samples.report.drawn == (100 if method == "grid" else 200)
    assert samples.residual.max() < 1e-14
    assert np.allclose(sampler.forward(samples.points), [0.8, 0.2], atol=1e-14)
    assert samples.weights.sum() == pytest.approx(1)
    assert np.allclose(samples.free[:, 0], samples.points[:, 2])
    assert "uniform on no surface" in samples.report.law


@pytest.mark.parametrize("method", ["sobol", "lhs", "random"])
def test_a_seed_fixes_the_draw(sampler, method):
    first, second = (sampler.draw(64, method=method, seed=3).points for _ in range(2))
    assert (first == second).all()
    assert (first != sampler.draw(64, method=method, seed=4).points).any()


def test_ranges_are_kept_and_a_range_of_width_zero_holds_a_variable_constant():
    network = si.Network.from_arrays([[[1, 2, 0, 1], [0, 1, 1, -1]]], [[0, 0]], ["tanh"])
    sampler = si.compile_sampler(si.invert(network, ["1/2", "1/4"]))
    samples = sampler.draw(method="grid", per_variable=50, ranges={"x_3": (-1, 1), sympy.Symbol("x_4"): (0.5, 0.5)})
    assert (samples.points[:, 3] == 0.5).all()
    assert samples.points[:, 2].min() > -1
    assert samples.report.ranges == {"x_3": (-1.0, 1.0), "x_4": (0.5, 0.5)}


def test_a_grid_over_the_limit_is_refused_with_its_count():
    network = si.Network.from_arrays([[[1] * 6]], [[0]], ["tanh"])
    sampler = si.compile_sampler(si.invert(network, ["1/2"]))
    with pytest.raises(si.BudgetError, match="100 values for each of 5 free variables make 10,000,000,000"):
        sampler.draw(method="grid")


def test_the_report_tells_where_points_fell_out():
    rng = np.random.default_rng(0)
    network = si.Network.from_arrays(
        [3 * rng.normal(size=(3, 5)), 3 * rng.normal(size=(2, 3))], [[0] * 3, [0] * 2], ["sigmoid", "sigmoid"]
    )
    y = network.forward(np.zeros(5))
    samples = si.compile_sampler(si.invert(network, y)).draw(2000, method="random", seed=0, box=[[-1, 1]] * 5)
    report = samples.report
    assert report.drawn == 2000
    assert report.valid + sum(report.lost.values()) == 2000
    assert set(report.lost) <= {-1, 0, 1}


def test_unknown_methods_and_ranges_are_named(sampler):
    with pytest.raises(si.OptionError, match="method must be one of .*sobol"):
        sampler.draw(10, method="magic")
    with pytest.raises(si.OptionError, match=r"free variables \(x_3\), not q"):
        sampler.draw(10, method="random", ranges={"q": (0, 1)})
    with pytest.raises(si.OptionError, match="non-negative integer"):
        sampler.draw(-1, method="random")


def test_samples_come_back_from_their_file(sampler, tmp_path):
    samples = sampler.draw(50, method="random", seed=0)
    again = si.load_samples(samples.save(tmp_path / "deep" / "points.npz"))
    assert (again.points == samples.points).all()
    assert again.free_names == samples.free_names
    table = samples.save(tmp_path / "points.csv").read_text().splitlines()
    assert table[0] == "x_1,x_2,x_3,free x_3,residual"
    assert [float(v) for v in table[1].split(",")[:3]] == samples.points[0].tolist()


def test_a_file_that_holds_no_samples_is_refused(tmp_path):
    broken = tmp_path / "broken.npz"
    broken.write_bytes(b"PK\x03\x04 not a zip")
    with pytest.raises(si.ReadError, match="broken.npz is not a file of samples"):
        si.load_samples(broken)
    np.savez(tmp_path / "objects.npz", points=np.array([{}], dtype=object))
    with pytest.raises(si.ReadError):
        si.load_samples(tmp_path / "objects.npz")
    with pytest.raises(si.OptionError, match=r"\.npz or \.csv"):
        si.compile_sampler(si.invert(si.Network.from_arrays(*PAPER), ["0.8", "0.2"])).draw(5, method="random").save(
            tmp_path / "points.xlsx"
        )


def test_the_papers_way_finds_almost_nothing_on_a_trained_network(data):
    folder = data / "trained"
    network = si.load(folder / "wine_logistic_13-8-5-3.npz")
    y = np.load(folder / "wine_logistic_13-8-5-3.npz")["y_star"]
    samples = si.compile_sampler(si.invert(network, y)).draw(20_000, method="random", seed=0)
    assert len(samples) == 0
    assert "No draw was valid" in samples.report.to_text()
