"""Certificates per second and core on a 6-8-2 tanh network. Run: python -m benchmarks.certificates."""

import time

import numpy as np

import symbinv as si
from symbinv.sampler.certificate import certify_points

COUNT = 20_000


def main():
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=(8, 6)), rng.normal(size=(2, 8))]
    network = si.Network.from_arrays(weights, [rng.normal(size=8), rng.normal(size=2)], ["tanh", "tanh"])
    target = network.forward(rng.normal(size=6) / 2).tolist()
    sampler = si.compile_sampler(si.invert(network, target))
    samples = sampler.draw(COUNT, method="project", box=[[-2, 2]] * 6, seed=0)
    begin, cpu = time.perf_counter(), time.process_time()
    result = certify_points(sampler.inverse.constraint, samples.points)
    wall, cpu = time.perf_counter() - begin, time.process_time() - cpu
    print(
        f"6-8-2 tanh, {COUNT:,} points: {result.proved.mean():.2%} proved, {COUNT / wall:,.0f} points/s "
        f"({COUNT / cpu:,.0f} per second of processor time)"
    )
    certificates = [c for c in result.certificates if c]
    print(f"largest radius {max(c.radius for c in certificates):.1e}, bits {sorted({c.bits for c in certificates})}")


if __name__ == "__main__":
    main()
