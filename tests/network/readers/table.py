"""The table of files that load and files that are refused: python -m tests.network.readers.table [--update].

Without --update the text of READERS.md is printed; with it, the file is rewritten.
"""

import functools
import json
import math
import pathlib
import sys
from importlib.util import find_spec

import numpy as np

from symbinv.errors import SymbinvError
from symbinv.exact.ball import precision
from symbinv.network.readers.load import load
from tests.network.readers.samples import DATA

PAGE = pathlib.Path(__file__).resolve().parents[3] / "READERS.md"
ENDINGS = {
    ".onnx": "onnx",
    ".nnet": "",
    ".npz": "",
    ".json": "",
    ".pt": "torch",
    ".keras": "keras",
    ".h5": "keras",
    ".joblib": "",
    ".eran": "",
}
NAMES = {".json": "trained"}  # other JSON files there are no networks

HEAD = """# What `load` reads

`symbinv.load(source)` takes a path or an object and returns an exact `Network`, or raises an error that says which
node, layer or line it cannot read. `network.notes` says what was folded, assumed and checked.

| source | needs | what is read |
|---|---|---|
| `.json`, `.npz` | – | the project's own files, see `symbinv.network.readers.arrays`; `save` writes JSON |
| `.nnet` | – | `space="raw"` folds the normalisation rows, `space="normalised"` leaves them out |
| `.onnx`, `onnx.ModelProto` | `symbinv[onnx]` | a chain of operators, checked against onnxruntime |
| `MLPClassifier`, `MLPRegressor`, `Pipeline` | – | StandardScaler, MinMaxScaler, MaxAbsScaler are folded |
| `.pt`, `.pth` | `symbinv[torch]` | state dicts, opened as weights only, with `activations=` or `model=` |
| `torch.nn.Sequential` | – | nested; `input_shape=` where it begins with a convolution |
| `.keras`, `.h5`, `keras.Sequential` | `symbinv[keras]` | safe mode, after a look at what the file declares |
| `.vnnlib` | – | an input box: `load(source, box="property.vnnlib")` |
| anything else | – | `register_reader(reader, ending=... or type_name=...)` |

Pickles (`.joblib`, `.pkl`) are never opened: open them yourself if you trust them, and pass the fitted object.

## The shared networks

The networks of `../shared/data`, each loaded with default options. "agrees" bounds the largest difference between the
exact forward pass and the reference output, relative to the largest output.

| file | result | agrees |
|---|---|---|
"""


def sources():
    """Every file that holds, or might hold, a network."""
    found = [p for p in DATA.rglob("*") if p.suffix in ENDINGS and p.is_file()]
    return sorted(p for p in found if p.suffix != ".json" or p.parent.name == NAMES[".json"])


def is_readable(path):
    """Whether the package that its reader needs is installed."""
    needs = ENDINGS[path.suffix]
    return not needs or find_spec(needs) is not None


def expectation(path, known={}):  # noqa: B006  # read once
    """Inputs and outputs that are known of a file, as flat lists, or None."""
    if not known:
        for name in ("expected_io_onnx.json", "expected_io_nnet.json"):
            known.update(json.loads((DATA / name).read_text()))
    entry = known.get(str(path.relative_to(DATA)), {})
    if "inputs" in entry:
        (given,) = list(entry["inputs"].values())[:1]
        return given["values"], entry["outputs"][0]["values"]
    if "x_raw" in entry:
        return entry["x_raw"], entry["y_raw"]
    stem = path.name.removesuffix(".onnx").removesuffix("_f64").removesuffix("_unfusedBN")
    twin = path.with_name(f"{stem.removesuffix(path.suffix)}.json")
    if path.parent.name == "trained" and twin.is_file() and isinstance(pair := json.loads(twin.read_text()), dict):
        return pair["x_star"], pair["y_star"]
    return None


def difference(network, pair):
    """The largest difference between the exact forward pass and reference outputs, relative to these."""
    x, y = np.reshape(pair[0], (-1, network.sizes[0])), np.ravel(pair[1])
    with precision(128):
        found = [float(value.mid()) for point in x for value in network.forward_ball(point.tolist())]
    assert len(found) == len(y)
    return float(np.abs(np.array(found) - y).max() / max(np.abs(y).max(), 1e-300))


@functools.cache
def outcome(path):
    """The network of a file and how far it is from what is known of it (or None), or the error."""
    try:
        network = load(path)
    except SymbinvError as error:
        return error, None
    pair = expectation(path)
    return network, None if pair is None else difference(network, pair)


def row(path):
    """One line of the table."""
    name = str(path.relative_to(DATA))
    network, far = outcome(path)
    if isinstance(network, SymbinvError):
        error = network
        reason = str(error).removeprefix(f"{path}: ").split("; torch says")[0].split("; Keras says")[0]
        reason = reason.split("; say them")[0].replace("|", "\\|")
        return f"| {name} | refused: {reason} | |"
    shown = "-".join(map(str, network.sizes)) if network.depth < 9 else f"{network.sizes[0]}-…-{network.sizes[-1]}"
    names = list(dict.fromkeys(layer.activation.name for layer in network.layers))
    bound = "" if far is None else bucket(far)
    layers = "1 layer" if network.depth == 1 else f"{network.depth} layers"
    return f"| {name} | {shown}, {layers}, {', '.join(names)} | {bound} |"


def bucket(value):
    """A power of ten that bounds a difference, for it need not be told more precisely."""
    return "1e-16" if value <= 1e-16 else f"1e{math.ceil(math.log10(value))}"


def page():
    """The whole text of READERS.md."""
    return HEAD + "".join(f"{row(path)}\n" for path in sources())


if __name__ == "__main__":
    text = page()
    if "--update" in sys.argv:
        PAGE.write_text(text)
    else:
        print(text, end="")
