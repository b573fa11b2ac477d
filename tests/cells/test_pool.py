"""Doubles of generators: whatever they claim holds for the exact ones."""

from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from symbinv.cells.frame import pool_of
from symbinv.cells.pool import Pool, normaliser
from symbinv.cells.stages import Stage
from symbinv.exact.integer import primitive
from symbinv.exact.matrix import ExactMatrix
from symbinv.network.activation import activation
from symbinv.polyhedra.cell import Frame

SMALL = st.fractions(-8, 8, max_denominator=30)
FRAME = Frame(((1, 0, 0), (0, 1, 0), (0, 0, 1)), ((Fraction(0), Fraction(1)),))


def exact_heights(stage, generator):
    """Return z - kink of every column at the normalised generator, in fractions."""
    size = normaliser(generator.row)
    t, *a = (Fraction(e, size) for e in generator.row)
    z = [
        sum((w * e for w, e in zip(row, a, strict=True)), b * t)
        for row, (b,) in zip(stage.weights.fractions(), stage.bias.fractions(), strict=True)
    ]
    return z, [value - k * t for value in z for k in stage.kinks]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.lists(SMALL, min_size=3, max_size=3), min_size=2, max_size=3),
    st.lists(st.tuples(st.booleans(), SMALL, SMALL), min_size=3, max_size=4, unique=True),
    st.sampled_from(["relu", "hard_tanh", "relu6"]),
    st.floats(1e-12, 1.0),
)
def test_intervals_and_signs_of_new_generators_hold_exactly(rows, ends, name, tiny):
    stage = Stage(
        ExactMatrix([[*r[:2]] for r in rows]), ExactMatrix.column([r[2] for r in rows]), activation(name).pieces, 1
    )
    exact = []
    for is_point, x, depth in ends:
        y = depth * Fraction(tiny) if is_point else abs(depth) + Fraction(tiny)  # rays of a pointed cone
        scale = x.denominator * y.denominator
        exact.append(primitive((scale * is_point, int(x * scale), int(y * scale))))
    pool: Pool = pool_of(FRAME, exact)
    pool.enter(stage)
    for _ in range(2):  # generators on edges, then on edges between those
        edges = []
        heights = [exact_heights(stage, g)[1] for g in pool.generators]
        for column in range(stage.columns):
            k = stage.kinks[column % len(stage.kinks)]
            r = rows[column // len(stage.kinks)]
            form = (r[2] - k, r[0], r[1])
            scale = int(np.lcm.reduce([e.denominator for e in form]))
            above = [i for i, h in enumerate(heights) if h[column] > 0]
            below = [i for i, h in enumerate(heights) if h[column] < 0]
            edges += [(v, w, column, tuple(int(e * scale) for e in form)) for v in above[:2] for w in below[:2]]
        if not edges:
            break
        pool.extend(stage, edges)
        for i, generator in enumerate(pool.generators):
            z, height = exact_heights(stage, generator)
            for value, radius, true in zip(pool.values[i], pool.radius[i], z, strict=True):
                assert abs(Fraction(value) - true) <= Fraction(radius)
            for sign, true in zip(pool.signs[i].tolist(), height, strict=True):
                assert sign == 0 or (sign > 0) == (true > 0)
