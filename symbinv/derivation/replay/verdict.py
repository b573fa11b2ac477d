"""The replay of a verdict: its evidence, held against the network and the target.

A witness is followed forward, in exact reals where it is exact; within its radius Krawczyk's test finds an exact
solution where it is certified; in doubles where it is numeric. For emptiness the question is put once more (the
target against the image, then `walk_down` to the linear system that is left), and the multipliers given must refute
that system. A dimension is n0 less the number of independent conditions.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial
from math import isfinite
from typing import Any

import numpy as np
import sympy

from symbinv.derivation.replay.equality import EXACT, Claim
from symbinv.derivation.replay.layer import branches_of, pieces_of
from symbinv.derivation.replay.terms import StepFailedError, need
from symbinv.derivation.steps import NetworkGiven, VerdictGiven
from symbinv.exact.ball import ball, precision
from symbinv.exact.loglinear import LogLinear, apply_matrix, combine
from symbinv.inverse.layer import piece_image
from symbinv.inverse.pattern import collapse
from symbinv.inverse.reach import Reach, walk_down
from symbinv.inverse.target import Target, to_target
from symbinv.inverse.verdict import Empty, NonEmpty, Unknown
from symbinv.inverse.witness import nearest_attainable, stays_inside
from symbinv.network.activation import Activation, Branch, Piece
from symbinv.network.constraint import Constraint
from symbinv.network.krawczyk import PointCertificate, certify_point
from symbinv.network.network import Network
from symbinv.polyhedra.feasibility import Certificate

ROUNDING = 2.0**-40  # relative; what doubles may differ by between machines
NUMERIC_RESIDUAL = 1e-6  # relative; above it a numeric witness is none
REACH_OF_FRACTIONS = (256, 1024, 4096, 16384)  # bits at which a rational activation is looked for


def prove_verdict(
    step: VerdictGiven, network: Network, given: NetworkGiven, shapes: Sequence[tuple[int, int]]
) -> Claim:
    """Prove a verdict and the dimension, or raise StepFailedError.

    Args:
        step: The verdict.
        network: From the layers as they were given.
        given: The first step: target, box, pattern.
        shapes: The proved rank and the number of unknown units below of each layer, first to last.
    """
    verdict = step.verdict
    goal = to_target(network, list(given.target))
    if isinstance(verdict, Empty):
        need(step.dimension == -1, "an empty preimage must have dimension -1")
        need(step.dimension_claim == verdict.claim, "the dimension must rest on what the verdict rests on")
        return _empty(step, verdict, network, given, goal)
    need(step.multipliers is None, "multipliers must come with an empty preimage only")
    accepted = goal.empty is None or _is_near(network, goal)
    need(accepted, "the target must lie in the image of the last activation, or the preimage is empty")
    if not goal.is_numeric or not network.is_rational:
        need(isinstance(verdict, Unknown), "with symbols the verdict must be unknown")
        wanted = _generic_dimension(network, shapes)
        need(step.dimension == wanted, f"the dimension must be {wanted}, not {step.dimension}")
        need(step.dimension_claim == "generic", "the dimension must be 'generic'")
        return EXACT
    off = _off_pattern(network, given, goal.fractions())
    need(off is None, f"output {(off or 0) + 1} is not on its piece or branch, so the preimage is empty")
    reach = _question(network, given, goal)
    constraint = reach.constraint
    if constraint is None or reach.empty is not None:
        raise StepFailedError("the preimage is empty")
    if isinstance(verdict, Unknown):
        wanted = max(network.sizes[0] - constraint.rows, 0)
        _dimension(step, wanted, "upper bound")
        return EXACT
    return _witness(step, verdict, network, given, goal, reach, constraint)


def _dimension(step: VerdictGiven, wanted: int, claim: str) -> None:
    need(step.dimension == wanted, f"the dimension must be {wanted}, not {step.dimension}")
    need(step.dimension_claim == claim, f"the dimension must be {claim!r}, not {step.dimension_claim!r}")


def _is_near(network: Network, goal: Target) -> bool:
    """Tell whether rounding alone put a target of log_softmax off, as its notes then say."""
    joint = network.layers[-1].activation.joint
    inside = all(network.layers[-1].activation.image.contains(v) for v in goal.fractions())
    return joint is not None and inside and joint.off(goal.fractions(), True) is None


def _generic_dimension(network: Network, shapes: Sequence[tuple[int, int]]) -> int:
    """Return n0 less the conditions that reach the inputs: a layer that determines its input passes all on."""
    conditions = shapes[-1][0] - (1 if network.layers[-1].activation.has_shift else 0)
    for index in range(len(shapes) - 1, 0, -1):
        width = shapes[index][1]
        if conditions < width:
            break
        conditions = min(width, shapes[index - 1][0])
    return network.sizes[0] - min(conditions, network.sizes[0])


def _off_pattern(network: Network, given: NetworkGiven, values: Sequence[Fraction]) -> int | None:
    """Return an output, from 0, that its piece or branch does not take; None where there is none."""
    activations = [layer.activation for layer in network.layers]
    for i, (branch, y) in enumerate(zip(branches_of(given, activations, network.depth) or (), values, strict=False)):
        if not branch.image.contains(y):
            return i
    pieces = pieces_of(given, activations, network.depth)
    for i, (piece, y) in enumerate(zip(pieces or (), values, strict=False)):
        fits = y == piece.intercept if piece.is_constant else piece_image(piece).contains(y)
        if not fits:
            return i
    return None


def _question(network: Network, given: NetworkGiven, goal: Target) -> Reach:
    """Return the linear question that the target leaves, at the first layer that does not determine its input."""
    units = _units(network, given, network.depth)
    pieces = pieces_of(given, [layer.activation for layer in network.layers], network.depth)
    rows, z = [], []
    for i, (y, unit) in enumerate(zip(goal.fractions(), units, strict=True)):
        if pieces is None:
            rows.append(i)
            z.append(_undone(unit, y))
        elif not pieces[i].is_constant:
            rows.append(i)
            z.append(LogLinear.rational((y - pieces[i].intercept) / pieces[i].slope))
    return walk_down(collapse(network, given.pattern), rows, z, given.box)


def _units(network: Network, given: NetworkGiven, index: int) -> list[Activation | Branch]:
    """Return what undoes each unit of a layer: its branch under the pattern, else the activation."""
    layer = network.layers[index - 1]
    branches = branches_of(given, [found.activation for found in network.layers], index)
    return [layer.activation] * layer.weights.rows if branches is None else list(branches)


# -- empty ------------------------------------------------------------------------------------------------


def _empty(step: VerdictGiven, verdict: Empty, network: Network, given: NetworkGiven, goal: Target) -> Claim:
    need(goal.is_numeric, "a symbolic target's preimage cannot be known to be empty")
    nearest: Callable[[], float | None]
    if goal.empty is not None:
        away = goal.empty.nearest
        claim, layer, system, nearest = "exact", goal.empty.layer, None, lambda: away
    elif _off_pattern(network, given, goal.fractions()) is not None:
        claim, layer, system, nearest = "exact", network.depth, None, lambda: None
    else:
        need(network.is_rational, "with symbols the verdict must be unknown")
        reach = _question(network, given, goal)
        found = reach.empty
        if found is None:
            raise StepFailedError("emptiness does not follow")
        claim, layer, nearest = found.claim, found.layer, lambda: None
        system = found.certificate.system if isinstance(found.certificate, Certificate) else None
        if reach.constraint is None and system is not None:  # a condition is broken, so nothing is as near as it can be
            target = np.array([float(v) for v in goal.fractions()])
            nearest = partial(nearest_attainable, collapse(network, given.pattern).layers[-1], target)
    need(verdict.claim == claim, f"emptiness must be {claim!r}, not {verdict.claim!r}")
    need(verdict.layer == layer, f"the target fails at layer {layer}, not {verdict.layer}")
    need((step.multipliers is None) == (system is None), "multipliers must come with a linear system, and only then")
    if step.multipliers is not None and system is not None:
        proof = Certificate(system, step.multipliers.equations, step.multipliers.inequalities)
        shape = (len(system.right_side), len(system.bounds))
        fits = (len(proof.equation_multipliers), len(proof.inequality_multipliers)) == shape
        need(fits and proof.check(), "the multipliers must refute the linear system of the layer")
    gap = nearest()
    same = (gap is None) == (verdict.nearest is None)
    if gap is not None and verdict.nearest is not None:
        same = abs(gap - verdict.nearest) <= 1e-4 * abs(gap)
    need(same, f"the nearest attainable target must be {gap} away, not {verdict.nearest}")
    return EXACT if claim == "exact" else Claim("certified")


# -- a witness --------------------------------------------------------------------------------------------


def _witness(
    step: VerdictGiven,
    verdict: NonEmpty,
    network: Network,
    given: NetworkGiven,
    goal: Target,
    reach: Reach,
    constraint: Constraint,
) -> Claim:
    n0 = network.sizes[0]
    need(len(verdict.witness) == n0, f"a witness must have {n0} entries")
    need(all(_is_real(v) for v in verdict.witness), "a witness must consist of real numbers")
    floats = np.array([float(v) for v in verdict.witness])
    target = np.array([float(v) for v in goal.fractions()])
    with np.errstate(all="ignore"):
        residual = float(np.abs(network.forward(floats) - target).max())
    scale = 1.0 + float(np.abs(target).max())
    near = verdict.residual >= 0 and abs(residual - verdict.residual) <= ROUNDING * scale
    need(near, f"the residual must be {residual}")
    is_exact = all(isinstance(v, sympy.Expr) for v in verdict.witness)
    need(is_exact == (verdict.claim == "exact"), "a witness must be exact numbers where it is exact, else doubles")
    need(is_exact or not any(isinstance(v, sympy.Expr) for v in verdict.witness), "a witness must not be mixed")
    if is_exact:
        need(verdict.radius == 0, "an exact witness must have radius 0")
        x = [exact_real(v) for v in verdict.witness]
        _follow(network, given, goal, x)
        _dimension(step, n0 - constraint.rows, "exact" if _is_interior(x, given, reach) else "upper bound")
        return EXACT
    if reach.point is not None:
        return _near_exact_point(step, verdict, given, reach, constraint, n0)
    near_by = certify_point(constraint, floats)
    found = near_by if _is_inside(constraint, near_by, given, reach) else None
    proved = found is not None and not reach.undecided
    claim = "certified" if proved else "numeric"
    need(verdict.claim == claim, f"the witness is {claim}, not {verdict.claim!r}")
    if found is None:
        jacobian = constraint.linearize(floats[None, :])[1][0]
        _dimension(step, n0 - int(np.linalg.matrix_rank(jacobian)), "upper bound")
    else:
        _dimension(step, n0 - constraint.rows, "certified" if proved else "upper bound")
    if not proved:
        need(residual <= NUMERIC_RESIDUAL * scale, "the witness must reach the target")
        need(verdict.radius == (0.0 if found is None else found.radius), "the radius must be the proved one")
        return Claim("numeric", residual=residual)
    size = 1.0 + float(np.abs(floats).max(initial=0.0))
    need(verdict.radius > 0, "a certified witness must have a radius")
    proof = certify_point(constraint, floats, radii=(verdict.radius * (1 - 2.0**-48) / size,))
    need(
        _is_inside(constraint, proof, given, reach),
        f"no exact input could be proved within {verdict.radius} of the witness",
    )
    return Claim("certified")


def _is_real(value: Any) -> bool:
    if isinstance(value, float):
        return isfinite(value)
    return isinstance(value, sympy.Expr) and bool(value.is_real)


def _is_inside(constraint: Constraint, found: PointCertificate | None, given: NetworkGiven, reach: Reach) -> bool:
    return found is not None and stays_inside(constraint, found, given.box, reach.inequalities)


def _near_exact_point(
    step: VerdictGiven, verdict: NonEmpty, given: NetworkGiven, reach: Reach, constraint: Constraint, n0: int
) -> Claim:
    """Prove a witness in doubles by an exact solution of the linear question within its radius."""
    point = reach.point
    need(point is not None and not all(r.is_decidable for r in constraint.offset), "the witness must be exact")
    need(verdict.claim == "certified", f"the witness is certified, not {verdict.claim!r}")
    exact = [] if point is None else list(point.x)
    with precision(256):
        near = all(
            abs(p.enclose() - ball(v)) <= ball(verdict.radius) for p, v in zip(exact, verdict.witness, strict=True)
        )
    need(near, f"no exact input lies within {verdict.radius} of the witness")
    largest = max((abs(v) for v in verdict.witness), default=0.0)
    need(verdict.radius <= 2.0**-49 * largest or verdict.radius == 0, "the radius must be that of rounding")
    _dimension(step, n0 - constraint.rows, "exact" if _is_interior(exact, given, reach) else "upper bound")
    return Claim("certified")


def exact_real(expression: sympy.Expr) -> LogLinear:
    """Return q + sum q_i log r_i, as SymPy writes it, as an exact real.

    Example:
        >>> exact_real(sympy.Rational(1, 2) - 3 * sympy.log(2)).sign()
        -1
    """
    total = LogLinear.rational(0)
    for term in sympy.Add.make_args(expression):
        coefficient, rest = term.as_coeff_Mul(rational=True)
        factor = Fraction(int(coefficient.p), int(coefficient.q))
        if rest == 1:
            total += LogLinear.rational(factor)
            continue
        argument = rest.args[0] if isinstance(rest, sympy.log) and len(rest.args) == 1 else None
        if argument is None or not argument.is_Rational or not argument > 0:
            raise StepFailedError("an exact witness must consist of rational numbers and their logarithms")
        total += LogLinear.log(Fraction(int(argument.p), int(argument.q))) * factor
    return total


def _follow(network: Network, given: NetworkGiven, goal: Target, x: Sequence[LogLinear]) -> None:
    """Follow an exact input to the target, exactly, on its pattern and inside the box."""
    if given.box is not None:
        for value, (low, high) in zip(x, given.box.fractions(), strict=True):
            low_side, high_side = value - LogLinear.rational(low), LogLinear.rational(high) - value
            need(low_side.sign() in (0, 1) and high_side.sign() in (0, 1), "the witness must lie in the box")
    a = list(x)
    for index, (layer, units) in enumerate(zip(network.layers, given.pattern, strict=True), start=1):
        z = apply_matrix(layer.weights, a)
        z = [v + LogLinear.rational(b) for v, (b,) in zip(z, layer.bias.fractions(), strict=True)]
        f, is_last = layer.activation, index == network.depth
        if f.pieces is not None:
            places = [_place(f.pieces, v) for v in z]
            need(units is None or list(units) == places, f"the witness must stay on the pattern of layer {index}")
            a = [
                v * f.pieces[k].slope + LogLinear.rational(f.pieces[k].intercept)
                for v, k in zip(z, places, strict=True)
            ]
            if is_last:
                reached = all((v - LogLinear.rational(y)).is_zero() for v, y in zip(a, goal.fractions(), strict=True))
                need(reached, "the witness must reach the target")
        elif is_last:
            u = [_undone(unit, y) for unit, y in zip(_units(network, given, index), goal.fractions(), strict=True)]
            gaps = [v - w for v, w in zip(z, u, strict=True)]
            if f.has_shift:  # equal up to a common shift
                gaps = [g - gaps[0] for g in gaps]
            need(all(g.is_zero() for g in gaps), "the witness must reach the target")
        else:
            pairs = zip(_units(network, given, index), z, strict=True)
            a = [LogLinear.rational(_rational_value(f, unit, v, index)) for unit, v in pairs]


def _undone(unit: Activation | Branch, value: Fraction) -> LogLinear:
    inverse = unit.inverse if unit.image.contains(value) else None
    exact = None if inverse is None else inverse.exact(LogLinear.rational(value))
    if exact is None:
        raise StepFailedError(f"{unit.name} could not be undone at {value}")
    return exact


def _place(pieces: Sequence[Piece], z: LogLinear) -> int:
    for k, piece in enumerate(pieces):
        if piece.upper is None:
            return k
        sign = (z - LogLinear.rational(piece.upper)).sign()
        if sign is None:
            raise StepFailedError("the piece of a unit could not be decided")
        if sign <= 0:
            return k
    return len(pieces) - 1


def _rational_value(f: Activation, unit: Activation | Branch, z: LogLinear, index: int) -> Fraction:
    """Return f(z) where it is rational: balls propose it, and f^-1 of it, on the unit's branch, is z exactly."""
    for bits in REACH_OF_FRACTIONS:
        with precision(bits):
            middle = f.forward_ball([z.enclose()])[0].mid()
            mantissa, exponent = map(int, middle.man_exp())
        value = Fraction(mantissa) * Fraction(2) ** exponent
        guess = value.limit_denominator(1 << (bits // 2 - 16))
        if unit.image.contains(guess) and (_undone(unit, guess) - z).is_zero():
            return guess
    raise StepFailedError(f"an activation of layer {index} at the witness could not be followed exactly")


def _is_interior(x: Sequence[LogLinear], given: NetworkGiven, reach: Reach) -> bool:
    """Tell whether a point satisfies every inequality with room to spare."""
    for value, (low, high) in zip(x, [] if given.box is None else given.box.fractions(), strict=False):
        if (value - LogLinear.rational(low)).sign() != 1 or (LogLinear.rational(high) - value).sign() != 1:
            return False
    for inequality in reach.inequalities:
        value = combine(inequality.row.fractions()[0], x)
        if (LogLinear.rational(inequality.inner) - value).sign() != 1:
            return False
    return True
