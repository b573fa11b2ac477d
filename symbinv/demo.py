"""The main job on two built-in cases: derivation, points and a picture of each, into a folder."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from symbinv.files import write_whole
from symbinv.inverse.invert import Inverse, invert
from symbinv.network.network import Network
from symbinv.network.readers.arrays import from_mapping, parse_json
from symbinv.presentation.latex import to_latex
from symbinv.presentation.plot import figure_bytes, plot_manifold, plot_pairs
from symbinv.sampler.compile import compile_sampler
from symbinv.sampler.samples import Samples

SEED = 0


@dataclass(frozen=True)
class DemoCase:
    """One built-in case: a network, a target and the way its points are drawn."""

    name: str
    title: str
    target: tuple[str, ...]
    method: str
    count: int


CASES = (
    DemoCase("paper", "a 3 -> 2 sigmoid layer with output [0.8, 0.2]", ("0.8", "0.2"), "grid", 100),
    DemoCase(
        "iris", "iris flowers that the network calls versicolor with 90 %", ("0.05", "0.9", "0.05"), "project", 5_000
    ),
)


@dataclass(frozen=True)
class DemoResult:
    """What a case gave, and the files it wrote."""

    case: DemoCase
    inverse: Inverse
    samples: Samples
    paths: tuple[Path, ...]


def builtin_network(name: str) -> Network:
    """Return a network that comes with the package: "paper" or "iris"."""
    return from_mapping(parse_json((files("symbinv") / "networks" / f"{name}.json").read_bytes()))


def run_demo(folder: str | Path) -> Iterator[DemoResult]:
    """Run every case, writing name.tex, name.npz, name.csv, name.png and name-pairs.png into `folder`."""
    place = Path(folder)
    for case in CASES:
        inverse = invert(builtin_network(case.name), case.target)
        samples = compile_sampler(inverse).draw(case.count, method=case.method, seed=SEED)
        paths = (
            write_whole(place / f"{case.name}.tex", to_latex(inverse)),
            samples.save(place / f"{case.name}.npz"),
            samples.save(place / f"{case.name}.csv"),
            write_whole(place / f"{case.name}.png", figure_bytes(plot_manifold(samples))),
            write_whole(place / f"{case.name}-pairs.png", figure_bytes(plot_pairs(samples))),
        )
        yield DemoResult(case, inverse, samples, paths)
