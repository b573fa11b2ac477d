"""The paper's 3 -> 2 sigmoid layer: its derivation with symbols, then its inputs for output [0.8, 0.2].

python examples/01_paper_layer.py
"""

import symbinv as si


def main() -> None:
    symbolic = si.invert(si.Network.generic([3, 2], ["sigmoid"]))
    for equation in symbolic.solution(1, named=True):
        print(equation.lhs, "=", equation.rhs)
    print("assuming non-zero:", *symbolic.assumptions)

    network = si.Network.from_arrays(
        weights=[[["0.8", "-0.5", "0.3"], ["-0.4", "0.9", "0.6"]]],
        biases=[["0.1", "-0.2"]],
        activations=["sigmoid"],
    )
    inverse = si.invert(network, ["0.8", "0.2"])
    print(si.to_text(inverse))
    print("x_1 =", inverse.expand()[0])

    samples = si.compile_sampler(inverse).draw(method="grid", ranges={"x_3": (-3, 3)})
    print(samples.report.to_text())
    print("largest residual:", samples.residual.max())


if __name__ == "__main__":
    main()
