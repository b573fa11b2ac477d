import pathlib

import pytest

from tests.network.readers import table
from tests.network.readers.samples import DATA, needs_data

pytestmark = [needs_data, pytest.mark.filterwarnings("ignore")]

SOURCES = table.sources() if DATA.is_dir() else []

# files of operators that the reader knows, and that it must refuse all the same
REFUSED = {
    "small_public/marabou/certificate_and_controller_mandal.onnx": "must have one input, not 2",
    "small_public/marabou/layer-zoo/dropout_training_mode_true.onnx": "in training mode it is random",
}


def test_the_table_is_the_one_in_the_page():
    lines = [line for line in table.PAGE.read_text().splitlines() if line.startswith("| ")]
    kept = {line.split(" | ")[0]: line for line in lines}
    for path in SOURCES:
        if table.is_readable(path):
            fresh = table.row(path)
            print(fresh)
            assert kept[fresh.split(" | ")[0]] == fresh, "run python -m tests.network.readers.table --update"
    listed = [line for line in kept if pathlib.Path(line).suffix in table.ENDINGS and "`" not in line]
    assert len(listed) == len(SOURCES)


@pytest.mark.parametrize("path", [p for p in SOURCES if p.suffix in (".onnx", ".nnet")], ids=lambda p: p.name)
def test_every_onnx_and_nnet_file_loads_and_agrees_or_is_refused_for_a_stated_reason(path):
    if path.suffix == ".onnx":
        pytest.importorskip("onnx")
    name = str(path.relative_to(DATA))
    if name in REFUSED:
        assert REFUSED[name] in table.row(path)
        return
    _, far = table.outcome(path)
    assert far is not None
    is_double = path.suffix == ".nnet" or path.stem.endswith("_f64")
    assert far <= (1e-12 if is_double else 1e-5)
