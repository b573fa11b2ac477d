"""How long reading takes, and what it holds: python -m benchmarks.read_large."""

import json
import tempfile
import time
from pathlib import Path

import numpy as np

from symbinv.network.readers.load import load


def main():
    sizes = (784, 256, 128, 10)
    rng = np.random.default_rng(0)
    pairs = [(rng.standard_normal((m, n)), rng.standard_normal(m)) for n, m in zip(sizes, sizes[1:], strict=False)]
    names = ["relu", "relu", "softmax"]
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        arrays = {f"{k}{i}": a for i, pair in enumerate(pairs, start=1) for k, a in zip("Wb", pair, strict=True)}
        np.savez(base / "net.npz", **arrays, activations=",".join(names))
        layers = [{"W": w.tolist(), "b": b.tolist(), "activation": f} for (w, b), f in zip(pairs, names, strict=True)]
        (base / "net.json").write_text(json.dumps({"layers": layers}))
        paths = [base / "net.npz", base / "net.json", *onnx_files(base, pairs)]
        for path in paths:
            for check in (True, False):
                began = time.perf_counter()
                network = load(path, check=check)
                taken = time.perf_counter() - began
                held = all(x.weights._doubles is not None and x.weights._rational is None for x in network.layers)
                print(f"{path.name:9} check={check!s:5} {network.sizes} {taken:.3f} s, held as doubles only: {held}")


def onnx_files(base, pairs):
    """The same network as ONNX, in float32."""
    try:
        from tests.network.readers.models import chain
    except ImportError:
        return []
    steps = []
    for k, (w, b) in enumerate(pairs):
        steps.append(("Gemm", [w.astype("f4"), b.astype("f4")], {"transB": 1}))
        steps.append(("Relu", [], {}) if k < 2 else ("Softmax", [], {}))
    (base / "mlp.onnx").write_bytes(chain(*steps, shape=("n", 784)).SerializeToString())
    return [base / "mlp.onnx"]


if __name__ == "__main__":
    main()
