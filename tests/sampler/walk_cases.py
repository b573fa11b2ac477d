"""What the tests of draws share: trained networks, manifolds given by hand, and a test of two laws."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import symbinv as si

TRAINED = Path(__file__).resolve().parents[3] / "shared" / "data" / "trained"


def trained(name):
    """Return a trained network, its y_star and its widened training box; skip where the data is absent."""
    place = TRAINED / f"{name}.npz"
    if not place.exists():
        pytest.skip("../shared/data is absent")
    data = np.load(place, allow_pickle=False)
    depth = sum(key.startswith("W") for key in data.files)
    weights = [data[f"W{i + 1}"] for i in range(depth)]
    biases = [data[f"b{i + 1}"] for i in range(depth)]
    if weights[0].shape[0] != biases[0].shape[0]:
        weights = [w.T for w in weights]
    low, high = np.array(json.loads(place.with_suffix(".json").read_text())["train_box"])
    margin = 0.1 * (high - low) + 0.05
    names = [part.strip(" []'\"") for part in str(data["activations"]).split(",")]
    network = si.Network.from_arrays(weights, biases, names)
    return network, data["y_star"], np.column_stack([low - margin, high + margin])


def energy_distance_test(x, y, rng, permutations=400):
    """Return the p-value of the energy distance between equally weighted, independent points."""
    both = np.concatenate([x, y])
    gaps = np.sqrt(((both[:, None] - both[None]) ** 2).sum(axis=2))
    n = len(x)

    def distance(order):
        a, b = order[:n], order[n:]
        return 2 * gaps[np.ix_(a, b)].mean() - gaps[np.ix_(a, a)].mean() - gaps[np.ix_(b, b)].mean()

    seen = distance(np.arange(len(both)))
    others = np.array([distance(rng.permutation(len(both))) for _ in range(permutations)])
    # far tail by a gamma fit of the permutation law, as 1e-4 is below what the permutations resolve
    shape = others.mean() ** 2 / others.var()
    return stats.gamma.sf(seen, shape, scale=others.mean() / shape)


class Torus:
    """(sqrt(x^2 + y^2) - R)^2 + z^2 - r^2 = 0: area-uniform, E[cos of the tube angle] = r / (2 R)."""

    inputs, rows = 3, 1

    def __init__(self, big=1.0, small=0.6):
        self.big, self.small = big, small

    def value(self, x):
        rho = np.sqrt(x[0] ** 2 + x[1] ** 2)
        return ((rho - self.big) ** 2 + x[2] ** 2 - self.small**2)[None]

    def linearize(self, x):
        rho = np.sqrt(x[0] ** 2 + x[1] ** 2)
        pull = 2 * (rho - self.big) / rho
        return self.value(x), np.stack([pull * x[0], pull * x[1], 2 * x[2]])[None]
