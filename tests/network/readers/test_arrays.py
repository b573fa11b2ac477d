import io
import json
import os
import pickle
import zipfile
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symbinv.errors import (
    BudgetError,
    InexactError,
    NotSupportedError,
    OptionError,
    ReadError,
    ShapeError,
    SymbinvError,
)
from symbinv.exact.policy import rationalize
from symbinv.network.network import Network
from symbinv.network.readers import npy
from symbinv.network.readers.arrays import save
from symbinv.network.readers.load import load
from symbinv.network.readers.registry import register_reader, unregister_reader
from symbinv.network.readers.source import show
from tests.network.readers.samples import needs_data, trained

LAYER = {"W": [[1, "1/2"]], "b": [0.1], "activation": "relu"}


def write(folder, content, name="net.json"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def npz(folder, name="net.npz", **arrays):
    path = folder / name
    np.savez(path, **arrays)
    return path


def test_numbers_and_text_are_taken_exactly(tmp_path):
    network = load(write(tmp_path, {"layers": [LAYER]}))
    assert network.layers[0].weights.fractions() == [[1, Fraction(1, 2)]]
    assert network.layers[0].bias.fraction(0, 0) == Fraction(*(0.1).as_integer_ratio())


def test_the_policy_says_what_a_float_stands_for(tmp_path):
    path = write(tmp_path, {"layers": [LAYER]})
    assert load(path, policy="decimal").layers[0].bias.fraction(0, 0) == Fraction(1, 10)
    third = write(tmp_path, {"layers": [{**LAYER, "b": [0.3333]}]})
    assert load(third, policy=rationalize(9)).layers[0].bias.fraction(0, 0) == Fraction(1, 3)


@pytest.mark.parametrize("entry", [{"activation": "leaky_relu(0.1)"}, {"activation": "leaky_relu", "alpha": "1/10"}])
def test_a_slope_stands_in_parentheses_or_beside(tmp_path, entry):
    network = load(write(tmp_path, {"layers": [{**LAYER, **entry}]}))
    assert network.layers[0].activation.parameters["alpha"] == Fraction(1, 10)


def test_names_box_and_notes_come_along(tmp_path):
    content = {
        "layers": [LAYER],
        "feature_names": ["a", "b"],
        "output_names": ["y"],
        "box": [[0, 1], ["-1/3", 2]],
        "train_box": [[0, 0], [1, 1]],
        "notes": ["kept"],
    }
    network = load(write(tmp_path, content))
    assert network.input_names == ("a", "b")
    assert network.output_names == ("y",)
    assert network.box.fractions() == [[0, 1], [Fraction(-1, 3), 2]]
    assert network.notes[0] == "kept"
    assert "train_box" in network.notes[1]


def test_train_box_is_not_taken_for_the_box(tmp_path):
    assert load(write(tmp_path, {"layers": [LAYER], "train_box": [[0, 0], [1, 1]]})).box is None


def test_a_box_can_be_given(tmp_path):
    network = load(write(tmp_path, {"layers": [LAYER]}), box=[[0, 1], [0, "1/2"]])
    assert network.box.fraction(1, 1) == Fraction(1, 2)


def test_npz_layers_are_ordered_by_number_not_by_name(tmp_path):
    arrays = {f"W{i}": np.full((1, 1), float(i)) for i in range(1, 12)}
    biases = {f"b{i}": np.zeros(1) for i in range(1, 12)}
    path = npz(tmp_path, **arrays, **biases, activations=",".join(["identity"] * 11))
    assert [layer.weights.fraction(0, 0) for layer in load(path).layers] == list(range(1, 12))


def test_npz_float32_is_its_exact_value_and_its_own_decimal(tmp_path):
    path = npz(tmp_path, W1=np.full((1, 1), 0.8, "f4"), b1=np.zeros(1, "f4"), activations="relu")
    assert load(path).layers[0].weights.fraction(0, 0) == Fraction(*np.float32(0.8).as_integer_ratio())
    assert load(path, policy="decimal").layers[0].weights.fraction(0, 0) == Fraction(4, 5)


def test_npz_in_fortran_order_is_the_same_matrix(tmp_path):
    w = np.arange(6.0).reshape(2, 3)
    path = npz(tmp_path, W1=np.asfortranarray(w), b1=np.zeros(2), activations="relu")
    assert load(path).layers[0].weights.to_numpy().tolist() == w.tolist()


@given(
    st.sampled_from(["<f2", "<f4", ">f8", "<i8", "|u1", ">u2", "<U3"]),
    st.lists(st.integers(0, 4), max_size=3),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_npy_decodes_what_numpy_writes(dtype, shape, fortran, seed):
    values = np.random.default_rng(seed).integers(0, 200, shape).astype(dtype)
    array = np.asfortranarray(values) if fortran else values
    stream = io.BytesIO()
    np.save(stream, array)
    found = npy.decode(stream.getvalue())
    assert found.dtype == array.dtype
    assert found.shape == array.shape
    assert found.tolist() == array.tolist()


numbers = st.floats(-1e6, 1e6) | st.fractions(-9, 9, max_denominator=50) | st.integers(-(2**70), 2**70)


@st.composite
def networks(draw):
    sizes = draw(st.lists(st.integers(1, 3), min_size=2, max_size=4))
    weights, biases, names = [], [], []
    for n, m in zip(sizes, sizes[1:], strict=False):
        weights.append([[draw(numbers) for _ in range(n)] for _ in range(m)])
        biases.append([draw(numbers) for _ in range(m)])
        names.append(draw(st.sampled_from(["relu", "tanh", "leaky_relu(2/7)", "softmax", "identity"])))
    box = [[-1, "1/3"]] * sizes[0] if draw(st.booleans()) else None
    return Network.from_arrays(weights, biases, names, box=box, input_names=[f"é{i}" for i in range(sizes[0])])


@settings(max_examples=40)
@given(networks())
def test_what_is_saved_is_loaded_again_exactly(tmp_path_factory, network):
    path = tmp_path_factory.mktemp("save") / "net.json"
    save(network, path)
    again = load(path)
    assert [x.weights for x in again.layers] == [x.weights for x in network.layers]
    assert [x.bias for x in again.layers] == [x.bias for x in network.layers]
    assert [x.activation.label for x in again.layers] == [x.activation.label for x in network.layers]
    assert again.box == network.box
    assert again.input_names == network.input_names


def test_symbolic_weights_are_not_saved(tmp_path):
    with pytest.raises(NotSupportedError, match="symbolic weights"):
        save(Network.generic([2, 1], ["relu"]), tmp_path / "x.json")


def test_saving_replaces_whole_or_not_at_all(tmp_path):
    network = load(write(tmp_path, {"layers": [LAYER]}))
    path = write(tmp_path, b"before", "out.json")
    save(network, path)
    assert load(path).sizes == (2, 1)
    with pytest.raises(ReadError, match="cannot be written"):
        save(network, path / "inside-a-file.json")
    assert sorted(os.listdir(tmp_path)) == ["net.json", "out.json"]


# -- the reference point --------------------------------------------------------------------------------


def test_a_reference_point_that_disagrees_is_an_error_with_both_values(tmp_path):
    content = {"layers": [LAYER], "x_star": [1, 2], "y_star": [3]}
    with pytest.raises(ReadError, match=r"not give \[2\.1\] where .* gives \[3\], at the input \[1, 2\]"):
        load(write(tmp_path, content))
    assert load(write(tmp_path, content), check=False).sizes == (2, 1)


def test_leaky_relu_without_slope_is_refused(tmp_path):
    with pytest.raises(ReadError, match=r'layer 1: leaky_relu must have its slope, as in "leaky_relu\(0.1\)"'):
        load(write(tmp_path, {"layers": [{**LAYER, "activation": "leaky_relu"}]}))


def test_a_missing_slope_is_found_where_the_reference_settles_it(tmp_path):
    layer = {"W": [[1]], "b": [0], "activation": "leaky_relu"}
    network = load(write(tmp_path, {"layers": [layer], "x_star": [-2], "y_star": [-0.5]}))
    assert network.layers[0].activation.parameters["alpha"] == Fraction(1, 4)
    assert "0.25 is the only one" in network.notes[0]


@pytest.mark.parametrize(("x", "y", "count"), [(2, 2, 1000), (-2, -0.12345, 0)])
def test_a_missing_slope_that_the_reference_does_not_settle_is_refused(tmp_path, x, y, count):
    layer = {"W": [[1]], "b": [0], "activation": "leaky_relu"}
    with pytest.raises(ReadError, match=f"fit {count} slopes"):
        load(write(tmp_path, {"layers": [layer], "x_star": [x], "y_star": [y]}))


# -- refusals ---------------------------------------------------------------------------------------------

BAD_JSON = [
    (b"{", ReadError, "must be JSON"),
    (b"\xff\xfe{}", ReadError, "must be JSON"),
    (b"[" * 100_000, ReadError, "must be JSON"),
    (b'{"layers": [{"W": [[1]], "b": [' + b"9" * 5000 + b'], "activation": "relu"}]}', ReadError, "must be JSON"),
    (b"[1, 2]", ReadError, "must hold a JSON object, not list"),
    (b"", ReadError, "the file is empty"),
    ({}, ReadError, 'must hold "layers"'),
    ({"layers": []}, ShapeError, "at least one layer"),
    ({"layers": [3]}, ReadError, "layer 1: must be"),
    ({"layers": [{**LAYER, "weights": [[1]]}]}, ReadError, "W or weights once, not 2 times"),
    ({"layers": [{"W": [[1]], "activation": "relu"}]}, ReadError, "b or bias once, not 0 times"),
    ({"layers": [{**LAYER, "W": [[1, 2], [3]]}]}, ShapeError, "layer 1: W: all rows must have the same length"),
    ({"layers": [{**LAYER, "W": [1, 2]}]}, ShapeError, "W: must be rows of numbers"),
    ({"layers": [{**LAYER, "W": [[]]}]}, ShapeError, "at least one input"),
    ({"layers": [{**LAYER, "W": []}]}, ShapeError, "at least one input"),
    ({"layers": [{**LAYER, "b": 3}]}, ShapeError, "b: must be a list of numbers"),
    ({"layers": [{**LAYER, "b": [1, 2]}]}, ShapeError, "one entry per output"),
    ({"layers": [LAYER, LAYER]}, ShapeError, "layer 2 must take the 1 outputs"),
    (b'{"layers": [{"W": [[NaN]], "b": [0], "activation": "relu"}]}', InexactError, "finite, not NaN"),
    (b'{"layers": [{"W": [[1e999]], "b": [0], "activation": "relu"}]}', InexactError, "finite"),
    ({"layers": [{**LAYER, "b": [True]}]}, InexactError, "truth value"),
    ({"layers": [{**LAYER, "b": [None]}]}, InexactError, "text such as 4/5 is needed, not None"),
    ({"layers": [{**LAYER, "b": ["1/0"]}]}, InexactError, "denominator 0"),
    ({"layers": [{**LAYER, "b": ["__import__('os')"]}]}, InexactError, "must look like"),
    ({"layers": [{**LAYER, "b": ["1e9999"]}]}, InexactError, "at most three digits"),
    ({"layers": [{**LAYER, "activation": "mish2"}]}, NotSupportedError, "layer 1: activation must be one of"),
    ({"layers": [{**LAYER, "activation": 3}]}, ReadError, "activation must be a name"),
    ({"layers": [{**LAYER, "alpha": 3}]}, NotSupportedError, "parameters of relu"),
    ({"layers": [{**LAYER, "activation": "leaky_relu(1e999)"}]}, InexactError, "range of doubles"),
    ({"layers": [{**LAYER, "activation": "leaky_relu(-1)"}]}, NotSupportedError, "must be positive"),
    ({"layers": [LAYER], "sizes": [2, 2]}, ShapeError, "sizes must be those of the layers"),
    ({"layers": [LAYER], "box": [[1, 0], [0, 1]]}, ShapeError, "lower ends must not exceed"),
    ({"layers": [LAYER], "input_names": ["a"]}, ShapeError, "one name per input"),
    ({"layers": [LAYER], "input_names": [3]}, ReadError, "input_names must be a list of text"),
    ({"layers": [LAYER], "x_star": [[1]], "y_star": [1]}, ShapeError, "x_star and y_star"),
    ({"layers": [LAYER], "x_star": [1], "y_star": [1]}, ShapeError, "one entry per input"),
    ({"kernels_and_biases": [[[1]]], "activations": ["relu"]}, ReadError, "a kernel and a bias"),
]


@pytest.mark.parametrize(("content", "error", "message"), BAD_JSON)
def test_bad_json_is_one_clear_error_that_names_the_file(tmp_path, content, error, message):
    path = write(tmp_path, content)
    with pytest.raises(error) as caught:
        load(path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(path)) or "net.json" in str(caught.value)


def header(text, version=b"\x01\x00"):
    return b"\x93NUMPY" + version + len(text).to_bytes(2, "little") + text


BAD_NPY = [
    (b"", "begin as a .npy array"),
    (header(b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n"), "integers or text, not |O"),
    (header(b"{'descr': '<f16', 'fortran_order': False, 'shape': (1,), }\n"), "floats of at most 64 bits"),
    (header(b"{'descr': __import__('os'), 'fortran_order': False, 'shape': (1,), }\n"), "plain type"),
    (header(b"{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2), }\n") + bytes(31), "32 bytes for shape (2, 2)"),
    (header(b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }\n"), "at most 16777216 entries"),
    (header(b"{'descr': '<f8', 'fortran_order': False, 'shape': (0, 100000000000000000000), }\n") + b"x", "0 bytes"),
]


BAD_NPY += [
    (
        header(b"{'descr': '<U1', 'fortran_order': False, 'shape': (), }\n") + code.to_bytes(4, "little"),
        "Unicode characters",
    )
    for code in (0x110000, 0xD800, 0xFFFFFFFF)
]


@pytest.mark.parametrize(("content", "message"), BAD_NPY)
def test_bad_arrays_are_refused_before_anything_is_allocated(content, message):
    with pytest.raises((ReadError, BudgetError)) as caught:
        npy.decode(content)
    assert message in str(caught.value)


BAD_NPZ = [
    ({"W1": np.ones((1, 1)), "b1": np.ones(1)}, "must hold `activations`"),
    ({"W1": np.ones((1, 1)), "activations": "relu"}, "layer 1: must hold b"),
    ({"W1": np.ones((1, 1)), "b1": np.ones(1), "W2": np.ones((1, 1)), "activations": "relu"}, "holds W2"),
    (
        {"W1": np.array([[None]]), "b1": np.ones(1), "activations": "relu"},
        "W1: must hold floats of at most 64 bits, integers or text",
    ),
    (
        {"W1": np.ones((1, 1), bool), "b1": np.ones(1), "activations": "relu"},
        "W1: must hold floats of at most 64 bits, integers or text",
    ),
    ({"W1": np.full((1, 1), np.nan), "b1": np.ones(1), "activations": "relu"}, "layer 1: W: numbers must be finite"),
    ({"W1": np.ones((1, 1)), "b1": np.ones((1, 1)), "activations": "relu"}, "b: must have one axis, not 2"),
    ({"W1": np.ones(1), "b1": np.ones(1), "activations": "relu"}, "W: must have two axes, not 1"),
    ({"W1": np.ones((0, 1)), "b1": np.ones(0), "activations": "relu"}, "at least one input"),
    ({"W1": np.ones((1, 1)), "b1": np.ones(1), "activations": "nothing"}, "activation must be one of"),
]


@pytest.mark.parametrize(("arrays", "message"), BAD_NPZ)
def test_bad_npz_is_one_clear_error_that_names_the_file(tmp_path, arrays, message):
    with pytest.raises(SymbinvError) as caught:
        load(npz(tmp_path, **arrays))
    assert message in str(caught.value)
    assert "net.npz" in str(caught.value)


def test_a_pickle_is_never_opened(tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "exploded"),)

    for name in ("net.joblib", "net.pkl", "net.npz", "net.json"):
        with pytest.raises(SymbinvError):
            load(write(tmp_path, pickle.dumps(Bomb()), name))
    with pytest.raises(NotSupportedError, match=r"is a pickle.*pass the fitted object"):
        load(write(tmp_path, pickle.dumps(Bomb()), "net.joblib"))
    assert not (tmp_path / "exploded").exists()


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("names", "message"),
    [(["W1.npy", "W1.npy"], "W1: an .npz archive must hold each name once"), (["readme.txt"], "hold .npy arrays only")],
)
def test_an_archive_with_a_name_twice_or_a_foreign_member_is_refused(tmp_path, names, message):
    path = tmp_path / "net.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, header(b"{'descr': '<f8', 'fortran_order': False, 'shape': (0,), }\n"))
    with pytest.raises(ReadError) as caught:
        load(path)
    assert message in str(caught.value)


def test_sources_that_are_no_networks_are_refused(tmp_path):
    for source, error, message in [
        (tmp_path / "none.json", ReadError, "there is no such file"),
        (tmp_path, NotSupportedError, "the ending must be one of"),
        (tmp_path / "x.txt", NotSupportedError, "the ending must be one of"),
        ("a\0b.json", ReadError, "a\\x00b.json"),
        (3, NotSupportedError, "builtins.int has no reader"),
        (b"abc", NotSupportedError, "builtins.bytes has no reader"),
    ]:
        with pytest.raises(error) as caught:
            load(source)
        assert message in str(caught.value)


def test_a_folder_and_a_pipe_are_not_read(tmp_path):
    (tmp_path / "folder.json").mkdir()
    os.mkfifo(tmp_path / "pipe.json")
    for name in ("folder.json", "pipe.json"):
        with pytest.raises(ReadError, match="not a folder, pipe or device"):
            load(tmp_path / name)


def test_hostile_names_print_on_one_line(tmp_path):
    with pytest.raises(ReadError) as caught:
        load(tmp_path / "a\n\x1b[31mb.json")
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_a_long_text_is_cut_before_it_is_escaped():
    assert show("\n" * 10**8, 20) == "\\n" * 8 + "\\..."


def test_unknown_options_are_named(tmp_path):
    with pytest.raises(OptionError, match=r"must be among those of this reader \(none\), not space"):
        load(write(tmp_path, {"layers": [LAYER]}), space="raw")


def test_readers_can_be_registered_for_classes_and_derived_ones():
    class Mine:
        pass

    class Derived(Mine):
        pass

    key = f"{Mine.__module__.partition('.')[0]}.Mine"
    register_reader(lambda model, scale=1: Network.from_arrays([[[scale]]], [[0]], ["relu"]), type_name=key)
    try:
        assert load(Derived(), scale=3).layers[0].weights.fraction(0, 0) == 3
    finally:
        unregister_reader(key)
    with pytest.raises(NotSupportedError, match="has no reader"):
        load(Derived())
    with pytest.raises(OptionError, match="one of the two"):
        register_reader(lambda path: None)
    with pytest.raises(OptionError, match="begin with a dot"):
        register_reader(lambda path: None, ending="json")


def test_a_network_is_returned_as_it_is():
    network = Network.generic([2, 1], ["relu"])
    assert load(network) is network


# -- the trained networks -----------------------------------------------------------------------------


@needs_data
@pytest.mark.parametrize(
    "path", trained("*[0-9].npz") + trained("*softmax.npz") + trained("*minmax.npz"), ids=lambda p: p.stem
)
def test_trained_networks_have_the_same_weights_from_json_and_npz(path):
    one, two = load(path), load(path.with_suffix(".json"))
    assert one.sizes == two.sizes
    for a, b in zip(one.layers, two.layers, strict=True):
        assert a.weights == b.weights
        assert a.bias == b.bias
        assert a.activation.label == b.activation.label


@needs_data
def test_the_leaky_network_takes_its_slope_from_its_reference_point():
    (path,) = trained("torch_iris_leaky*.json")
    network = load(path, policy="decimal")
    assert network.layers[0].activation.parameters["alpha"] == Fraction(1, 10)
    assert any("gives leaky_relu no slope" in note for note in network.notes)
