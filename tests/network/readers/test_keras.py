import io
import json
import zipfile
from fractions import Fraction

import numpy as np
import pytest

from symbinv.errors import BudgetError, NotSupportedError, ReadError, SymbinvError
from symbinv.network.readers.keras import _import_keras
from symbinv.network.readers.load import load
from tests.network.readers.samples import DATA, needs_data, trained

try:
    keras = _import_keras()
except NotSupportedError as absent:
    pytest.skip(f"keras is absent: {absent}", allow_module_level=True)
h5py = pytest.importorskip("h5py")
layers = keras.layers

pytestmark = pytest.mark.filterwarnings("ignore")  # backends warn of their own affairs


def build(*items, shape=(4,)):
    keras.utils.set_random_seed(1)
    return keras.Sequential([keras.Input(shape), *items])


def agrees(model, network, shape):
    x = np.random.default_rng(2).standard_normal((5, *shape)).astype(np.float32)
    expected = keras.ops.convert_to_numpy(model(x, training=False)).reshape(5, -1)
    assert np.allclose(network.forward(x.reshape(5, -1).astype(float)), expected, rtol=1e-4, atol=1e-5)


def test_kernels_are_transposed_exactly():
    model = build(layers.Dense(3, activation="sigmoid"), layers.Dense(2), layers.Softmax())
    network = load(model)
    kernel = keras.ops.convert_to_numpy(model.layers[0].kernel)
    assert network.layers[0].weights.fractions() == [[Fraction(float(v)) for v in row] for row in kernel.T]
    assert [layer.activation.name for layer in network.layers] == ["sigmoid", "softmax"]
    assert network.notes[-1] == "checked against keras at 3 points"


MODELS = {
    "activations": (
        (4,),
        lambda: [layers.Dense(3), layers.LeakyReLU(0.1), layers.Dense(3, "leaky_relu"), layers.ReLU()],
    ),
    "dropout": (
        (4,),
        lambda: [layers.Dropout(0.5), layers.Dense(2, "tanh", use_bias=False), layers.GaussianNoise(1.0)],
    ),
    "nested": ((4,), lambda: [keras.Sequential([layers.Dense(3, "relu")]), layers.Dense(2, "softplus")]),
    "shapes": ((2, 3), lambda: [layers.Permute((2, 1)), layers.Reshape((-1, 2)), layers.Flatten(), layers.Dense(1)]),
    "rescaling": ((4,), lambda: [layers.Rescaling(0.5, offset=-1), layers.Dense(2, layers.ReLU())]),
    "conv": ((6, 6, 2), lambda: [layers.Conv2D(3, 3, 2, "same", activation="relu"), layers.Flatten(), layers.Dense(2)]),
    "conv1d": ((7, 2), lambda: [layers.Conv1D(3, 2, dilation_rate=2), layers.MaxPooling1D(2), layers.Flatten()]),
    "groups": ((5, 5, 4), lambda: [layers.Conv2D(2, (2, 3), groups=2), layers.GlobalAveragePooling2D()]),
    "pools": ((6, 6, 2), lambda: [layers.AveragePooling2D(2, 1, "same"), layers.MaxPooling2D(3), layers.Flatten()]),
    "pad": ((3, 3, 1), lambda: [layers.ZeroPadding2D(((1, 0), (2, 1))), layers.Conv2D(1, 2), layers.Flatten()]),
}


@pytest.mark.parametrize("name", MODELS)
def test_networks_agree_with_keras(name):
    shape, items = MODELS[name]
    model = build(*items(), shape=shape)
    agrees(model, load(model), shape)


def test_batch_normalisation_and_normalization_are_folded():
    norm = layers.Normalization(mean=[0.5, 1, 2, 0], variance=[4.0, 1, 2, 0.25])
    model = build(norm, layers.Dense(3), layers.BatchNormalization(), layers.ReLU(), layers.Dense(1))
    generator = np.random.default_rng(0)
    batch = model.layers[2]
    batch.set_weights([generator.uniform(0.5, 2, 3).astype("f4") for _ in range(4)])
    network = load(model)
    agrees(model, network, (4,))
    assert network.sizes == (4, 3, 1)
    assert sum("folded" in note for note in network.notes) == 2


class Own(layers.Dense):
    def call(self, inputs):
        return 2 * super().call(inputs)


@pytest.mark.parametrize(
    ("items", "shape", "message"),
    [
        (
            lambda: [layers.Dense(2, activation=lambda x: x)],
            (4,),
            "(Dense): the activation '<lambda>' is not supported",
        ),
        (lambda: [layers.LSTM(2)], (3, 4), "(LSTM): the layer LSTM is not supported"),
        (lambda: [Own(2)], (4,), "a call of its own is not supported"),
        (lambda: [layers.ReLU(max_value=6)], (4,), "a largest value or a threshold is not supported"),
        (lambda: [layers.Dense(2, "softmax")], (3, 4), "softmax must be over all 6 values of a point, not 2"),
        (lambda: [layers.Conv1D(1, 2, padding="causal")], (4, 2), "padding must be valid or same, not 'causal'"),
        (lambda: [layers.GlobalAveragePooling1D()], (None, 4), "mixes the points of the batch"),
    ],
)
def test_what_has_no_exact_counterpart_is_refused_by_layer(items, shape, message):
    with pytest.raises(NotSupportedError) as caught:
        load(build(*items(), shape=shape))
    assert message in str(caught.value)


def test_a_functional_model_has_no_reader():
    x = keras.Input((2,))
    with pytest.raises(NotSupportedError, match="has no reader"):
        load(keras.Model(x, layers.Dense(1)(x)))


# -- files ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_files_have_the_same_weights_as_the_model(tmp_path, ending):
    model = build(layers.Dense(3, "tanh"), layers.Dense(2, "softmax"))
    path = tmp_path / f"m.{ending}"
    model.save(path)
    for a, b in zip(load(path).layers, load(model).layers, strict=True):
        assert a.weights == b.weights
        assert a.bias == b.bias


def archive(path, config, weights=None):
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        for name, action in (weights or {}).items():
            action(file, name)
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("config.json", config if isinstance(config, str) else json.dumps(config))
        out.writestr("model.weights.h5", stream.getvalue())
    return path


def sequential(*items):
    return {"class_name": "Sequential", "config": {"layers": list(items)}}


def layer(kind, **config):
    return {"class_name": kind, "module": "keras.layers", "config": config}


INPUT = layer("InputLayer", batch_shape=[None, 4])


@pytest.mark.parametrize(
    ("config", "error", "message"),
    [
        ("{", ReadError, "its configuration must be JSON"),
        ([], ReadError, "must be a JSON object"),
        ({"class_name": "Functional"}, NotSupportedError, "must be a Sequential model, not 'Functional'"),
        (sequential(layer("Lambda", function="evil")), NotSupportedError, "layer 0: the layer Lambda is not supported"),
        (sequential({**INPUT, "module": "os"}), NotSupportedError, "the layer InputLayer is not supported"),
        (sequential(INPUT, layer("Dense", units=10**12)), BudgetError, "layer 1: a size must have at most"),
        (sequential(INPUT, *[layer("Dense", units=2**15)] * 2), BudgetError, "weights must have at most"),
        (sequential(INPUT, layer("Dense", units="3")), ReadError, "sizes must be whole numbers, not '3'"),
        (sequential(INPUT, 3), ReadError, "layer 1: must have a class and a configuration"),
        (sequential(INPUT, layer("Dense", units=-1)), ReadError, "whole numbers"),
        ({"class_name": "Sequential", "config": []}, NotSupportedError, "as Keras 2 and 3 do"),
        (sequential(INPUT, layer("Dense", units=2)), ReadError, "must be a model that Keras opens"),
    ],
)
def test_hostile_configurations_are_refused_before_keras_sees_them(tmp_path, config, error, message):
    with pytest.raises(error) as caught:
        load(archive(tmp_path / "m.keras", config))
    assert message in str(caught.value)
    assert "m.keras" in str(caught.value)


def test_arrays_outside_the_file_and_huge_ones_are_refused(tmp_path):
    cases = {
        "link": lambda f, n: f.__setitem__(n, h5py.ExternalLink("/etc/passwd", "/")),
        "outside": lambda f, n: f.create_dataset(n, (4,), "f4", external=[("x.bin", 0, 16)]),
        "huge": lambda f, n: f.create_dataset(n, (10**6, 10**6), "f4", chunks=(100, 100)),
    }
    for name, action in cases.items():
        with pytest.raises(SymbinvError, match=r"must not be a link|in the file itself|at most"):
            load(archive(tmp_path / "m.keras", sequential(INPUT), {name: action}))


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_damaged_files_are_refused(tmp_path, ending):
    model = build(layers.Dense(3))
    model.save(tmp_path / f"m.{ending}")
    whole = (tmp_path / f"m.{ending}").read_bytes()
    for data in (b"", whole[:100], whole[:-500], b"PK\x03\x04" + whole[4:60], b"\x89HDF\r\n\x1a\n" + bytes(50)):
        (tmp_path / f"m.{ending}").write_bytes(data)
        with pytest.raises(SymbinvError):
            load(tmp_path / f"m.{ending}")


def test_a_weights_only_file_is_refused(tmp_path):
    model = build(layers.Dense(3))
    model.save_weights(tmp_path / "m.weights.h5")
    with pytest.raises(ReadError, match="must hold a whole model, not weights alone"):
        load(tmp_path / "m.weights.h5")


@needs_data
def test_the_trained_model_has_the_same_weights_in_all_its_forms():
    (npz,) = trained("keras_iris_sigmoid*.json")
    one = load(npz)
    for ending in (".keras", ".h5"):
        for a, b in zip(one.layers, load(npz.with_suffix(ending)).layers, strict=True):
            assert a.weights == b.weights
            assert a.bias == b.bias
            assert a.activation.label == b.activation.label


@needs_data
def test_older_files_load_or_say_why_not():
    old = DATA / "small_public"
    two, one = load(old / "marabou/fc_2-2sigmoids-3.h5"), load(old / "marabou/fc_2-2sigmoids-3.onnx")
    assert [a.weights == b.weights for a, b in zip(one.layers, two.layers, strict=True)] == [True, True]
    with pytest.raises(NotSupportedError, match="must list layers as Keras 2 and 3 do"):
        load(old / "nnet/KerasTestNetwork.h5")
