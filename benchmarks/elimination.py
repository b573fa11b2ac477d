"""Elimination side by side: ours, named and closed, against every SymPy path; exact rref against FLINT itself.

    python -m benchmarks.elimination            # all sizes, 60 s a SymPy cell
    python -m benchmarks.elimination --quick    # 5 s a cell, sizes to (4, 6)

Every SymPy cell runs in a process of its own that is ended at the time-out. Each matrix has m*n distinct symbols and
a right side of m more. Ours is timed in this process, best of several; a cold first call is not counted for anybody.
"""

import argparse
import multiprocessing
import time
from collections.abc import Callable
from math import lcm

import numpy as np
import sympy
from flint import fmpq, fmpq_mat, fmpz_mat

from symbinv.algebra.closed_form import closed_form, predicted_terms
from symbinv.algebra.elimination import reduce_rows
from symbinv.algebra.fiber import solve_fiber
from symbinv.errors import BudgetError
from symbinv.exact.matrix import ExactMatrix

SIZES = [(2, 3), (3, 5), (4, 6), (5, 6), (6, 8)]
ALONE = [(8, 10), (12, 15), (16, 20)]
NUMERIC = [(10, 20), (50, 80), (100, 150)]


def generic(m: int, n: int) -> list[list[sympy.Symbol]]:
    return [[sympy.Symbol(f"w_{{{i + 1},{j + 1}}}") for j in range(n)] for i in range(m)]


def sides(m: int) -> list[sympy.Symbol]:
    return [sympy.Symbol(f"z_{i + 1}") for i in range(m)]


def augmented(m: int, n: int) -> sympy.Matrix:
    return sympy.Matrix.hstack(sympy.Matrix(generic(m, n)), sympy.Matrix(sides(m)))


# -- peers --------------------------------------------------------------------------------------------


def linsolve(m: int, n: int) -> object:
    return sympy.linsolve((sympy.Matrix(generic(m, n)), sympy.Matrix(sides(m))), *sympy.symbols(f"x_1:{n + 1}"))


def gauss_jordan_solve(m: int, n: int) -> object:
    return sympy.Matrix(generic(m, n)).gauss_jordan_solve(sympy.Matrix(sides(m)))


def matrix_rref(m: int, n: int) -> object:
    return augmented(m, n).rref()


def domain_matrix(m: int, n: int) -> object:
    from sympy.polys.matrices import DomainMatrix

    return DomainMatrix.from_Matrix(augmented(m, n)).to_field().rref()


PEERS = [linsolve, gauss_jordan_solve, matrix_rref, domain_matrix]


def _timed(function: Callable[[int, int], object], m: int, n: int, send: object) -> None:
    function(2, 2)
    begin = time.perf_counter()
    function(m, n)
    send.send(time.perf_counter() - begin)  # type: ignore[attr-defined]


def timed_apart(function: Callable[[int, int], object], m: int, n: int, limit: float) -> float | None:
    """Return the seconds a peer takes in its own process, or None past the limit."""
    receive, send = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=_timed, args=(function, m, n, send))
    process.start()
    found = receive.recv() if receive.poll(limit + 5) else None  # 5 s to start and import
    process.kill()
    process.join()
    return None if found is None or found > limit else found


# -- ours ---------------------------------------------------------------------------------------------


def best(function: Callable[[], object], repeats: int = 5, enough: float = 2.0) -> float:
    times: list[float] = []
    while len(times) < repeats and sum(times) < enough:
        begin = time.perf_counter()
        function()
        times.append(time.perf_counter() - begin)
    return min(times)


def named(m: int, n: int) -> int:
    reduction = reduce_rows(generic(m, n))
    fiber = solve_fiber(reduction, ExactMatrix.column(sides(m)))
    return len(reduction.definitions) + len(fiber.definitions)


def closed(m: int, n: int) -> int:
    form = closed_form(reduce_rows(generic(m, n)))
    form.solve(sides(m), [sympy.Symbol(f"x_{j + 1}") for j in form.reduction.free])
    return form.terms


def symbolic_table(sizes: list[tuple[int, int]], limit: float) -> None:
    heads = ["named", "closed", *(p.__name__ for p in PEERS)]
    print(
        f"{'(m, n)':>8} {'defs':>6} {'terms':>7} "
        + " ".join(f"{h:>19}" for h in heads)
        + "   fastest peer / named, closed"
    )
    named(2, 2), closed(2, 2)
    for m, n in sizes:
        ours = [best(lambda: named(m, n)), best(lambda: closed(m, n))]  # noqa: B023  # called at once
        peers = [timed_apart(peer, m, n, limit) for peer in PEERS]
        cells = [f"{t:.5f}" for t in ours] + [f">{limit:g}" if t is None else f"{t:.4f}" for t in peers]
        known = [limit if t is None else t for t in peers]
        sign = ">" if min(known) >= limit else ""
        ratios = f"{sign}{min(known) / ours[0]:.0f}x, {sign}{min(known) / ours[1]:.1f}x"
        print(
            f"{(m, n)!s:>8} {named(m, n):>6} {closed(m, n):>7} " + " ".join(f"{c:>19}" for c in cells) + f"   {ratios}",
            flush=True,
        )


def ours_alone(sizes: list[tuple[int, int]]) -> None:
    print("\nours alone")
    for m, n in sizes:
        seconds = best(lambda: named(m, n), 3)  # noqa: B023
        reduction = reduce_rows(generic(m, n))
        begin = time.perf_counter()
        try:
            closed_form(reduction)
            note = f"closed form in {time.perf_counter() - begin:.2f} s"
        except BudgetError:
            note = (
                f"closed form refused in {time.perf_counter() - begin:.3f} s ({predicted_terms(reduction):.2e} terms)"
            )
        print(f"{(m, n)!s:>8} {named(m, n):>6} definitions {seconds:.5f} s; {note}", flush=True)


def scaled_integers(weights: np.ndarray) -> fmpz_mat:
    """Return the rows of exact doubles times their common denominators, as one would call FLINT by hand."""
    rows = []
    for row in weights.tolist():
        ratios = [v.as_integer_ratio() for v in row]
        common = lcm(*(q for _, q in ratios))
        rows.append([p * (common // q) for p, q in ratios])
    return fmpz_mat(rows)


def numeric_table(sizes: list[tuple[int, int]]) -> None:
    """Like with like: integers over one denominator against fmpz_mat, lowest terms against fmpq_mat."""
    print("\nexact rref of float32 weights, operations not kept (seconds)")
    heads = ("ours", "fmpz_mat.rref", "ratio", "ours, lowest terms", "fmpq_mat.rref", "ratio")
    print(f"{'(m, n)':>10} " + " ".join(f"{h:>19}" for h in heads))
    for m, n in sizes:
        weights = np.random.default_rng(0).standard_normal((m, n)).astype(np.float32)
        repeats = 50 if m <= 10 else 7

        def ours(weights: np.ndarray = weights) -> ExactMatrix:
            return reduce_rows(weights, record=False).rref

        def integers(weights: np.ndarray = weights) -> object:
            return scaled_integers(weights).rref()

        def rationals(weights: np.ndarray = weights) -> object:
            return fmpq_mat(m, n, [fmpq(*v.as_integer_ratio()) for v in weights.ravel().tolist()]).rref()  # noqa: B023

        whole = best(ours, repeats, 15), best(integers, repeats, 15)
        lowest = best(lambda: ours().flint, repeats, 15), best(rationals, repeats, 15)
        cells = [f"{v:.5f}" for v in whole] + [f"{whole[0] / whole[1]:.2f}"]
        cells += [f"{v:.5f}" for v in lowest] + [f"{lowest[0] / lowest[1]:.2f}"]
        print(f"{(m, n)!s:>10} " + " ".join(f"{c:>19}" for c in cells), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="5 s a cell and sizes to (4, 6)")
    parser.add_argument("--seconds", type=float, default=None, help="time-out of every SymPy cell")
    options = parser.parse_args()
    symbolic_table(SIZES[:3] if options.quick else SIZES, options.seconds or (5.0 if options.quick else 60.0))
    ours_alone(ALONE)
    numeric_table(NUMERIC)


if __name__ == "__main__":
    main()
