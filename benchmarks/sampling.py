"""Effective points per second of the walk on trained networks, with what stands beside it.

Run: python -m benchmarks.sampling [NAME ...]
Networks of ../shared/data/trained, target y_star, box = the training box widened on each side by 10 % of its length
plus 0.05; two processes. Printed: min-ESS/s of the sampling phase, starts and warm-up beside it, the whole time to
10,000 effective points, the largest residuals and R-hat; then, for the same target and box, the valid draws of the
paper's literal method in a million, batched Gauss-Newton and Adam on the inputs (laws unknown), and mici's
constrained HMC where it is installed.
"""

import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

import symbinv as si

TRAINED = Path(__file__).resolve().parents[2] / "shared" / "data" / "trained"
KINDS = ("wine", "13-8-5-3"), ("bc", "30-12-4-1"), ("digits", "64-32-16-10")
NAMES = [f"{data}_{f}_{sizes}" for data, sizes in KINDS for f in ("logistic", "tanh")]
EFFECTIVE = 10_000
LITERAL = 1_000_000


def load(name):
    data = np.load(TRAINED / f"{name}.npz", allow_pickle=False)
    depth = sum(key.startswith("W") for key in data.files)
    weights, biases = ([data[f"{k}{i + 1}"] for i in range(depth)] for k in "Wb")
    if weights[0].shape[0] != biases[0].shape[0]:
        weights = [w.T for w in weights]
    low, high = np.array(json.loads((TRAINED / f"{name}.json").read_text())["train_box"])
    margin = 0.1 * (high - low) + 0.05
    names = [part.strip(" []'\"") for part in str(data["activations"]).split(",")]
    box = np.column_stack([low - margin, high + margin])
    return si.Network.from_arrays(weights, biases, names), data["y_star"], box


def walk(sampler, y, pool):
    begin = time.perf_counter()
    samples = sampler.draw(EFFECTIVE, seed=0, executor=pool)
    whole = time.perf_counter() - begin
    # many more points for the rate: the sampling phase alone
    many = sampler.draw(5 * EFFECTIVE, seed=1, executor=pool)
    report, r_hat = many.report, max(samples.report.r_hat.max(), many.report.r_hat.max())
    if report.ess is None:
        return f"R-hat {r_hat:.3f}: no effective size claimed"
    constraint = np.abs(sampler.inverse.constraint.evaluate(many.points)).max()
    outputs = np.abs(sampler.forward(many.points) - y).max()
    first = samples.report
    ten = whole if first.ess is None else whole + max(0, EFFECTIVE / first.ess.min() - 1) * first.seconds["sampling"]
    return (
        f"min-ESS/s {report.ess.min() / report.seconds['sampling']:,.0f}, starts {report.seconds['starts']:.1f} s, "
        f"warm-up {report.seconds['warm-up']:.1f} s, {EFFECTIVE:,} effective points in {ten:.1f} s; R-hat "
        f"{r_hat:.4f}; valid {len(many)} of {5 * EFFECTIVE}, residual {outputs:.1e}, on the constraint "
        f"{constraint:.1e}; steps {report.tuning['steps']:.0f} of {report.tuning['step size']:.2f}, accepted "
        f"{report.tuning['accepted']:.2f}"
    )


def newton(sampler):
    begin = time.perf_counter()
    found = sampler.draw(5000, method="project", seed=0)
    return f"Gauss-Newton {len(found) / (time.perf_counter() - begin):,.0f} points/s (law unknown)"


def adam(network, sampler, box, y, steps=2000, count=1024):
    constraint = sampler.inverse.constraint
    rng = np.random.default_rng(0)
    x = rng.uniform(box[:, 0], box[:, 1], size=(count, len(box)))
    first, second, begin = np.zeros_like(x), np.zeros_like(x), time.perf_counter()
    for t in range(1, steps + 1):
        c, jacobian = constraint.linearize(x)
        g = np.einsum("kq,kqn->kn", c, jacobian)
        first, second = 0.9 * first + 0.1 * g, 0.999 * second + 0.001 * g * g
        x = x - 0.01 * (first / (1 - 0.9**t)) / (np.sqrt(second / (1 - 0.999**t)) + 1e-8)
    taken = time.perf_counter() - begin
    error = np.abs(network.forward(x) - y).max(axis=1)
    rates = ", ".join(f"{(error < limit).sum() / taken:,.1f} points/s at {limit:g}" for limit in (1e-6, 1e-10))
    return f"Adam {rates}"


def constrained_hmc_of_mici(sampler, box, x0, seconds=20):
    try:
        import mici
    except ImportError:
        return "mici is not installed"
    constraint = sampler.inverse.constraint
    low, width = box[:, 0], box[:, 1] - box[:, 0]

    def share(u):
        return 1 / (1 + np.exp(-u))

    def jacobian(u):
        t = share(u)
        return constraint.linearize((low + width * t)[None])[1][0] * (width * t * (1 - t))

    def curved(u, h=1e-6):
        def product(m):
            return np.array([np.sum(m * (jacobian(u + h * e) - jacobian(u - h * e))) / (2 * h) for e in np.eye(len(u))])

        return product

    system = mici.systems.DenseConstrainedEuclideanMetricSystem(
        neg_log_dens=lambda u: -np.sum(np.log(share(u)) + np.log(1 - share(u))),
        grad_neg_log_dens=lambda u: 2 * share(u) - 1,
        constr=lambda u: constraint.evaluate((low + width * share(u))[None])[0],
        jacob_constr=jacobian,
        mhp_constr=curved,
        dens_wrt_hausdorff=True,
    )
    integrator = mici.integrators.ConstrainedLeapfrogIntegrator(system, step_size=0.3)
    rng = np.random.default_rng(0)
    sampler_ = mici.samplers.StaticMetropolisHMC(system, integrator, rng, n_step=5)
    t = np.clip((x0 - low) / np.where(width > 0, width, 1), 1e-9, 1 - 1e-9)
    start, begin, kept, n = np.log(t / (1 - t)), time.perf_counter(), [], 20
    while time.perf_counter() - begin < seconds and len(kept) < 50:
        result = sampler_.sample_chains(
            n_warm_up_iter=0,
            n_main_iter=n,
            init_states=[start],
            trace_funcs=[lambda s: {"u": s.pos}],
            display_progress=False,
        )
        draws = result.traces["u"][0]
        kept.append(draws)
        start = draws[-1]
    chain = np.concatenate(kept)
    taken = time.perf_counter() - begin
    from symbinv.sampler.diagnostics import effective_size

    size = effective_size(share(chain)[:, :, None]).min()
    return f"mici {len(chain) / taken:,.0f} trajectories/s, about {size / taken:,.1f} effective points/s (one chain)"


def main(names):
    with ProcessPoolExecutor(2) as pool:
        for name in names:
            network, y, box = load(name)
            sampler = si.compile_sampler(si.invert(network, y.tolist(), box=box))
            print(f"{name} (dimension {sampler.inverse.dimension})\n  walk: {walk(sampler, y, pool)}", flush=True)
            literal = sampler.draw(LITERAL, method="random", seed=0).report
            print(f"  literal: {literal.valid} valid in {literal.drawn:,}", flush=True)
            x0 = sampler.draw(1, method="project", seed=0).points[0]
            for line in (newton(sampler), adam(network, sampler, box, y), constrained_hmc_of_mici(sampler, box, x0)):
                print(f"  {line}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or NAMES)
