"""Every example runs."""

import pathlib
import subprocess
import sys

import pytest

EXAMPLES = sorted((pathlib.Path(__file__).resolve().parents[1] / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.name)
def test_the_example_runs_and_is_short(path, tmp_path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 60
    if "from sklearn" in text:
        pytest.importorskip("sklearn")
    command = [sys.executable, "-W", "error", str(path), *(["out.json"] if "train" in path.name else [])]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
