"""Train the small iris network that `symbinv demo` inverts, and write it as JSON.

    python examples/train_iris.py iris.json

Needs scikit-learn (`pip install 'symbinv[sklearn]'`). The inputs are centimetres: the standardisation is folded
exactly into the first layer. The box holds the measurements, widened to whole tenths.
"""

import sys

import numpy as np
from sklearn.datasets import load_iris
from sklearn.neural_network import MLPClassifier

import symbinv as si


def main(path: str) -> None:
    iris = load_iris()
    center, scale = iris.data.mean(axis=0), iris.data.std(axis=0)
    model = MLPClassifier((3,), activation="logistic", solver="lbfgs", alpha=0.01, max_iter=2000, random_state=1)
    model.fit((iris.data - center) / scale, iris.target)
    first, last = (np.round(w.T, 3) for w in model.coefs_)
    # three decimals are enough for the classes, and make an exact network with short numbers
    weights = [np.round(first / scale, 3), last]
    biases = [np.round(model.intercepts_[0] - (first / scale) @ center, 3), np.round(model.intercepts_[1], 3)]
    network = si.Network.from_arrays(
        weights,
        biases,
        ["sigmoid", "softmax"],
        policy="decimal",
        input_names=["sepal length", "sepal width", "petal length", "petal width"],
        output_names=list(iris.target_names),
        box=[[f"{column.min():.1f}", f"{column.max():.1f}"] for column in iris.data.T],
        notes=["Inputs are centimetres; weights were rounded to three decimals after training."],
    )
    accuracy = (network.forward(iris.data).argmax(axis=1) == iris.target).mean()
    si.save(network, path)
    print(f"wrote {path}: {network.sizes}, accuracy {accuracy:.3f}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "iris.json")
