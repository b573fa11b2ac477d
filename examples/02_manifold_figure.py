"""The paper's figure: the inputs with output [0.8, 0.2], two free variables varied, the others held constant.

    python examples/02_manifold_figure.py manifold.png

A 5 -> 3 -> 2 sigmoid network has three free variables, a^{(1)}_3, x_4 and x_5. The first two run over a grid,
x_5 stays at 0; what is left is a surface, drawn in x_1, x_2 and x_3.
"""

import sys
from pathlib import Path

import symbinv as si


def main(path: str) -> None:
    network = si.Network.from_arrays(
        weights=[
            [
                ["0.9", "-0.4", "0.3", "0.6", "-0.2"],
                ["-0.3", "0.8", "0.5", "-0.5", "0.4"],
                ["0.4", "0.2", "-0.9", "0.3", "0.7"],
            ],
            [["2.5", "-1.5", "0.8"], ["-2.0", "0.6", "1.2"]],
        ],
        biases=[["0.1", "0", "-0.2"], ["0.4", "-0.9"]],
        activations=["sigmoid", "sigmoid"],
    )
    inverse = si.invert(network, ["0.8", "0.2"])
    print("free variables:", *inverse.free_variables)
    samples = si.compile_sampler(inverse).draw(
        method="grid",
        ranges={"a^{(1)}_3": (0, 1), "x_4": (-2, 2), "x_5": (0, 0)},
        per_variable=200,
    )
    print(samples.report.to_text())
    figure = si.plot_manifold(samples, inputs=(0, 1, 2))
    figure.savefig(path, dpi=120)
    print("wrote", Path(path).name)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "manifold.png")
