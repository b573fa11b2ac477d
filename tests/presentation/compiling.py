"""Run pdflatex on documents of one class, joined into one, and read what it complains of."""

import re
import shutil
import subprocess

import pytest

pdflatex = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")


def complaints(documents, folder, limit=5.0, runs=1):
    """Compile {name: document}; return (name, box) for boxes too wide by `limit` points, and undefined references.

    With two runs, references are resolved; then no two documents may share a label.
    """
    body = "\n".join(rf"\typeout{{CASE {name}}}{_between(text)}\clearpage" for name, text in documents.items())
    preamble = next(iter(documents.values())).split(r"\begin{document}")[0]
    (folder / "it.tex").write_text(f"{preamble}\\begin{{document}}\n{body}\n\\end{{document}}\n", encoding="utf-8")
    for _ in range(runs):
        command = ["pdflatex", "-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error", "it.tex"]
        done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
        said = done.stdout.decode("utf-8", "replace")
        assert done.returncode == 0, said[-2000:]
    found, name = [], ""
    for line in said.splitlines():
        if line.startswith("CASE "):
            name = line[5:]
        box = re.match(r"Overfull \\[hv]box \(([\d.]+)pt", line)
        if box and float(box.group(1)) > limit:
            found.append((name, line))
        if runs > 1 and ("undefined" in line or "multiply" in line):
            found.append((name, line))
    return found


def _between(text):
    return text.split(r"\begin{document}")[1].split(r"\end{document}")[0]
