"""Streams: the same bytes whoever makes them, however often they are killed; clear errors, nothing lost."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

import symbinv as si
from symbinv.sampler import block
from symbinv.sampler import stream as streams
from symbinv.sampler.stream import read_block, stream

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import sys
import symbinv as si
from symbinv.sampler import stream as streams
streams.BLOCK_POINTS = 1500
network = si.Network.from_arrays([[[1, 2, -1]], [[1.5]]], [[0], [0]], ["tanh", "sigmoid"], box=[[-1, 1]] * 3)
sampler = si.compile_sampler(si.invert(network, ["0.55"]))
if __name__ == "__main__":
    streams.stream(sampler, 15000, sys.argv[1], seed=3)
"""


@pytest.fixture
def sampler(monkeypatch):
    monkeypatch.setattr(streams, "BLOCK_POINTS", 1500)
    network = si.Network.from_arrays([[[1, 2, -1]], [[1.5]]], [[0], [0]], ["tanh", "sigmoid"], box=[[-1, 1]] * 3)
    return si.compile_sampler(si.invert(network, ["0.55"]))


def contents(directory):
    return {p.name: p.read_bytes() for p in sorted(Path(directory).iterdir()) if p.suffix in (".npy", ".json", ".npz")}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    place = tmp_path_factory.mktemp("undisturbed")
    run(place)
    return contents(place)


def run(place, timeout=120):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-c", SCRIPT, str(place)], env=environment, timeout=timeout, check=True)


def test_a_killed_stream_resumes_to_the_same_bytes(undisturbed, tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    for _ in range(2):
        process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(tmp_path)], env=environment)
        deadline, before = time.monotonic() + 60, len(list(tmp_path.glob("block-*.npy")))
        while len(list(tmp_path.glob("block-*.npy"))) < before + 2 and time.monotonic() < deadline:
            time.sleep(0.01)
            if process.poll() is not None:
                break
        process.send_signal(signal.SIGKILL)
        process.wait()
        for path in tmp_path.glob("block-*.npy"):  # what has a name is whole
            assert read_block(path).shape == (1500, 3)
    run(tmp_path)
    assert contents(tmp_path) == undisturbed


def test_one_two_and_four_workers_write_the_same_bytes(sampler, undisturbed, tmp_path):
    for workers in (2, 4):
        with ThreadPoolExecutor(workers) as pool:
            stream(sampler, 15_000, tmp_path / str(workers), seed=3, executor=pool)
        assert contents(tmp_path / str(workers)) == undisturbed
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        stream(sampler, 15_000, tmp_path / "processes", seed=3, executor=pool)
    assert contents(tmp_path / "processes") == undisturbed


def test_points_are_valid_progress_is_told_and_a_stream_can_grow(sampler, tmp_path):
    seen = []
    first = stream(sampler, 3000, tmp_path, seed=1, progress=seen.append)
    assert [p.points for p in seen] == [1500, 3000] and seen[-1].eta == 0
    before = contents(tmp_path)
    grown = stream(sampler, 4000, tmp_path, seed=1)
    points = np.concatenate(list(grown))
    assert points.shape == (4000, 3) and grown.blocks == 3 and first.blocks == 2
    assert np.abs(sampler.forward(points) - 0.55).max() < 1e-12
    after = contents(tmp_path)
    assert all(after[name] == data for name, data in before.items() if name.startswith("block"))
    assert grown.r_hat.shape == (3,)


def test_another_network_target_or_seed_is_refused_and_nothing_is_lost(sampler, tmp_path):
    stream(sampler, 1500, tmp_path, seed=1)
    before = contents(tmp_path)
    other = si.Network.from_arrays([[[1, 2, -2]], [[1.5]]], [[0], [0]], ["tanh", "sigmoid"], box=[[-1, 1]] * 3)
    with pytest.raises(si.ReadError, match=r"another stream .its network differ"):
        stream(si.compile_sampler(si.invert(other, ["0.55"])), 1500, tmp_path, seed=1)
    with pytest.raises(si.ReadError, match="seed differ"):
        stream(sampler, 1500, tmp_path, seed=2)
    assert contents(tmp_path) == before
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(si.ReadError, match="not a manifest"):
        stream(sampler, 1500, tmp_path, seed=1)


def test_a_directory_that_cannot_be_written_is_one_clear_error(sampler, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(si.ReadError, match="cannot be written"):
        stream(sampler, 1500, tmp_path / "file" / "below", seed=1)


def test_a_full_disk_is_one_clear_error_and_leaves_the_blocks_before_it(sampler, tmp_path, monkeypatch):
    real, calls = block.write_points, []

    def full(place, points, names):
        calls.append(place)
        if len(calls) == 2:
            monkeypatch.setattr(Path, "replace", no_space)
        real(place, points, names)

    def no_space(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(block, "write_points", full)
    with pytest.raises(si.ReadError, match="No space left"):
        stream(sampler, 4500, tmp_path, seed=1)
    assert [p.name for p in sorted(tmp_path.glob("*.npy"))] == ["block-0000000.npy"]
    assert json.loads((tmp_path / "manifest.json").read_text())["blocks"] == 3
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_a_file_size_limit_of_the_system_is_one_clear_error_and_a_resume_completes(undisturbed, tmp_path):
    limited = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))\n"
        + SCRIPT.replace(
            'if __name__ == "__main__":\n    streams.stream(sampler, 15000, sys.argv[1], seed=3)',
            "try:\n    streams.stream(sampler, 15000, sys.argv[1], seed=3)\n"
            "except si.SymbinvError as error:\n    print(error)",
        )
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", limited, str(tmp_path)], env=environment, capture_output=True, text=True, check=True
    )
    assert "cannot be written" in done.stdout and len(done.stdout.splitlines()) == 1
    assert not list(tmp_path.glob("block-*.npy")) and not list(tmp_path.glob(".symbinv-*"))
    run(tmp_path)
    assert contents(tmp_path) == undisturbed


def test_parquet_holds_the_same_points(sampler, tmp_path):
    pytest.importorskip("pyarrow")
    plain = stream(sampler, 1500, tmp_path / "npy", seed=1)
    table = stream(sampler, 1500, tmp_path / "parquet", seed=1, form="parquet")
    np.testing.assert_array_equal(next(iter(plain)), next(iter(table)))


@pytest.mark.filterwarnings("default")
def test_a_dask_cluster_takes_the_blocks(sampler, undisturbed, tmp_path):
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, processes=True)
    with cluster, distributed.Client(cluster) as client:
        stream(sampler, 15_000, tmp_path, seed=3, executor=client.get_executor(), workers=2)
    assert contents(tmp_path) == undisturbed


def test_options_out_of_range_are_refused(sampler, tmp_path):
    with pytest.raises(si.OptionError, match="form must be"):
        stream(sampler, 10, tmp_path, form="csv")
    with pytest.raises(si.OptionError, match="positive count"):
        stream(sampler, 0, tmp_path)
