"""Properties in VNN-LIB: input boxes and what is asked of the outputs there, read strictly and decided exactly.

A property lists constants X_i and Y_j and assertions over them; its question is whether an input exists that
satisfies all. It is brought into cases, each a box of inputs and a union of polyhedra of outputs. A number is
the decimal that is written.
"""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np

from symbinv.errors import BudgetError, NotSupportedError, ReadError, ShapeError
from symbinv.exact.policy import to_rational
from symbinv.inverse.output_set import OutputSet
from symbinv.inverse.preimage import Preimage, preimage
from symbinv.inverse.problem import Box, Problem, pose
from symbinv.network.network import Network
from symbinv.polyhedra.polyhedron import HalfSpace, Polyhedron, Vector

_TOKEN = re.compile(r"\s*(?:;[^\n]*\n?|([()])|([^\s();]+))")
_NAME = re.compile(r"([XY])_(\d{1,6})")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?")
CASE_LIMIT = 10_000
SAMPLES = 20_000

Tree = Any  # a token, or a list of trees


@dataclass(frozen=True)
class Case:
    """A box of inputs and the outputs that are looked for there."""

    box: Box
    outputs: OutputSet


@dataclass(frozen=True)
class Specification:
    """A property as cases: it holds for an input that lies in the box and maps into the outputs of one of them.

    Attributes:
        cases: In the order written; cases with the same box are joined.
        inputs, outputs: How many of each are declared.
    """

    cases: tuple[Case, ...]
    inputs: int
    outputs: int


@dataclass(frozen=True, eq=False)
class Answer:
    """Whether an input satisfies a property.

    Attributes:
        status: "sat" with a witness, "unsat" with all branches closed, or "unknown".
        witness: An exact input that satisfies the property, or None.
        exact_output: What the exact network gives there.
        residual: How far the exact output misses the property: 0.
        float32_output: What the network gives there in float32.
        float32_residual: How far that misses the property.
        problem: The network with the case that the witness satisfies.
        parts: The preimage of each case that was searched; where the status is unknown they can `proceed`.
    """

    status: Literal["sat", "unsat", "unknown"]
    witness: tuple[Any, ...] | None = None
    exact_output: tuple[Any, ...] | None = None
    residual: float = 0.0
    float32_output: tuple[float, ...] | None = None
    float32_residual: float | None = None
    parts: tuple[Preimage, ...] = ()
    seconds: float = 0.0
    problem: Problem | None = None

    def certificate(self) -> dict[str, Any]:
        """Return a proof as JSON data; see `symbinv.checker`."""
        from symbinv.inverse.proof import certify_answer

        return certify_answer(self)


def read_specification(source: str | Path) -> Specification:
    """Read a property from a VNN-LIB file.

    Raises:
        ReadError: For a file that cannot be read or is not of the format, with the place.
        NotSupportedError: For assertions that tie inputs to each other or to outputs.
    """
    try:
        text = Path(source).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ReadError(f"{source}: cannot be read as text: {error}.") from error
    try:
        return parse_specification(text)
    except ReadError as error:
        raise ReadError(f"{source}: {error}") from error


def parse_specification(text: str) -> Specification:
    """Return a property from VNN-LIB text.

    Example:
        >>> text = '''(declare-const X_0 Real) (declare-const Y_0 Real)
        ... (assert (>= X_0 -1)) (assert (<= X_0 1)) (assert (>= Y_0 100))'''
        >>> parse_specification(text).cases[0].box
        ((Fraction(-1, 1), Fraction(1, 1)),)
    """
    declared: dict[str, set[int]] = {"X": set(), "Y": set()}
    cases: list[list[Row]] = [[]]
    for command in _parse(text):
        head = command[0] if isinstance(command, list) and command else None
        if head == "declare-const" and len(command) == 3 and command[2] == "Real":
            match = _NAME.fullmatch(command[1]) if isinstance(command[1], str) else None
            if match is None:
                raise ReadError(f"a constant must be called X_i or Y_j, not {str(command[1])[:40]!r}.")
            declared[match[1]].add(int(match[2]))
        elif head == "assert" and len(command) == 2:
            more = _cases(command[1], declared)
            if len(cases) * len(more) > CASE_LIMIT:
                raise BudgetError(f"the property has more than {CASE_LIMIT} cases; split it into several files.")
            cases = [a + b for a in cases for b in more]
        else:
            raise ReadError(f"a command must be declare-const or assert, not {_show(command)}.")
    for letter, seen in declared.items():
        if not seen or seen != set(range(len(seen))):
            raise ReadError(f"constants {letter}_0, {letter}_1, ... must be declared without gaps.")
    return _assemble(cases, len(declared["X"]), len(declared["Y"]))


@dataclass(frozen=True)
class Row:
    """sum of coefficient * constant <= bound (or <); keys are (letter, index)."""

    terms: tuple[tuple[tuple[str, int], Fraction], ...]
    bound: Fraction
    strict: bool


def _parse(text: str) -> list[Tree]:
    stack: list[list[Tree]] = [[]]
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            break
        position = match.end()
        if match[1] == "(":
            if len(stack) > 200:
                raise ReadError("parentheses must not be nested more than 200 deep.")
            stack.append([])
        elif match[1] == ")":
            if len(stack) == 1:
                raise ReadError(f"an opening parenthesis is missing at character {match.start()}.")
            done = stack.pop()
            stack[-1].append(done)
        elif match[2]:
            stack[-1].append(match[2])
    if len(stack) > 1:
        raise ReadError("a closing parenthesis is missing at the end.")
    return stack[0]


def _show(tree: Tree) -> str:
    return repr(" ".join(tree[:3]) if isinstance(tree, list) and all(isinstance(t, str) for t in tree) else tree)[:60]


def _cases(tree: Tree, declared: dict[str, set[int]]) -> list[list[Row]]:
    if not isinstance(tree, list) or not tree:
        raise ReadError(f"an assertion must be in parentheses, not {_show(tree)}.")
    head, *rest = tree
    if head == "or":
        return [case for part in rest for case in _cases(part, declared)]
    if head == "and":
        cases: list[list[Row]] = [[]]
        for part in rest:
            more = _cases(part, declared)
            if len(cases) * len(more) > CASE_LIMIT:
                raise BudgetError(f"the property has more than {CASE_LIMIT} cases; split it into several files.")
            cases = [a + b for a in cases for b in more]
        return cases
    if head in ("<=", "<", ">=", ">", "=") and len(rest) == 2:
        left, right = _linear(rest[0], declared), _linear(rest[1], declared)
        difference = dict(left)
        for key, value in right.items():
            difference[key] = difference.get(key, Fraction(0)) - value
        bound = -difference.pop(None, Fraction(0))
        terms = tuple((k, v) for k, v in difference.items() if k is not None and v)
        opposite = tuple((k, -v) for k, v in terms)
        if head in ("<=", "<"):
            return [[Row(terms, bound, head == "<")]]
        if head in (">=", ">"):
            return [[Row(opposite, -bound, head == ">")]]
        return [[Row(terms, bound, False), Row(opposite, -bound, False)]]
    raise ReadError(f"an assertion must be and, or, <=, <, >=, > or =, not {_show(tree)}.")


Linear = dict[tuple[str, int] | None, Fraction]


def _linear(tree: Tree, declared: dict[str, set[int]]) -> Linear:
    if isinstance(tree, str):
        match = _NAME.fullmatch(tree)
        if match is not None:
            if int(match[2]) not in declared[match[1]]:
                raise ReadError(f"{tree} must be declared before it is used.")
            return {(match[1], int(match[2])): Fraction(1)}
        if _NUMBER.fullmatch(tree):
            return {None: Fraction(tree)}
        raise ReadError(f"a term must be a number, X_i or Y_j, not {tree[:40]!r}.")
    if not tree or tree[0] not in ("+", "-", "*") or len(tree) < 2:
        raise ReadError(f"a term must be a sum, a difference or a product, not {_show(tree)}.")
    parts = [_linear(part, declared) for part in tree[1:]]
    if tree[0] == "*":
        total: Linear = {None: Fraction(1)}
        for part in parts:
            constant, other = (total, part) if set(total) <= {None} else (part, total)
            if not set(constant) <= {None}:
                raise ReadError(f"a product must have at most one factor that is no number: {_show(tree)}.")
            total = {k: v * constant.get(None, Fraction(0)) for k, v in other.items()}
        return total
    sign = -1 if tree[0] == "-" else 1
    if sign < 0 and len(parts) == 1:
        return {k: -v for k, v in parts[0].items()}
    total = dict(parts[0])
    for part in parts[1:]:
        for k, v in part.items():
            total[k] = total.get(k, Fraction(0)) + sign * v
    return total


def _assemble(cases: Sequence[Sequence[Row]], inputs: int, outputs: int) -> Specification:
    joined: dict[Box, list[Polyhedron]] = {}
    for rows in cases:
        lower: list[Fraction | None] = [None] * inputs
        upper: list[Fraction | None] = [None] * inputs
        half_spaces = []
        possible = True
        for row in rows:
            letters = {letter for (letter, _), _ in row.terms}
            if not letters:
                possible = possible and (row.bound > 0 or (row.bound == 0 and not row.strict))
            elif letters == {"Y"}:
                slopes = [Fraction(0)] * outputs
                for (_, j), value in row.terms:
                    slopes[j] += value
                half_spaces.append(HalfSpace(tuple(slopes), row.bound, row.strict))
            elif letters == {"X"} and len(row.terms) == 1 and not row.strict:
                ((_, i), factor), level = row.terms[0], row.bound / row.terms[0][1]
                old = upper[i] if factor > 0 else lower[i]
                if factor > 0:
                    upper[i] = level if old is None else min(old, level)
                else:
                    lower[i] = level if old is None else max(old, level)
            else:
                raise NotSupportedError(
                    "assertions on inputs must bound one input each, weakly; this one ties several together or is open."
                )
        box = tuple(zip(lower, upper, strict=True))
        if not possible or any(lo is not None and hi is not None and lo > hi for lo, hi in box):
            continue
        if any(lo is None or hi is None for lo, hi in box):
            raise NotSupportedError("every input must have a lower and an upper bound in every case.")
        exact: Box = tuple((lo, hi) for lo, hi in box if lo is not None and hi is not None)
        joined.setdefault(exact, []).append(Polyhedron.of(outputs, half_spaces))
    found = tuple(Case(box, OutputSet(tuple(parts), outputs, text="VNN-LIB")) for box, parts in joined.items())
    return Specification(found, inputs, outputs)


# -- answering ----------------------------------------------------------------------------------------


def answer(
    network: Network, specification: Specification, *, max_seconds: float | None = None, workers: int | None = None
) -> Answer:
    """Decide whether some input satisfies a property: sat with an exact witness, unsat, or unknown.

    Args:
        network: A piecewise-linear network.
        specification: The property.
        max_seconds: A budget for all cases together.
        workers: How many processes a long search uses, as in `preimage`.

    Raises:
        ShapeError: Where the property's constants are not the network's inputs and outputs.
    """
    if (specification.inputs, specification.outputs) != (network.sizes[0], network.sizes[-1]):
        raise ShapeError(
            f"the property must have {network.sizes[0]} inputs and {network.sizes[-1]} outputs as the network, "
            f"not {specification.inputs} and {specification.outputs}."
        )
    started = time.monotonic()
    if not specification.cases:
        raise NotSupportedError("the property has no case with a possible input; it is unsat by its own assertions.")
    for case in specification.cases:
        guess = _try_samples(network, case)
        if guess is not None:
            return _satisfied(network, case, guess, (), started)
    parts = []
    for case in specification.cases:
        left = None if max_seconds is None else max(0.0, max_seconds - (time.monotonic() - started))
        part = preimage(network, case.outputs, box=case.box, max_cells=1, max_seconds=left, workers=workers)
        parts.append(part)
        if part.cells:
            point = part.witness() or ()
            exact = tuple(Fraction(int(e.p), int(e.q)) for e in point)
            return _satisfied(network, case, exact, tuple(parts), started)
    status: Literal["unsat", "unknown"] = "unsat" if all(p.is_complete for p in parts) else "unknown"
    return Answer(status, parts=tuple(parts), seconds=time.monotonic() - started)


def _try_samples(network: Network, case: Case) -> Vector | None:
    """Try points of the box in doubles, and pull the best of them toward the outputs; verify exactly."""
    generator = np.random.default_rng(0)
    low = np.array([float(a) for a, _ in case.box])
    high = np.array([float(b) for _, b in case.box])
    points = low + (high - low) * generator.random((SAMPLES, len(low)))
    problem = pose(network, case.outputs, case.box)
    for step in (1.0, 0.2, 0.05, 0.01, 0.002):
        if step < 1.0:
            centers = points[np.argsort(_miss(network, case.outputs, points))[:50]]
            moved = centers[:, None, :] + step * (high - low) * generator.normal(size=(len(centers), 60, len(low)))
            points = np.concatenate([centers, np.clip(moved.reshape(-1, len(low)), low, high)])
        miss = _miss(network, case.outputs, points)
        for index in np.argsort(miss)[:3].tolist():
            if miss[index] <= 0:
                exact = tuple(Fraction(float(e)) for e in points[index])
                exact = tuple(min(max(e, lo), hi) for e, (lo, hi) in zip(exact, case.box, strict=True))
                if problem.reaches(exact):
                    return exact
    return None


def _miss(network: Network, outputs: OutputSet, points: Any) -> Any:
    """Return by how much the outputs of points miss a set, at most 0 where they reach it."""
    with np.errstate(all="ignore"):
        y = network.forward(points)
    return np.min([_polyhedron_miss(p, y) for p in outputs.polyhedra], axis=0)


def _polyhedron_miss(polyhedron: Polyhedron, y: Any) -> Any:
    misses = [np.full(len(y), -np.inf)]
    for half_space in polyhedron.half_spaces:
        misses.append(y @ np.array([float(e) for e in half_space.row]) - float(half_space.bound))
    for row, right in polyhedron.equations:
        misses.append(np.abs(y @ np.array([float(e) for e in row]) - float(right)))
    return np.max(misses, axis=0)


def _satisfied(network: Network, case: Case, x: Vector, parts: tuple[Preimage, ...], started: float) -> Answer:
    exact = network.forward([to_rational(e) for e in x])
    single = replay_float32(network, [float(e) for e in x])
    miss = float(_miss_of(case.outputs, np.array([single], dtype=np.float64))[0])
    return Answer(
        "sat",
        tuple(to_rational(e) for e in x),
        tuple(exact),
        0.0,
        tuple(float(e) for e in single),
        max(0.0, miss),
        parts,
        time.monotonic() - started,
        pose(network, case.outputs, case.box),
    )


def _miss_of(outputs: OutputSet, y: Any) -> Any:
    return np.min([_polyhedron_miss(p, y) for p in outputs.polyhedra], axis=0)


def replay_float32(network: Network, x: Sequence[float]) -> Any:
    """Return the network's output computed in float32 throughout."""
    a = np.asarray(x, dtype=np.float32)
    for layer in network.layers:
        z = layer.float_weights.astype(np.float32) @ a + layer.float_bias.astype(np.float32)
        a = np.asarray(layer.activation.numeric(z[None, :]), dtype=np.float32)[0]
    return a
