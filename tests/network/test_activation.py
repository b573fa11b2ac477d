"""Every activation of the table against mpmath at 50 digits: values, slopes, inverses, balls, bounds."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as st

from symbinv.errors import InexactError, OptionError
from symbinv.exact.ball import precision
from symbinv.exact.interval import Interval
from symbinv.exact.loglinear import LogLinear
from symbinv.network.activation import ACTIVATIONS, activation
from symbinv.network.bounds import activation_interval
from symbinv.network.network import Network
from tests.network.activation_reference import (
    MIXING,
    REFERENCE,
    SUBNORMAL,
    TINY,
    close,
    contains,
    m,
    mp,
)

EACH = pytest.mark.parametrize("name", REFERENCE)
ONE_TO_ONE = [n for n in REFERENCE if activation(n).inverse is not None]
moderate = st.floats(-30, 30)


def test_every_entry_of_the_table_is_tested_here():
    assert {activation(name).name for name in REFERENCE} | set(MIXING) == set(ACTIVATIONS)


def is_kink(name, z):
    return any(p.upper is not None and float(p.upper) == z for p in activation(name).pieces or ()) or z == 0


# -- forward ------------------------------------------------------------------------------------------


@EACH
@settings(deadline=None, max_examples=60)
@given(z=moderate)
def test_numeric_values_agree_with_mpmath(name, z):
    found = activation(name).numeric(np.array([[z]]))[0, 0]
    # an argument z of a cancelling formula (hard_sigmoid at -beta/alpha) is only as good as one rounding of z
    assert abs(m(float(found)) - REFERENCE[name](m(z))) <= m(1e-13) * max(abs(REFERENCE[name](m(z))), m(1e-3))


@EACH
@settings(deadline=None, max_examples=40)
@given(z=moderate)
def test_derivatives_agree_with_mpmaths_differences(name, z):
    if is_kink(name, z) or any(
        abs(z - float(p.upper)) < 1e-9 for p in activation(name).pieces or () if p.upper is not None
    ):
        return
    f = activation(name)
    zs = np.array([[z]])
    found = f.derivative(zs, f.numeric(zs))[0, 0]
    with mpmath.workdps(60):
        h = mp.mpf(10) ** -20
        expected = (REFERENCE[name](m(z) + h) - REFERENCE[name](m(z) - h)) / (2 * h)
    if abs(z) > 1e-15:
        assert abs(m(float(found)) - expected) <= m(1e-11) * max(abs(expected), m(1e-6))


@EACH
@settings(deadline=None, max_examples=40)
@given(z=st.fractions(-20, 20, max_denominator=50))
def test_symbolic_values_agree_with_mpmath(name, z):
    found = activation(name).symbolic(sympy.Rational(z.numerator, z.denominator))
    assert abs(m(str(sympy.N(found, 40))) - REFERENCE[name](m(z))) <= m("1e-35") * (1 + abs(REFERENCE[name](m(z))))


@EACH
def test_symbols_are_carried_through(name):
    z = sympy.Symbol("z", real=True)
    expression = activation(name).symbolic(z)
    for value in (sympy.Rational(-13, 10), sympy.Rational(1, 3), sympy.Integer(7)):
        assert abs(m(str(sympy.N(expression.subs(z, value), 40))) - REFERENCE[name](m(Fraction(str(value))))) < m(
            "1e-30"
        )


def test_large_arguments_neither_warn_nor_overflow():
    z = np.array([[-8e307, -1000.0, 1000.0, 8e307]])
    for name in REFERENCE:
        f = activation(name)
        a = f.numeric(z)
        assert not np.isnan(a).any(), name
        assert np.isfinite(a).all() or name in ("exp", "square"), name
        assert not np.isnan(f.derivative(z, a)).any(), name


# -- balls --------------------------------------------------------------------------------------------


@EACH
@settings(deadline=None, max_examples=40)
@given(z=moderate, radius=st.sampled_from([0.0, 1e-12, 0.1, 3.0]), share=st.floats(-1, 1))
def test_balls_contain_the_value_and_the_slope_anywhere_inside(name, z, radius, share):
    f = activation(name)
    around = arb(z, radius)
    inside = m(z) + m(radius) * m(share) * m("0.999")
    value = f.ball(around)
    assert contains(value, REFERENCE[name](inside))
    if any(p.upper is not None and abs(inside - m(p.upper)) < m("1e-15") for p in f.pieces or ()) or abs(inside) < m(
        "1e-15"
    ):
        return
    with mpmath.workdps(60):
        h = mp.mpf(10) ** -22
        slope = (REFERENCE[name](inside + h) - REFERENCE[name](inside - h)) / (2 * h)
    enclosure = f.ball_derivative(around, value)
    assert enclosure.overlaps(arb(mp.nstr(slope, 25), 1e-12 * (1 + abs(float(slope)))))


@EACH
@settings(deadline=None, max_examples=60)
@given(
    ends=st.tuples(st.fractions(-9, 9, max_denominator=8), st.fractions(-9, 9, max_denominator=8)),
    share=st.fractions(0, 1),
    infinite=st.sampled_from(["", "lower", "upper"]),
)
def test_interval_bounds_contain_every_value(name, ends, share, infinite):
    low, high = sorted(ends)
    z = Interval.closed(None if infinite == "lower" else low, None if infinite == "upper" else high)
    bound = activation_interval(activation(name), z)
    value = REFERENCE[name](m(low + (high - low) * share))
    slack = m("1e-20") * (1 + abs(value))
    assert bound.lower is None or value >= m(bound.lower) - slack
    assert bound.upper is None or value <= m(bound.upper) + slack


def test_bounds_of_functions_that_fall_and_rise_are_tight_and_not_their_ends_alone():
    for name in ("square", "abs", "silu", "gelu", "prelu(-1/2)"):
        bound = activation_interval(activation(name), Interval.closed(-3, 2))
        lowest = min(float(REFERENCE[name](m(z))) for z in np.linspace(-3, 2, 4001))
        highest = max(float(REFERENCE[name](m(z))) for z in np.linspace(-3, 2, 4001))
        assert lowest - 1e-6 <= float(bound.lower) <= lowest + 1e-12
        assert highest - 1e-12 <= float(bound.upper) <= highest + 1e-6
    assert activation_interval(activation("square"), Interval.closed(-3, -2)) == Interval.closed(4, 9)


def test_only_functions_that_never_fall_are_called_monotone():
    for name, reference in REFERENCE.items():
        values = np.array([float(reference(m(z))) for z in np.linspace(-8, 8, 401)])
        assert activation(name).is_monotone == bool((np.diff(values) >= 0).all()), name


# -- inverses -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ONE_TO_ONE)
@settings(deadline=None, max_examples=80)
@given(z=st.one_of(moderate, st.floats(-700, 700), st.floats(-1e-3, 1e-3)))
def test_numeric_inverses_agree_with_mpmath_at_any_value_taken(name, z):
    f = activation(name)
    a = float(f.numeric(np.array([[z]]))[0, 0])
    if not f.image.contains(Fraction(a)) or not np.isfinite(a):
        return  # the double rounds to an end of the image
    found = f.inverse.numeric(np.array([[a]]))[0, 0]
    assert close(found, exact_inverse(name, m(a)))


def exact_inverse(name, a):
    """Return the inverse by formulas of mpmath's own."""
    f = activation(name)
    p = {k: m(v) for k, v in f.parameters.items()}
    with mpmath.workdps(400):
        mp.dps = 400
        try:
            if f.name == "sigmoid":
                return mp.log(a / (1 - a))
            if f.name == "tanh":
                return mp.atanh(a)
            if f.name == "softplus":
                b = p.get("beta", mp.mpf(1))
                return mp.log(mp.expm1(b * a)) / b
            if f.name == "softsign":
                return a / (1 - abs(a))
            if f.name == "arctan":
                return mp.tan(a)
            if f.name == "exp":
                return mp.log(a)
            if f.name in ("elu", "celu", "selu"):
                scale, rate = p.get("scale", mp.mpf(1)), p["alpha"] if f.name == "celu" else mp.mpf(1)
                return a / scale if a >= 0 else rate * mp.log1p(a / (scale * p["alpha"]))
            return a if a > 0 or f.name == "identity" else a / p["alpha"]
        finally:
            mp.dps = 50


EXTREMES = [
    0.5,
    0.5 + 2**-52,
    0.5 - 2**-54,
    0.25,
    0.75,
    1 - 2**-53,
    1 - 2**-52,
    TINY,
    2.0**-1022,
    SUBNORMAL,
    3 * SUBNORMAL,
    1e-300,
    1e-17,
]


@pytest.mark.parametrize("name", ONE_TO_ONE)
@pytest.mark.parametrize(
    "a",
    [
        *EXTREMES,
        *(-a for a in EXTREMES),
        0.6931471805599453,
        0.6931471805599454,
        2.0,
        700.0,
        1e300,
        1.7976931348623157e308,
        1.5707963267948966,
        -0.09999999999999999,
        -0.3333333333333333,
        -1.7580993408473766,
    ],
)
def test_numeric_inverses_agree_with_mpmath_at_the_ends_of_the_doubles(name, a):
    f = activation(name)
    if not f.image.contains(Fraction(a)):
        return
    expected = exact_inverse(name, m(a))
    if abs(expected) < m("1.79e308"):
        assert close(f.inverse.numeric(np.array([a]))[0], expected)


@pytest.mark.parametrize("name", ONE_TO_ONE)
@settings(deadline=None, max_examples=40)
@given(z=st.fractions(-4, 4, max_denominator=9))
def test_exact_and_symbolic_inverses_undo_the_activation(name, z):
    f = activation(name)
    y = Fraction(float(f.numeric(np.array([[float(z)]]))[0, 0])).limit_denominator(10**6)
    if not f.image.contains(y):
        return
    exact = f.inverse.exact(LogLinear.rational(y))
    written = f.inverse.symbolic(sympy.Rational(y.numerator, y.denominator))
    expected = exact_inverse(name, m(y))
    with precision(200):
        assert contains(exact.enclose(), expected)
    assert abs(m(str(sympy.N(written, 40))) - expected) <= m("1e-30") * (1 + abs(expected))
    back = f.symbolic(exact.to_sympy())
    assert abs(m(str(sympy.N(back, 40))) - m(y)) < m("1e-30")


def test_long_ends_of_an_image_are_shown_rounded():
    assert str(activation("arctan").image) == "(≈-1.5708, ≈1.5708)"
    assert str(activation("silu").image) == "[≈-0.278465, oo)"


def test_a_value_between_pi_over_2_and_the_rounded_end_is_not_inverted():
    f = activation("arctan")
    end = f.image.upper - Fraction(1, 2**520)
    assert f.image.contains(end) and f.inverse.exact(LogLinear.rational(end)) is None


# -- pieces -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n in REFERENCE if activation(n).pieces is not None])
@settings(deadline=None, max_examples=40)
@given(
    z=st.one_of(
        st.fractions(-9, 9, max_denominator=6),
        st.sampled_from([Fraction(0), Fraction(6), Fraction(-1), Fraction(-5, 2)]),
    )
)
def test_pieces_give_the_function_and_meet_at_their_ends(name, z):
    f = activation(name)
    piece = f.pieces[f.piece_at(z)]
    assert (piece.lower is None or z >= piece.lower) and (piece.upper is None or z <= piece.upper)
    assert m(piece.slope * z + piece.intercept) - REFERENCE[name](m(z)) == pytest.approx(0, abs=1e-45)
    for left, right in zip(f.pieces, f.pieces[1:], strict=False):
        assert left.upper == right.lower
        assert left.slope * left.upper + left.intercept == right.slope * right.lower + right.intercept


def test_a_unit_at_a_kink_is_on_the_left_piece():
    assert activation("relu6").piece_at(Fraction(6)) == 1
    assert activation("abs").piece_at(Fraction(0)) == 0


# -- mixing -------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(z=st.lists(st.floats(-40, 40), min_size=2, max_size=5), shift=st.floats(-5, 5))
def test_softmax_and_its_logarithm_agree_with_mpmath(z, shift):
    powers = [mp.exp(m(v)) for v in z]
    total = sum(powers)
    soft, logs = (activation(n) for n in MIXING)
    for found, power in zip(soft.numeric(np.array([z]))[0], powers, strict=True):
        assert close(found, power / total, 1e-13)
    for i, found in enumerate(logs.numeric(np.array([z]))[0]):
        expected = mp.log(powers[i]) - mp.log(total)
        scale = max(abs(expected), abs(m(z[i]) - max(map(m, z))), m(1e-30))
        assert abs(m(float(found)) - expected) <= m(1e-15) * 40 * max(scale, m(1e-3) if expected < -1e-3 else scale)
    with precision(100):
        for f, g in ((soft, lambda v: v / total), (logs, lambda v: mp.log(v / total))):
            assert all(contains(b, g(p)) for b, p in zip(f.forward_ball([arb(v) for v in z]), powers, strict=True))


def test_both_mixing_inverses_give_back_the_arguments_up_to_a_shift():
    z = [Fraction(1, 3), Fraction(-2), Fraction(5, 7)]
    exact = [sympy.Rational(v.numerator, v.denominator) for v in z]
    for name in MIXING:
        f = activation(name)
        undone = [f.inverse.symbolic(a) for a in f.forward(exact)]
        shifts = {sympy.N(u - v, 30) for u, v in zip(undone, exact, strict=True)}
        assert max(shifts) - min(shifts) < 1e-25


def test_targets_of_log_softmax_in_floats_are_taken_up_by_the_shift():
    from symbinv.inverse.invert import invert
    from symbinv.inverse.verdict import Empty, NonEmpty
    from symbinv.sampler.compile import compile_sampler

    network = Network.from_arrays([[[1, 2, 3], [2, 5, 7], [1, 0, 1]]], [[0, 0, 1]], ["log_softmax"])
    x = np.array([0.3, -0.2, 0.5])
    y = network.forward(x)
    inverse = invert(network, y.tolist())
    assert isinstance(inverse.verdict, NonEmpty) and any("shift" in note for note in inverse.notes)
    sampler = compile_sampler(inverse)
    again = sampler.backward(sampler.free_of(x))
    assert np.abs(again - x).max() < 1e-9
    assert isinstance(invert(network, ["-1", "-1", "-1"]).verdict, Empty)
    assert isinstance(invert(network, [-1.0, -1.0, -2.0]).verdict, Empty)


# -- options ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("sinh", "activation must be one of identity, leaky_relu"),
        ("leaky_relu(0)", "must be positive, not 0; for 0 use relu"),
        ("elu(-1)", "alpha of elu must be positive"),
        ("softplus(beta=0)", "beta of softplus must be positive"),
        ("hard_tanh(1, 1)", "lower of hard_tanh must be less than upper"),
        ("hard_sigmoid(-1)", "alpha of hard_sigmoid must be positive"),
        ("elu(gamma=1)", "must be among"),
        ("relu(1)", "must be among"),
    ],
)
def test_wrong_names_and_parameters_are_refused(spec, message):
    with pytest.raises(OptionError, match=message):
        activation(spec)


def test_parameters_beyond_the_doubles_are_refused():
    with pytest.raises(InexactError, match="range of doubles"):
        activation("prelu(1e999)")


@EACH
def test_a_label_reads_back_as_the_same_activation(name):
    f = activation(name)
    again = activation(f.label)
    assert (again.name, again.parameters, again.pieces) == (f.name, f.parameters, f.pieces)


@pytest.mark.parametrize("spec", ["leaky_relu(alpha=a)", "elu(alpha=alpha_1)", "softplus(beta=beta)"])
def test_a_parameter_that_is_a_name_stays_a_symbol_and_its_label_reads_back(spec):
    f = activation(spec)
    assert (f.label, f.is_rational) == (spec, False) and activation(f.label).parameters == f.parameters


@pytest.mark.parametrize(
    "spec", ["leaky_relu(nan)", "elu(inf)", "elu(__class__)", "softplus(a;b)", "hard_tanh(lower, 1)"]
)
def test_text_that_is_neither_number_nor_name_is_refused(spec):
    with pytest.raises(InexactError):
        activation(spec)


def test_a_slope_may_stay_a_symbol():
    alpha, z = sympy.Symbol("alpha", positive=True), sympy.Symbol("z", negative=True)
    f = activation("leaky_relu", alpha=alpha)
    assert f.symbolic(z) == alpha * z
    assert f.inverse.symbolic(f.symbolic(z)) == z
    assert not f.is_rational
    with pytest.raises(InexactError, match="must be a number to be evaluated"):
        f.numeric(np.array([1.0, -1.0]))
    with pytest.raises(OptionError, match="must be SymPy symbols"):
        activation("relu", alpha=alpha)
    beta = sympy.Symbol("beta", positive=True)
    assert activation("softplus", beta=beta).inverse.symbolic(sympy.Symbol("a")).has(beta)
