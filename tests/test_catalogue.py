"""Every catalogue case through every route that applies, and the catalogue's own order."""

import numpy as np
import pytest
import sympy

import symbinv as si
from symbinv.derivation.derive import derive
from symbinv.polyhedra.feasibility import Certificate
from symbinv.presentation.latex import to_latex
from symbinv.presentation.record import inverse_record
from symbinv.presentation.text import to_text

from .catalogue import CATALOGUE, TAGS

nonempty_case = pytest.mark.parametrize("case", [c for c in CATALOGUE if c.verdict == "NonEmpty"], ids=lambda c: c.name)
empty_case = pytest.mark.parametrize("case", [c for c in CATALOGUE if c.verdict == "Empty"], ids=lambda c: c.name)
every_case = pytest.mark.parametrize("case", CATALOGUE, ids=lambda c: c.name)


def test_names_are_unique_and_tags_are_known():
    assert len({c.name for c in CATALOGUE}) == len(CATALOGUE)
    assert set().union(*(c.tags for c in CATALOGUE)) == TAGS


@every_case
def test_the_verdict_is_the_known_one(case):
    inverse = case.invert()
    assert type(inverse.verdict).__name__ == case.verdict
    if case.layer is not None:
        assert inverse.verdict.layer == case.layer
        assert inverse.verdict.claim in ("exact", "certified")


@every_case
def test_ranks_and_free_variables_are_the_known_ones(case):
    inverse = case.invert()
    assert tuple(s.reduction.rank for s in inverse.steps) == case.ranks
    if case.verdict == "NonEmpty":
        assert tuple(map(str, inverse.free_variables)) == case.free
        assert inverse.dimension == case.dimension
    else:
        assert inverse.dimension == -1


@nonempty_case
def test_a_witness_hits_the_target(case):
    verdict = case.invert().verdict
    reached = case.network.forward(np.array([float(v) for v in verdict.witness]))
    target = np.array([float(sympy.Rational(str(v))) for v in case.target])
    assert np.abs(reached - target).max() < 1e-9
    assert verdict.claim in ("exact", "certified")


@empty_case
def test_a_certificate_of_emptiness_checks(case):
    certificate = case.invert().verdict.certificate
    assert not isinstance(certificate, Certificate) or certificate.check()


@nonempty_case
def test_backward_of_the_witness_returns_it(case):
    inverse = case.invert()
    sampler = si.compile_sampler(inverse)
    x = np.array([float(v) for v in inverse.verdict.witness])
    back = sampler.backward(sampler.free_of(x))[0]
    assert np.allclose(back, x, rtol=1e-6, atol=1e-6)


@empty_case
def test_an_empty_preimage_gives_no_points_and_raises_nothing(case):
    samples = si.compile_sampler(case.invert()).draw(100, method="random", seed=0)
    assert samples.points.shape == (0, case.network.sizes[0])


@every_case
def test_every_output_format_takes_it(case):
    inverse = case.invert()
    assert derive(inverse).steps
    assert to_text(inverse).startswith("layer")
    assert r"\section*" in to_latex(inverse)
    assert inverse_record(inverse)["verdict"]["kind"] in ("empty", "non-empty")
