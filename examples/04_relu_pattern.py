"""A relu network inside the activation pattern of one input: the exact affine fiber and its inequalities.

python examples/04_relu_pattern.py
"""

import symbinv as si


def main() -> None:
    network = si.Network.from_arrays(
        weights=[[[1, -1, 2], [0, 2, 1], [-1, 0, 1]], [[1, 1, -2]]],
        biases=[[0, -1, "-1/2"], ["1/2"]],
        activations=["relu", "identity"],
    )
    x = [1, 2, 1]
    inverse = si.invert(network, network.forward(x), at=x)
    print(si.to_text(inverse))
    print("pattern:", inverse.pattern)
    print("x =", inverse.expand())
    print("inequalities of the inactive units:", *inverse.step(1).inequalities)


if __name__ == "__main__":
    main()
