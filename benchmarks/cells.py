"""Regions a second: ours, exact, against affinitree and relucent in doubles, side by side in one run.

    python -m benchmarks.cells [--affinitree PYTHON] [--relucent PYTHON] [--data FOLDER]

PYTHON is an interpreter in which the peer is installed (this one by default); FOLDER holds the real networks
(../shared/data beside the repository by default). What is absent is left out. Rates are per second of processor
time of all processes, one worker each, so that a loaded machine does not bend them. A region is one
activation pattern in the box: ours with its inequalities and, in the column after, with all its vertices as exact
integers over a denominator too; affinitree's with its inequalities; relucent's in the cube, found by breadth-first
search with its final verification off, a sample of at most 400.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import time
from fractions import Fraction

import numpy as np

from symbinv.cells.preimage import preimage, regions
from symbinv.network.network import Network

CASES = [([2, 16, 16, 2], 4), ([3, 12, 12, 1], 4), ([2, 64, 64, 2], 4), ([4, 16, 16, 3], 2)]
ROOT = pathlib.Path(__file__).resolve().parents[1]

AFFINITREE = """
import json, sys, time
import numpy as np
import affinitree as a
sizes, radius, W, b = json.loads(sys.stdin.read())
architecture = a.Architecture(sizes[0])
for i, (w, c) in enumerate(zip(W, b)):
    architecture.linear(a.AffFunc.from_mats(np.array(w), np.array(c)))
    if i < len(W) - 1:
        architecture.relu()
box = a.Polytope.hyperrectangle(sizes[0], [(-radius, radius)] * sizes[0])
start = time.process_time()
tree = a.builder.from_layers(architecture, a.AffTree.from_poly(box, a.AffFunc.identity(sizes[0]), None))
print("RESULT", tree.num_terminals(), time.process_time() - start)
"""


RELUCENT = """
import json, resource, sys
import numpy as np
from relucent import Complex
from relucent.model.model import LinearLayer, ReLULayer, ReLUNetwork
sizes, radius, W, b = json.loads(sys.stdin.read())
layers = []
for i, (w, c) in enumerate(zip(W, b)):
    layers.append(LinearLayer(np.array(w), np.array(c)))
    if i < len(W) - 1:
        layers.append(ReLULayer())
def spent():
    return sum(resource.getrusage(w).ru_utime + resource.getrusage(w).ru_stime
               for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
found = Complex(ReLUNetwork(layers))
start = spent()
found.bfs(np.full((1, sizes[0]), 0.01), max_polys=400, nworkers=1, cube_radius=radius, cube_mode="intersect",
          verify=False, verbose=0)
print("RESULT", len(found), spent() - start)
"""


def arrays(sizes, seed=0):
    """Return random float64 weights and biases."""
    generator = np.random.default_rng(seed)
    pairs = list(zip(sizes, sizes[1:], strict=False))
    weights = [generator.normal(size=(m, n)) * np.sqrt(2 / n) for n, m in pairs]
    return weights, [generator.normal(size=m) * 0.3 for _, m in pairs]


def ours(sizes, radius):
    """Return regions, the best of three times, and the time with vertices; weights are taken exactly."""
    weights, biases = arrays(sizes)
    activations = ["relu"] * (len(sizes) - 2) + ["identity"]
    best = whole = np.inf
    for _ in range(3):
        network = Network.from_arrays(weights, biases, activations)
        start = time.process_time()
        found = regions(network, box=[[-radius, radius]] * sizes[0], workers=1)
        best = min(best, time.process_time() - start)
        assert all(cell.generators for cell in found.cells)
        whole = min(whole, time.process_time() - start)
    return len(found.cells), best, whole


def peer(python, script, sizes, radius):
    """Return regions and seconds of a peer, or None where it is not installed."""
    weights, biases = arrays(sizes)
    text = json.dumps([sizes, radius, [w.tolist() for w in weights], [b.tolist() for b in biases]])
    command = [python, "-W", "ignore", "-c", script]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("RESULT")]
    return (int(lines[0][1]), float(lines[0][2])) if lines else None


def from_onnx(path):
    """Return a chain of MatMul, Add and Relu as a network; the weights are taken as arrays."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(path).graph
    constants = {i.name: numpy_helper.to_array(i).astype(np.float64) for i in graph.initializer}
    weights, biases, activations = [], [], []
    for node in graph.node:
        values = [constants[i] for i in node.input if i in constants]
        if node.op_type == "MatMul":
            weights.append(values[0] if node.input[0] in constants else values[0].T)
            biases.append(np.zeros(len(weights[-1])))
            activations.append("identity")
        elif node.op_type == "Gemm":
            turned = any(a.name == "transB" and a.i for a in node.attribute)
            weights.append(values[0] if turned else values[0].T)
            biases.append(values[1].ravel())
            activations.append("identity")
        elif node.op_type == "Add":
            biases[-1] = biases[-1] + values[0].ravel()
        elif node.op_type == "Relu":
            activations[-1] = "relu"
    return Network.from_arrays(weights, biases, activations)


def premap(folder):
    """Print the preimages of the PREMAP networks."""
    park = folder / "auto_park"
    for size, known in (("4", 56), ("20", 211)):
        found = regions(from_onnx(park / f"auto_park_model_{size}.onnx"))
        print(f"auto_park_{size}: {len(found.cells)} regions without a box (known: {known})")
    network = from_onnx(park / "auto_park_model_20.onnx")
    start = time.perf_counter()
    found = preimage(network, "argmax == 0", box=[[-0.5, 0.5]] * 2)
    area = float(found.volume)
    print(f"auto_park_20 argmax 0: {len(found.cells)} polytopes, area {area:.12f}, {time.perf_counter() - start:.3f} s")
    box = [["-1/2", "1/2"], ["-1/2", "1/2"], ["149/1000", "151/1000"], ["-1/2", "1/2"]]
    for path in sorted(folder.glob("VCAS_*/*.onnx"), key=lambda p: (int(p.parent.name[5:]), p.name)):
        network = from_onnx(path)
        start = time.perf_counter()
        parts = [preimage(network, f"argmax == {label}", box=box) for label in range(9)]
        exact = sum(p.volume for p in parts) == Fraction(1, 500)
        count = sum(len(p.cells) for p in parts)
        seconds = time.perf_counter() - start
        print(f"{path.parent.name}/{path.stem}: {count} polytopes, sum exact: {exact}, {seconds:.2f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--affinitree", default=sys.executable)
    parser.add_argument("--relucent", default=sys.executable)
    parser.add_argument("--data", type=pathlib.Path, default=ROOT / ".." / "shared" / "data")
    options = parser.parse_args()
    print(f"{'network':>10} {'regions':>8} {'ours/s':>7} {'vertices':>8}", end="")
    print(f" {'affinitree/s':>13} {'ratio':>6} {'relucent/s':>11} {'ratio':>6}")
    for sizes, radius in CASES:
        count, seconds, whole = ours(sizes, radius)
        name = "-".join(map(str, sizes))
        line = f"{name:>10} {count:>8} {count / seconds:>7.0f} {count / whole:>8.0f}"
        tree = peer(options.affinitree, AFFINITREE, sizes, radius)
        if tree is not None:
            line += f" {tree[0] / tree[1]:>13.0f} {count / seconds * tree[1] / tree[0]:>6.1f}"
            line += "" if tree[0] == count else f"  ({tree[0]} regions there)"
        local = peer(options.relucent, RELUCENT, sizes, radius)
        if local is not None:
            line += f" {local[0] / local[1]:>11.1f} {count / seconds * local[1] / local[0]:>6.0f}"
        print(line, flush=True)
    folder = options.data / "small_public" / "premap"
    if folder.is_dir():
        premap(folder)


if __name__ == "__main__":
    main()
