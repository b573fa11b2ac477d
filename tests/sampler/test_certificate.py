"""Certificates: they prove what they say, and refuse what is false."""

from dataclasses import replace
from fractions import Fraction

import mpmath
import numpy as np
import pytest

import symbinv as si
from symbinv.sampler.certificate import certify_points, moved_inputs

RNG = np.random.default_rng(0)
WEIGHTS = [RNG.normal(size=(8, 6)), RNG.normal(size=(2, 8))]
BIASES = [RNG.normal(size=8), RNG.normal(size=2)]
NETWORK = si.Network.from_arrays(WEIGHTS, BIASES, ["tanh", "tanh"])
SAMPLER = si.compile_sampler(si.invert(NETWORK, NETWORK.forward(RNG.normal(size=6) / 2).tolist()))
BOX = [[-2, 2]] * 6


@pytest.fixture(scope="module")
def certified():
    return si.certify(SAMPLER.draw(200, method="project", box=BOX, seed=0))


def solve_at_fifty_digits(x, moved):
    """Return the exact solution near x that moves only those inputs, by mpmath (shares no code with ours)."""
    with mpmath.workdps(50):
        w = [mpmath.matrix(m.tolist()) for m in WEIGHTS]
        b = [mpmath.matrix(v.tolist()) for v in BIASES]
        y = [mpmath.atanh(mpmath.mpf(int(t.p)) / int(t.q)) for t in SAMPLER.inverse.target]

        def gap(*values):
            point = [mpmath.mpf(v) for v in x]
            for j, v in zip(moved, values, strict=True):
                point[j] = v
            hidden = (w[0] * mpmath.matrix(point) + b[0]).apply(mpmath.tanh)
            z = w[1] * hidden + b[1]
            return [z[i] - y[i] for i in range(2)]

        found = mpmath.findroot(gap, [x[j] for j in moved])
        return max(abs(found[i] - mpmath.mpf(x[j])) for i, j in enumerate(moved))


def test_every_point_is_certified_and_the_exact_solution_lies_within_the_radius(certified):
    assert (certified.status == "certified").all()
    for certificate in certified.certificates[:5]:
        assert certificate.check(SAMPLER.inverse.constraint)
        assert solve_at_fifty_digits(certificate.point, certificate.moved) <= certificate.radius
    assert "200 of 200 points certified" in certified.report.to_text()


def test_a_point_moved_along_the_normal_by_ten_radii_is_refused(certified):
    constraint = SAMPLER.inverse.constraint
    certificate = certified.certificates[0]
    x = np.array(certificate.point)
    jacobian = constraint.linearize(x[None])[1][0]
    normal = jacobian[0] / np.linalg.norm(jacobian[0])
    shifted = x + 10 * certificate.radius * normal
    assert not replace(certificate, point=tuple(shifted.tolist())).check(constraint)
    tight = certify_points(constraint, shifted[None], radii=(certificate.radius / (1 + np.abs(x).max()),))
    assert tight.certificates == (None,)


@pytest.mark.parametrize("change", ["point", "radius", "moved"])
def test_a_certificate_changed_so_that_its_claim_is_false_fails(certified, change):
    constraint, certificate = SAMPLER.inverse.constraint, certified.certificates[1]
    if change == "point":
        changed = replace(certificate, point=(certificate.point[0] + 1e-6, *certificate.point[1:]))
    elif change == "radius":
        off = solve_at_fifty_digits(certificate.point, certificate.moved)
        changed = replace(certificate, radius=float(off) / 3)
    else:
        changed = replace(certificate, moved=(certificate.moved[0],) * 2)
    assert not changed.check(constraint)


def test_precision_is_doubled_where_the_first_does_not_suffice():
    # rows that differ by 2^-33: what c loses to rounding at 64 bits, that inverse amplifies beyond the radius
    gap = Fraction(1, 2**33)
    rows, x = [[Fraction(1, 3), Fraction(1, 3)], [Fraction(1, 3), Fraction(1, 3) + gap]], (Fraction(1, 2), Fraction(1))
    biases = [-sum(w * v for w, v in zip(row, x, strict=True)) for row in rows]
    inverse = si.invert(si.Network.from_arrays([rows], [biases], ["tanh"]), [0, 0])
    points = np.array([[0.5, 1.0]])
    assert certify_points(inverse.constraint, points, radii=(1e-13,), bits=(64,)).certificates == (None,)
    found = certify_points(inverse.constraint, points, radii=(1e-13,)).certificates[0]
    assert found is not None and found.bits == 128 and found.check(inverse.constraint)
    assert not certify_points(inverse.constraint, points + 1e-12, radii=(1e-13,)).proved.any()


def test_moved_inputs_are_distinct_and_well_conditioned():
    points = RNG.normal(size=(50, 6)) / 2
    moved, inverse, usable = moved_inputs(SAMPLER.inverse.constraint, points)
    assert usable.all() and (moved[:, 0] < moved[:, 1]).all()
    jacobian = np.take_along_axis(SAMPLER.inverse.constraint.linearize(points)[1], moved[:, None, :], axis=2)
    np.testing.assert_allclose(jacobian @ inverse, np.broadcast_to(np.eye(2), (50, 2, 2)), atol=1e-9)


def test_samples_of_another_network_and_of_a_file_are_refused(certified, tmp_path):
    other = si.Network.from_arrays([[[1, 2]]], [[0]], ["tanh"])
    with pytest.raises(si.OptionError, match="must come from this inverse"):
        si.certify(certified, si.invert(other, ["0.5"]))
    loaded = si.load_samples(certified.save(tmp_path / "points.npz"))
    with pytest.raises(si.OptionError, match="do not know their network"):
        si.certify(loaded)
    assert (si.certify(loaded, SAMPLER).status == "certified").all()
