"""The derivations kept under review are what the code makes, and they compile."""

import difflib
import shutil
import subprocess

import pytest

from derivations.cases import DERIVATIONS, fresh, path_of

pdflatex = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")


@pytest.mark.parametrize("name", DERIVATIONS)
def test_the_kept_derivation_is_what_the_code_makes(name, update):
    text, path = fresh(name), path_of(name)
    if update:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    kept = path.read_text(encoding="utf-8") if path.is_file() else ""
    diff = "\n".join(difflib.unified_diff(kept.splitlines(), text.splitlines(), "kept", "fresh", lineterm=""))
    assert kept == text, f"{diff}\nRun pytest with --update to rewrite {path.name}."


@pdflatex
@pytest.mark.parametrize("name", DERIVATIONS)
def test_the_kept_derivation_compiles_without_wide_boxes(name, tmp_path):
    assert wide_boxes(path_of(name).read_text(encoding="utf-8"), tmp_path) == []


def wide_boxes(text, folder, limit=5.0):
    """Compile a document; return the overfull boxes wider than `limit` points."""
    (folder / "it.tex").write_text(text, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "it.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    lines = [line for line in done.stdout.splitlines() if "Overfull \\hbox" in line]
    return [line for line in lines if float(line.split("(")[1].split("pt")[0]) > limit]
