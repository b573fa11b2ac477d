"""Searches by several processes: the same cells, proofs and verdicts, whoever worked on which part."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from symbinv import checker
from symbinv.cells import half_space_search, team
from symbinv.cells import search as searches
from symbinv.cells.preimage import preimage, regions
from symbinv.errors import OptionError
from symbinv.network.network import Network
from symbinv.polyhedra.generator import Generator


def network_of(sizes, seed, activation="relu"):
    rng = np.random.default_rng(seed)
    pairs = list(zip(sizes, sizes[1:], strict=False))
    weights = [np.round(rng.normal(size=(m, n)) * 16) / 16 for n, m in pairs]
    biases = [np.round(rng.normal(size=m) * 8) / 16 for _, m in pairs]
    return Network.from_arrays(weights, biases, [activation] * (len(pairs) - 1) + ["identity"])


@pytest.fixture
def eager(monkeypatch):
    """Hand out small parts from the start to helpers that stand ready; return how many they gave back."""
    monkeypatch.setattr(searches, "BUDGET", 40)
    monkeypatch.setattr(searches, "HALVED", 8)
    monkeypatch.setattr(half_space_search, "BUDGET", 2)
    monkeypatch.setattr(team, "PATIENCE", 0.0)
    returned = []
    for name in ("CELLS", "HALF_SPACES"):
        kind = getattr(team, name)
        counted = replace(kind, read_part=lambda *a, read=kind.read_part: returned.append(1) or read(*a))
        monkeypatch.setattr(team, name, counted)
    ready = [helper for helper in (team.RESERVE.hire() for _ in range(3)) if helper is not None]
    for helper in ready:
        if not helper.is_ready:
            assert helper.inbox.get(timeout=60)[1] == team.READY
            helper.is_ready = True
    team.RESERVE.idle += ready
    return returned


def told(found):
    """Return everything a user can read of cells."""
    names = ("generators", "masks", "constraints", "equation_forms")
    return [
        (c.pattern, c.affine, c.polyhedron.half_spaces, c.interior_point, *(getattr(c, name, None) for name in names))
        for c in found.cells
    ]


@pytest.mark.parametrize(
    ("sizes", "activation", "target", "box"),
    [
        ([2, 12, 10, 2], "relu", None, [[-3, 3]] * 2),
        ([2, 7, 6, 3], "hard_tanh", "argmax == 1", [[-2, 2]] * 2),
        ([9, 4, 2], "relu", "y_0 >= y_1", [[-1, 1]] * 9),
        ([2, 8, 6, 2], "leaky_relu(1/4)", "y_0 > y_1", None),
    ],
)
def test_cells_and_proofs_do_not_depend_on_the_number_of_processes(eager, monkeypatch, sizes, activation, target, box):
    network = network_of(sizes, 3, activation)
    answers, proofs = [], []
    for workers in (1, 2, 4):
        monkeypatch.setattr(team, "available_cores", lambda count=workers: count)
        found = preimage(network, target, box=box) if target else regions(network, box=box)
        assert found.is_complete
        answers.append((told(found), found.closed))
        proofs.append(json.dumps(found.certificate()))
        assert bool(eager) == (workers > 1)
    assert answers[0] == answers[1] == answers[2]
    assert proofs[0] == proofs[1] == proofs[2]
    assert checker.check(json.loads(proofs[0]))["cells"] == len(answers[0][0])


def test_the_first_cells_are_the_first_in_the_tree_and_the_rest_follows(eager):
    network = network_of([2, 14, 10, 2], 5)
    seen = []
    for workers in (1, 2, 4):
        part = preimage(network, "argmax == 0", box=[[-3, 3]] * 2, max_cells=5, workers=workers)
        assert not part.is_complete and len(part.cells) == 5
        again = part.proceed(max_cells=7, workers=workers)
        whole = again.proceed(workers=workers)
        seen.append((told(part), part.undecided_volume, part.closed, told(again), again.undecided_volume, told(whole)))
    assert seen[0] == seen[1] == seen[2]
    assert eager


def test_a_helper_that_dies_or_fails_changes_nothing(eager, monkeypatch):
    network = network_of([2, 12, 10, 2], 3)
    right = told(regions(network, box=[[-3, 3]] * 2, workers=1))
    send = team.Helper.send

    def mangle(helper, message):
        if message[0] == "part" and message[1] == 1:
            return send(helper, (*message[:2], "no batch"))
        if message[0] == "part" and message[1] == 2:
            os.kill(helper.process.pid, signal.SIGKILL)
        return send(helper, message)

    monkeypatch.setattr(team.Helper, "send", mangle)
    assert told(regions(network, box=[[-3, 3]] * 2, workers=3)) == right
    assert all(helper.process.poll() is None for helper in team.RESERVE.idle)


def test_an_error_in_a_part_reaches_the_caller_and_ends_the_helpers(eager, monkeypatch):
    network = network_of([2, 12, 10, 2], 3)
    before = list(team.RESERVE.idle)

    def interrupt(self, batch):
        raise KeyboardInterrupt

    monkeypatch.setattr(searches.Search, "work", interrupt)
    with pytest.raises(KeyboardInterrupt):
        regions(network, box=[[-3, 3]] * 2, workers=2)
    assert len(team.RESERVE.idle) >= len(before) - 1


@pytest.mark.parametrize("workers", [0, -1, 1.5, True, "2"])
def test_numbers_of_workers_are_checked(workers):
    with pytest.raises(OptionError, match="workers must be a positive integer"):
        regions(network_of([2, 3, 1], 0), workers=workers)


def test_a_script_without_a_main_guard_runs_once_and_leaves_no_process(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
        import numpy as np
        import symbinv as si
        from symbinv.cells import team
        print("once", flush=True)
        team.PATIENCE = 0.0
        rng = np.random.default_rng(0)
        sizes = [2, 24, 24, 2]
        pairs = list(zip(sizes, sizes[1:]))
        network = si.Network.from_arrays(
            [rng.normal(size=(m, n)) for n, m in pairs], [rng.normal(size=m) for _, m in pairs],
            ["relu", "relu", "identity"],
        )
        found = si.regions(network, box=[[-3, 3]] * 2, workers=2)
        assert found.volume == 36
        print(*[h.process.pid for h in team.RESERVE.idle])
        """)
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=True, cwd=tmp_path, env=environment
    )
    first, *rest = done.stdout.splitlines()
    assert first == "once" and len(rest) == 1
    for pid in map(int, rest[0].split()):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_generators_on_long_chains_of_edges_are_computed_without_recursion():
    far, near = Generator((1, 1 << 3000)), Generator((1, 0))
    for k in range(3000, 0, -1):
        far = Generator.on_edge(far, near, (-(1 << k - 1), 1))
    assert far.row == (1, 1) and far.edge is None
    assert Generator.on_edge(Generator((0, 2)), Generator((1, -3)), (0, 1)).row == (1, 0)
    assert Fraction(far.row[1], far.row[0]) == 1
