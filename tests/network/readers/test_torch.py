import json
import pickle
import warnings
import zipfile
from fractions import Fraction

import numpy as np
import pytest

from symbinv.errors import NotSupportedError, OptionError, ReadError, SymbinvError
from symbinv.network.readers.load import load
from tests.network.readers.samples import needs_data, trained

torch = pytest.importorskip("torch")
nn = torch.nn

torch.manual_seed(3)


def dense(*middle, dtype=torch.float64):
    return nn.Sequential(nn.Linear(3, 4), *middle, nn.Linear(4, 2)).to(dtype).eval()


def agrees(model, network, shape, rtol=1e-9):
    x = np.random.default_rng(5).standard_normal((6, *shape))
    dtype = next(model.parameters()).dtype
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of even kernels with padding="same"
        expected = model(torch.tensor(x, dtype=dtype)).double().numpy().reshape(6, -1)
    assert np.allclose(network.forward(x.reshape(6, -1)), expected, rtol=rtol, atol=rtol)


def test_weights_are_the_stored_floats():
    model = dense(nn.Tanh(), dtype=torch.float32)
    network = load(model)
    stored = model[0].weight.detach().numpy()
    assert network.layers[0].weights.fraction(1, 2) == Fraction(float(stored[1, 2]))
    assert load(model, policy="decimal").layers[0].weights.fraction(1, 2) == Fraction(str(stored[1, 2]))
    assert [layer.activation.name for layer in network.layers] == ["tanh", "identity"]
    assert network.notes[-1] == "checked against torch at 3 points"


@pytest.mark.parametrize(
    "middle",
    [
        [nn.ReLU()],
        [nn.LeakyReLU(0.1)],
        [nn.LeakyReLU(0.0)],
        [nn.PReLU()],
        [nn.Sigmoid()],
        [nn.Softplus(beta=2)],
        [nn.SiLU(), nn.GELU(), nn.ReLU6()],
        [nn.Hardtanh(-0.5, 2), nn.Hardsigmoid(), nn.Softsign()],
        [nn.ELU(0.5), nn.CELU(2), nn.SELU(), nn.LogSoftmax(dim=1)],
        [nn.Sequential(nn.Tanh(), nn.Sequential(nn.Linear(4, 4), nn.ReLU()))],
        [nn.Dropout(0.5), nn.Identity(), nn.ReLU()],
        [nn.ReLU(), nn.BatchNorm1d(4)],
        [nn.Unflatten(1, (2, 2)), nn.Flatten(), nn.Softmax(dim=1)],
        [nn.Unflatten(1, (2, 2)), nn.Linear(2, 2, bias=False), nn.ReLU(), nn.Flatten(1, 2)],
    ],
    ids=lambda m: "-".join(type(x).__name__ for x in m),
)
def test_dense_networks_agree_with_torch(middle):
    model = dense(*middle)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    agrees(model, load(model), (3,))


IMAGE_MODELS = {
    "conv": nn.Sequential(nn.Conv2d(2, 4, 3, stride=2, padding=1, groups=2), nn.ReLU(), nn.Flatten(), nn.Linear(36, 2)),
    "dilated": nn.Sequential(nn.Conv2d(2, 3, (2, 3), dilation=(2, 1), bias=False), nn.Tanh(), nn.Flatten()),
    "same": nn.Sequential(nn.Conv2d(2, 1, 4, padding="same"), nn.Flatten()),
    "norm": nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 2)),
    "max": nn.Sequential(nn.Conv2d(2, 2, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
    "max first": nn.Sequential(nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=True), nn.Flatten(), nn.Linear(32, 1)),
    "max before relu": nn.Sequential(nn.Conv2d(2, 2, 3), nn.MaxPool2d((2, 1)), nn.ReLU(), nn.Flatten()),
    "average": nn.Sequential(nn.ReLU(), nn.AvgPool2d(3, 2, 1, ceil_mode=True), nn.Flatten(), nn.Linear(32, 1)),
    "average inside": nn.Sequential(nn.AvgPool2d(3, padding=1, count_include_pad=False), nn.Flatten(), nn.Linear(8, 1)),
    "global": nn.Sequential(nn.Conv2d(2, 3, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2)),
    "pad": nn.Sequential(nn.ConstantPad2d((1, 2, 0, 3), 0.5), nn.Conv2d(2, 1, 3), nn.Flatten()),
}


@pytest.mark.parametrize("name", IMAGE_MODELS)
def test_image_networks_agree_with_torch(name):
    model = IMAGE_MODELS[name].double().eval()
    network = load(model, input_shape=(2, 6, 6))
    agrees(model, network, (2, 6, 6))


def test_a_convolution_stays_sparse():
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten()).eval()
    weights = load(model, input_shape=(1, 12, 12)).layers[0].weights
    assert weights.shape == (400, 144)
    assert weights.nonzeros == 400 * 9


def test_an_identity_layer_is_made_only_between_weights():
    network = load(nn.Sequential(nn.Linear(3, 4), nn.Identity(), nn.Linear(4, 2)).double())
    assert [layer.activation.name for layer in network.layers] == ["identity", "identity"]


class Doubled(nn.Sequential):
    def forward(self, x):
        return 2 * super().forward(x)


def hooked():
    model = dense(nn.ReLU())
    model[0].register_forward_hook(lambda *_: None)
    return model


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (dense(nn.BatchNorm1d(4)).train(), NotSupportedError, "module 1 (BatchNorm1d): a BatchNorm must be in eval"),
        (dense(nn.Dropout(0.5)).train(), NotSupportedError, "module 1 (Dropout): a Dropout in training mode is random"),
        (dense(nn.Sequential(nn.GLU())), NotSupportedError, "module 1.0 (GLU): the module GLU is not supported"),
        (dense(nn.Unflatten(1, (2, 2)), nn.Softmax(dim=2)), NotSupportedError, "softmax must be over all 4 values"),
        (dense(nn.Unflatten(1, (1, 4)), nn.Softmax()), NotSupportedError, "dim must be given"),
        (Doubled(nn.Linear(1, 1)), NotSupportedError, "a forward map of its own"),
        (hooked(), NotSupportedError, "forward hooks"),
        (nn.Sequential(nn.Conv2d(1, 1, 2)), OptionError, "give input_shape="),
        (nn.Sequential(nn.Conv2d(1, 1, 2, padding=1, padding_mode="circular")), OptionError, "give input_shape="),
        (nn.Sequential(nn.Linear(2, 1).to(torch.bfloat16)), NotSupportedError, "not torch.bfloat16"),
        (nn.Linear(1, 1), NotSupportedError, "torch.nn.modules.linear.Linear has no reader"),
    ],
)
def test_what_has_no_exact_counterpart_is_refused_by_place(model, error, message):
    with pytest.raises(error) as caught:
        load(model)
    assert message in str(caught.value)


def test_circular_padding_is_refused():
    model = nn.Sequential(nn.Conv2d(1, 1, 2, padding=1, padding_mode="circular"))
    with pytest.raises(NotSupportedError, match="padding must be with zeros"):
        load(model, input_shape=(1, 3, 3))


@pytest.mark.parametrize("size", [None, (None, 1), 2])
def test_an_adaptive_pool_must_have_size_1(size):
    with pytest.raises(NotSupportedError, match="must have output size 1"):
        load(nn.Sequential(nn.AdaptiveAvgPool2d(size)), input_shape=(1, 4, 4))


def test_a_negative_slope_turns():
    model = nn.Sequential(nn.Linear(3, 4), nn.PReLU(init=-0.5), nn.LeakyReLU(-0.25)).double()
    labels = [layer.activation.label for layer in load(model).layers]
    assert labels == ["prelu(alpha=-1/2)", "prelu(alpha=-1/4)"]


def test_a_nan_weight_is_refused():
    model = dense(nn.ReLU())
    with torch.no_grad():
        model[0].weight[0, 0] = float("nan")
    with pytest.raises(SymbinvError, match="finite"):
        load(model)


# -- state dicts ------------------------------------------------------------------------------------------


def test_a_state_dict_is_read_with_activations_or_with_its_module(tmp_path):
    model = dense(nn.LeakyReLU(0.25))
    path = tmp_path / "state.pt"
    torch.save(model.state_dict(), path)
    one = load(path, activations=["leaky_relu(1/4)", "identity"])
    two = load(path, model=dense(nn.LeakyReLU(0.25)))
    for a, b, c in zip(one.layers, two.layers, load(model).layers, strict=True):
        assert a.weights == b.weights == c.weights
        assert a.activation.label == b.activation.label
    with pytest.raises(ReadError, match=r"holds weights and no activations; say them.*\(2\)"):
        load(path)
    with pytest.raises(OptionError, match=r"one name per linear layer \(2\)"):
        load(path, activations=["relu"])
    with pytest.raises(ReadError, match="the state must fit the model"):
        load(path, model=nn.Sequential(nn.Linear(2, 2)))


def test_a_pickled_module_is_refused_and_not_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (tmp_path / "exploded").mkdir, ()

    torch.save(dense(nn.ReLU()), tmp_path / "module.pt")
    torch.save({"0.weight": Bomb()}, tmp_path / "bomb.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Bomb()))
    for name in ("module.pt", "bomb.pt", "plain.pt"):
        with pytest.raises(ReadError, match=r"weights_only=True, not a pickled module.*torch says: [^.\n]*\.$"):
            load(tmp_path / name, activations=["relu"])
    assert not (tmp_path / "exploded").exists()


def test_a_compressed_archive_is_refused_before_torch_opens_it(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/0", bytes(10**7))
    with pytest.raises(ReadError, match=r"must be stored as torch.save does, not compressed: 'archive/data/0'"):
        load(tmp_path / "bomb.pt", activations=["relu"])


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({}, "at least one linear layer"),
        ({"a": 3}, "names with tensors"),
        ([torch.ones(1)], "names with tensors"),
        ({"0.weight": torch.ones(2, 2, 2)}, "without model=, every tensor must be"),
        ({"0.bias": torch.ones(2)}, "the layer '0' must have a weight"),
        ({"0.weight": torch.ones(1, 1).expand(10**6, 10**6)}, "at most"),
        ({"0.weight": torch.ones(2, 2, dtype=torch.int32)}, "floats of 16 to 64 bits"),
    ],
)
def test_other_contents_are_refused(tmp_path, state, message):
    torch.save(state, tmp_path / "x.pt")
    with pytest.raises(SymbinvError) as caught:
        load(tmp_path / "x.pt", activations=["relu"])
    assert message in str(caught.value)


@needs_data
@pytest.mark.parametrize("path", trained("torch_iris*.state_dict.pt"), ids=lambda p: p.stem)
def test_the_trained_state_dicts_have_the_same_weights_as_their_files(path):
    twin = path.with_name(path.name.replace(".state_dict.pt", ".json"))
    one, two = load(path, activations=json.loads(twin.read_text())["activations"]), load(twin)
    for a, b in zip(one.layers, two.layers, strict=True):
        assert a.weights == b.weights
        assert a.bias == b.bias


@needs_data
@pytest.mark.parametrize("name", ["torch_digits_cnn", "torch_digits_cnn2"])
def test_the_trained_convolutions_give_their_reference_output(name):
    (path,) = trained(f"{name}.state_dict.pt")
    two = [nn.Conv2d(4, 6, 2), nn.ReLU(), nn.Flatten(), nn.Linear(24, 12), nn.Tanh(), nn.Linear(12, 10)]
    first = nn.Conv2d(1, 4, 3, stride=2, padding=int(name == "torch_digits_cnn"))
    tail = two if name == "torch_digits_cnn2" else [nn.Flatten(), nn.Linear(64, 10)]
    model = nn.Sequential(first, nn.BatchNorm2d(4), nn.ReLU(), *tail).double().eval()
    network = load(path, model=model, input_shape=(1, 8, 8))
    pair = json.loads(path.with_name(f"{name}.json").read_text())
    found = network.forward(np.array(pair["x_star"]))
    assert np.allclose(found, pair["y_star"], rtol=1e-12, atol=1e-12)
