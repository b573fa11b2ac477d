"""Which iris flowers does a trained network call versicolor with 90 %? All of them, in two free dimensions.

python examples/03_which_flowers.py
"""

import symbinv as si
from symbinv.demo import builtin_network


def main() -> None:
    network = builtin_network("iris")
    inverse = si.invert(network, ["0.05", "0.9", "0.05"])
    print(si.to_text(inverse))

    # drawing the free variables themselves, as the paper does, finds next to nothing on a trained network
    sampler = si.compile_sampler(inverse)
    print(sampler.draw(20_000, method="random", seed=0).report.to_text())

    # taking random flowers to the fiber does
    samples = sampler.draw(2_000, method="project", seed=0)
    for name, column in zip(samples.input_names, samples.points.T, strict=True):
        print(f"{name}: {column.min():.2f} to {column.max():.2f} cm")

    # and the certificate says the same for an output that no flower in the box can have
    print(si.invert(network, ["0.98", "0.01", "0.01"], box=[[7, 8], [2, 3], [6, 7], [2, 3]]).verdict)


if __name__ == "__main__":
    main()
