import contextlib
import time

import pytest

from symbinv.cells.specification import read_specification
from symbinv.errors import SymbinvError
from symbinv.network.network import Network
from symbinv.network.readers.load import load
from symbinv.network.readers.vnnlib import read_boxes
from tests.network.readers import mutations

COUNTS = {"json": 300, "npz": 300, "nnet": 300, "vnnlib": 300, "onnx": 250, "pt": 60, "keras": 8, "h5": 8}

pytestmark = pytest.mark.filterwarnings("ignore")


def read(kind, path):
    """A network (or boxes), or the text of an error of ours; any other error leaves."""
    try:
        if kind == "vnnlib":
            with contextlib.suppress(SymbinvError):
                read_specification(path)
            return read_boxes(path)
        return load(path, activations=["relu", "identity"]) if kind == "pt" else load(path)
    except SymbinvError as error:
        return f"{type(error).__name__}: {error}"


@pytest.mark.parametrize("kind", COUNTS)
def test_damaged_files_give_a_network_or_an_error_of_ours(tmp_path, kind):
    if kind not in mutations.available():
        pytest.skip(f"the package that reads .{kind} is absent")
    path = tmp_path / f"damaged.{kind}"
    whole = mutations.seeds(kind)
    for data in whole:
        path.write_bytes(data)
        assert isinstance(read(kind, path), Network | tuple), "the seeds themselves are read"
    for seed in range(COUNTS[kind]):
        path.write_bytes(mutations.damage(kind, whole[seed % len(whole)], seed))
        start = time.process_time()
        found = read(kind, path)
        assert time.process_time() - start < 2, f"seed {seed}"
        assert isinstance(found, Network | tuple) or str(path) in found
