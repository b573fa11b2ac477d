import warnings
from fractions import Fraction

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, PolynomialFeatures, RobustScaler, StandardScaler

from symbinv.errors import NotSupportedError, ReadError
from symbinv.network.readers.load import load
from symbinv.network.readers.sklearn import _class_of
from tests.network.readers.samples import needs_data, trained

GENERATOR = np.random.default_rng(7)
X = GENERATOR.normal([5, -3, 100], [1, 2, 30], (60, 3))
TWO = (X[:, 0] > 5).astype(int)
THREE = np.digitize(X[:, 1], [-4, -2])
MANY = np.stack([TWO, X[:, 2] > 100], axis=1).astype(int)


def fit(model, y, x=X):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(x, y)


def mlp(activation="tanh", kind=MLPClassifier):
    return kind(hidden_layer_sizes=(4, 2), activation=activation, max_iter=3, random_state=0)


def fractions(array):
    return [[Fraction(float(v)) for v in row] for row in np.atleast_2d(array)]


@pytest.mark.parametrize(("activation", "ours"), [("relu", "relu"), ("logistic", "sigmoid"), ("tanh", "tanh")])
@pytest.mark.parametrize(("y", "last", "count"), [(TWO, "sigmoid", 1), (THREE, "softmax", 3), (MANY, "sigmoid", 2)])
def test_a_classifier_has_its_own_weights_and_output_activation(activation, ours, y, last, count):
    model = fit(mlp(activation), y)
    network = load(model)
    assert network.sizes == (3, 4, 2, count)
    assert [layer.activation.name for layer in network.layers] == [ours, ours, last]
    for layer, coef, intercept in zip(network.layers, model.coefs_, model.intercepts_, strict=True):
        assert layer.weights.fractions() == fractions(coef.T)
        assert layer.bias.fractions() == fractions(intercept.reshape(-1, 1))
    assert "checked against scikit-learn" in network.notes[-1]


def test_a_binary_classifier_gives_the_probability_of_its_second_class():
    model = fit(mlp(), np.where(TWO, "yes", "no"))
    network = load(model)
    assert network.output_names == ("yes",)
    expected = model.predict_proba(X[:5])[:, 1]
    assert np.allclose(network.forward(X[:5])[:, 0], expected, rtol=1e-12)


def test_identity_layers_stay_layers():
    network = load(fit(mlp("identity", MLPRegressor), X[:, 0]))
    assert [layer.activation.name for layer in network.layers] == ["identity"] * 3


@pytest.mark.parametrize(
    "scalers",
    [
        [StandardScaler()],
        [StandardScaler(with_mean=False)],
        [StandardScaler(with_std=False)],
        [MinMaxScaler((-2, 3))],
        [MaxAbsScaler()],
        [MinMaxScaler(), StandardScaler(), MaxAbsScaler()],
        ["passthrough", make_pipeline(StandardScaler())],
    ],
)
def test_scalers_are_folded_exactly(scalers):
    steps = [(str(k), s) for k, s in enumerate([*scalers, mlp()])]
    model = fit(Pipeline(steps), THREE)
    network = load(model)
    assert network.sizes == (3, 4, 2, 3)
    point = [Fraction(float(v)) for v in X[0]]
    found = network.layers[0].weights.fractions(), network.layers[0].bias.fractions()
    z = [sum(w * x for w, x in zip(row, point, strict=True)) + b[0] for row, b in zip(*found, strict=True)]
    for _, step in model.steps[:-1]:
        for s in [step] if not hasattr(step, "steps") else [inner for _, inner in step.steps]:
            point = by_hand(s, point)
    first = model.steps[-1][1]
    expected = [
        sum(Fraction(float(w)) * x for w, x in zip(column, point, strict=True)) + Fraction(float(b))
        for column, b in zip(first.coefs_[0].T, first.intercepts_[0], strict=True)
    ]
    assert z == expected
    assert any("folded exactly" in note for note in network.notes)


def by_hand(scaler, point):
    """What each scaler is documented to do, in Fractions."""
    if isinstance(scaler, str):
        return point
    one, zero = np.ones(3), np.zeros(3)
    if isinstance(scaler, StandardScaler):
        shift, scale = scaler.mean_ if scaler.with_mean else zero, scaler.scale_ if scaler.with_std else one
        return [(x - Fraction(float(m))) / Fraction(float(s)) for x, m, s in zip(point, shift, scale, strict=True)]
    if isinstance(scaler, MinMaxScaler):
        pairs = zip(point, scaler.scale_, scaler.min_, strict=True)
        return [x * Fraction(float(s)) + Fraction(float(m)) for x, s, m in pairs]
    return [x / Fraction(float(s)) for x, s in zip(point, scaler.scale_, strict=True)]


def test_float32_networks_are_read_as_float32():
    model = fit(mlp(), THREE, X.astype(np.float32))
    assert model.coefs_[0].dtype == np.float32
    value = load(model, policy="decimal").layers[0].weights.fraction(0, 0)
    assert value == Fraction(str(model.coefs_[0][0, 0]))


def test_names_of_a_data_frame_come_along():
    model = fit(mlp(), THREE)
    model.feature_names_in_ = np.array(["a", "b", "c"], dtype=object)
    network = load(model)
    assert network.input_names == ("a", "b", "c")
    assert network.output_names == ("0", "1", "2")


def test_derived_classes_are_read_too():
    class Mine(MLPClassifier):
        pass

    network = load(fit(Mine(hidden_layer_sizes=(2,), max_iter=2), TWO))
    assert network.sizes == (3, 2, 1)
    assert _class_of(Mine()) == "MLPClassifier"


def test_the_parity_check_sees_a_model_that_computes_something_else():
    class Mine(MLPRegressor):
        def predict(self, x):
            return super().predict(x) + 1

    model = fit(Mine(hidden_layer_sizes=(2,), max_iter=2), X[:, 0])
    with pytest.raises(ReadError, match=r"must agree with scikit-learn, not give \[.*\] where scikit-learn gives \["):
        load(model)
    assert load(model, check=False).sizes == (3, 2, 1)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (MLPClassifier(), "an MLPClassifier must be fitted"),
        (make_pipeline(StandardScaler(), MLPClassifier()), "an MLPClassifier must be fitted"),
        (make_pipeline(StandardScaler()), "must end in an MLPClassifier or MLPRegressor, not in StandardScaler"),
        (StandardScaler(), "sklearn.preprocessing._data.StandardScaler has no reader"),
    ],
)
def test_what_is_no_fitted_network_is_refused(model, message):
    with pytest.raises(NotSupportedError) as caught:
        load(model)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("scaler", "message"),
    [
        (PolynomialFeatures(1, include_bias=False), "step 1 (PolynomialFeatures): a step before the network must be"),
        (RobustScaler(), "step 1 (RobustScaler): a step before the network must be one of StandardScaler"),
        (MinMaxScaler(clip=True), "step 1 (MinMaxScaler): clip=True is not supported"),
    ],
)
def test_other_steps_are_refused_by_name(scaler, message):
    with pytest.raises(NotSupportedError) as caught:
        load(fit(make_pipeline(scaler, mlp()), THREE))
    assert message in str(caught.value)


def test_an_output_activation_outside_the_table_is_refused():
    model = fit(mlp(kind=MLPRegressor), X[:, 0])
    model.out_activation_ = "unheard"
    with pytest.raises(NotSupportedError, match="layer 3: the activation 'unheard' is not supported"):
        load(model)


@needs_data
@pytest.mark.parametrize("path", trained("*.joblib"), ids=lambda p: p.stem)
def test_the_fitted_classifiers_have_the_same_weights_as_their_files(path):
    joblib = pytest.importorskip("joblib")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fitted by another version of scikit-learn
        model = joblib.load(path)
    one, two = load(model), load(path.with_suffix(".npz"))
    for a, b in zip(one.layers, two.layers, strict=True):
        assert a.weights == b.weights
        assert a.bias == b.bias
        assert a.activation.label == b.activation.label
