import io
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

h5py = pytest.importorskip("h5py")

from symbinv.errors import ReadError  # noqa: E402
from symbinv.network.readers import hdf5_probe, hdf5_process  # noqa: E402

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked here")


def whole(**arrays):
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file.attrs["model_config"] = "{}"
        for name, value in arrays.items():
            file[name] = value
    return stream.getvalue()


def serving():
    return hdf5_process._READERS[os.getpid()]._process


def test_one_process_reads_file_after_file():
    assert hdf5_process.look(whole(a=[1.0, 2.0])) == {"config": "{}", "arrays": [["/a", [2], 8]]}
    first = serving()
    for k in range(1, 20):
        assert hdf5_process.look(whole(a=[1.0] * k))["arrays"] == [["/a", [k], 8]]
    assert hdf5_process.look(whole(a=[0.5] * 50_000))["arrays"] == [["/a", [50_000], 8]], "longer than a pipe holds"
    if hasattr(os, "fork"):
        assert serving() is first


@forks
def test_a_process_that_ended_is_started_again():
    hdf5_process.look(whole())
    serving().kill()
    assert hdf5_process.look(whole()) == {"config": "{}", "arrays": []}


def test_a_text_and_a_deep_group_are_refused():
    assert "must hold numbers, not object" in hdf5_process.look(whole(a="text"))["refused"]
    assert "nested" in hdf5_process.look(whole(**{"/".join("a" * 30): [1.0]}))["refused"]
    assert "damaged" in hdf5_process.look(whole(a=[1.0])[:-100])


def replaced(monkeypatch, tmp_path, body):
    """Let the process answer with `body` instead of reading, as a crash within HDF5 would."""
    script = tmp_path / "hdf5_process.py"
    source = f"import sys\nsys.path.insert(0, {os.path.dirname(hdf5_probe.__file__)!r})\nimport hdf5_probe\n"
    source += f"sys.path.pop(0)\ndef answer(data):\n{textwrap.indent(body, '    ')}\n"
    source += "hdf5_probe.answer = answer\nhdf5_probe.SECONDS = 0.1\nhdf5_probe.main()\n"
    (tmp_path / "hdf5_probe.py").write_text(source)
    monkeypatch.setattr(hdf5_process, "__file__", str(script))
    hdf5_process.stop()


@forks
@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("while True: pass", "does not end"),
        ("import time; time.sleep(100)", "does not end"),
        ("import os; os.kill(os.getpid(), 11)", "ends the process"),
        ("return {'taken': len(bytes(1 << 31))}", "ends the process"),
    ],
)
def test_what_a_file_does_to_the_library_stays_in_its_process(monkeypatch, tmp_path, body, message):
    replaced(monkeypatch, tmp_path, body)
    try:
        assert message in hdf5_process.look(whole())["damaged"]
        server = serving()
        hdf5_process.look(whole())
        assert serving() is server, "only the fork ended"
    finally:
        hdf5_process.stop()


@forks
def test_a_server_that_dies_at_a_file_twice_is_an_error_of_ours(monkeypatch, tmp_path):
    replaced(monkeypatch, tmp_path, "import os; os.kill(os.getppid(), 9)")
    try:
        with pytest.raises(ReadError, match="reading it ends the process"):
            hdf5_process.look(whole())
    finally:
        hdf5_process.stop()


@forks
def test_without_forks_each_file_has_a_process_of_its_own(monkeypatch):
    hdf5_process.stop()
    monkeypatch.setattr(hdf5_process, "_STAYS", False)
    assert hdf5_process.look(whole(a=[1.0]))["arrays"] == [["/a", [1], 8]]
    assert serving() is None


@forks
def test_it_ends_with_its_parent_and_scripts_without_a_main_guard_run_once():
    code = """
    import os, threading
    from symbinv.network.readers import hdf5_process
    print("once", flush=True)
    data = bytes.fromhex("{}")
    found = []
    threads = [threading.Thread(target=lambda: found.append(hdf5_process.look(data))) for _ in range(3)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert found == [{{"config": "{{}}", "arrays": []}}] * 3
    child = os.fork()
    if child == 0:
        mine = hdf5_process.look(data)
        assert len(hdf5_process._READERS) == 2
        hdf5_process.stop()
        os._exit(0 if mine == found[0] else 1)
    assert os.waitpid(child, 0)[1] == 0
    print(hdf5_process._READERS[os.getpid()]._process.pid, flush=True)
    os.kill(os.getpid(), 9)
    """
    script = textwrap.dedent(code).format(whole().hex())
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    once, pid = done.stdout.split()
    assert once == "once"
    for _ in range(1000):
        if not runs(int(pid)):
            return
        time.sleep(0.01)
    pytest.fail("it must see the end of the requests")


def runs(pid):
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(done.stdout.strip()) and "Z" not in done.stdout  # a zombie has ended
