"""Uniform points in polytopes of 10 and 50 dimensions, side by side with hopsy and its own rounding.

Run: python -m benchmarks.polytopes
The figure is the time to 5,000 effective samples (smallest over coordinates), rounding included, in CPU seconds, so
that a loaded machine does not decide.
"""

import time

import numpy as np
import scipy.optimize  # noqa: F401  as hopsy's, its import is not timed

from symbinv.sampler.diagnostics import effective_size
from symbinv.sampler.polytopes.body import recognise_in_floats
from symbinv.sampler.polytopes.hit_and_run import hit_and_run

GOAL = 5000


def polytope(d, rng):
    """A box cut by random half-spaces, badly scaled."""
    rows = np.vstack([np.eye(d), -np.eye(d), rng.normal(size=(2 * d, d))])
    right = np.concatenate([np.ones(2 * d), 0.5 * np.sqrt(d) + rng.uniform(size=2 * d)])
    return rows / np.logspace(0, 2, d), right


def ours(rows, right):
    begin = time.process_time()
    body = recognise_in_floats(rows, right, np.zeros((0, rows.shape[1])), np.zeros(0))
    count, ess = GOAL, 0.0
    while True:
        _, sizes, _ = hit_and_run(body, count, np.random.default_rng(0))
        ess = 0.0 if sizes is None else sizes.min()
        if ess >= GOAL:
            return time.process_time() - begin, ess
        count = int(count * min(4.0, max(1.3, 1.1 * GOAL / max(ess, 1.0))))


def theirs(rows, right):
    import hopsy

    begin = time.process_time()
    problem = hopsy.round(hopsy.Problem(rows, right))
    rounded = time.process_time() - begin
    chains = [hopsy.MarkovChain(problem, proposal=hopsy.UniformCoordinateHitAndRunProposal) for _ in range(4)]
    generators = [hopsy.RandomNumberGenerator(seed=i) for i in range(4)]
    draws, thin = np.empty((4, 0, rows.shape[1])), rows.shape[1]
    while True:
        _, new = hopsy.sample(chains, generators, n_samples=1000, thinning=thin)
        draws = np.concatenate([draws, new], axis=1)
        ess = effective_size(draws.transpose(1, 2, 0)).min()
        if ess >= GOAL:
            return time.process_time() - begin, ess, rounded


def main():
    for d in (10, 50):
        rows, right = polytope(d, np.random.default_rng(d))
        own, ess = ours(rows, right)
        line = f"{d}-d: ours {own:.2f} s (min-ESS {ess:,.0f})"
        try:
            other, their_ess, rounded = theirs(rows, right)
            line += (
                f", hopsy {other:.2f} s (min-ESS {their_ess:,.0f}, rounding {rounded:.2f} s), ratio {other / own:.1f}"
            )
        except ImportError:
            line += ", hopsy is not installed"
        print(line, flush=True)


if __name__ == "__main__":
    main()
