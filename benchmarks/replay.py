"""How long the replay takes beside the derivation: python -m benchmarks.replay.

CPU seconds, the median of five; sizes of the JSON in kB.
"""

import statistics
import time

import numpy as np

import symbinv as si
from symbinv.demo import CASES, builtin_network

WHOLE = [[2, 1, 0], [1, 1, 1], [0, 1, 3]]


def symbolic(*sizes):
    return si.invert(si.Network.generic(sizes, ["sigmoid"] * (len(sizes) - 1)))


def leaky(depth):
    network = si.Network.from_arrays([WHOLE] * depth, [[0, 1, -1]] * depth, ["leaky_relu(1/2)"] * depth)
    return si.invert(network, [1, -2, 3])


def iris():
    case = next(c for c in CASES if c.name == "iris")
    return si.invert(builtin_network("iris"), case.target)


def pixels():
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=(16, 784)), rng.normal(size=(10, 16))]
    network = si.Network.from_arrays(weights, [rng.normal(size=16), rng.normal(size=10)], ["tanh", "identity"])
    return si.invert(network, network.forward(rng.normal(size=784)).tolist())


SUBJECTS = {
    "3 -> 2, symbols": lambda: symbolic(3, 2),
    "8 -> 6, symbols": lambda: symbolic(8, 6),
    "12 -> 10, symbols": lambda: symbolic(12, 10),
    "20 -> 16, symbols": lambda: symbolic(20, 16),
    "iris, numbers": iris,
    "784 -> 16 -> 10, numbers": pixels,
    "20 layers, numbers": lambda: leaky(20),
    "40 layers, numbers": lambda: leaky(40),
    "60 layers, numbers": lambda: leaky(60),
    "60 layers, symbols": lambda: symbolic(4, *[3] * 60),
}


def seconds(work):
    """Return the median CPU time of five runs, and the last result."""
    times = []
    for _ in range(5):
        begin = time.process_time()
        result = work()
        times.append(time.process_time() - begin)
    return statistics.median(times), result


def main():
    print(f"{'network':26}{'steps':>7}{'derive':>9}{'replay':>9}{'read':>9}{'JSON kB':>9}  claim")
    for name, make in SUBJECTS.items():
        inverse = make()
        derived, derivation = seconds(lambda: si.derive(inverse))  # noqa: B023
        replayed, found = seconds(derivation.replay)
        text = derivation.to_json()
        read, _ = seconds(lambda: si.Derivation.from_json(text))  # noqa: B023
        times = "".join(f"{t:9.4f}" for t in (derived, replayed, read))
        print(f"{name:26}{len(derivation.steps):7}{times}{len(text) / 1000:9.0f}  {found.claim}")


if __name__ == "__main__":
    main()
