"""compile_pdf: LaTeX to PDF by pdflatex, in a temporary folder."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from symbinv.errors import NotSupportedError, ReadError
from symbinv.files import write_whole

SECONDS = 120
RUNS = 2  # the second one knows what the references mean


def compile_pdf(document: str) -> bytes:
    r"""Compile a LaTeX document.

    No command of the document can start a program or read or write a file outside of the temporary folder.

    Args:
        document: A whole document, from \documentclass to \end{document}.

    Raises:
        NotSupportedError: Where pdflatex is not installed, or stops at an error or after two minutes.
    """
    program = shutil.which("pdflatex")
    if program is None:
        raise NotSupportedError(
            "a PDF needs the program pdflatex, which was not found; install TeX (on Debian texlive-latex-base, and "
            "latex-beamer for slides), or write .tex and compile it elsewhere."
        )
    with tempfile.TemporaryDirectory(prefix="symbinv-") as folder:
        write_whole(Path(folder) / "derivation.tex", document)
        command = [program, "-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error", "derivation.tex"]
        paranoid = {**os.environ, "openin_any": "p", "openout_any": "p"}
        for _ in range(RUNS):
            try:
                done = subprocess.run(
                    command, cwd=folder, env=paranoid, capture_output=True, timeout=SECONDS, check=False
                )
            except subprocess.TimeoutExpired as error:
                raise NotSupportedError(f"pdflatex must end within {SECONDS} s, and did not; write .tex.") from error
            except OSError as error:
                raise ReadError(f"{program!r} cannot be run: {error}.") from error
            if done.returncode != 0:
                said = done.stdout.decode("utf-8", "replace").splitlines()
                reason = next((line for line in said if line.startswith("!")), "! it gave no reason")
                raise NotSupportedError(f"pdflatex stopped: {reason[2:].rstrip('.')}. Write .tex to see for yourself.")
        return (Path(folder) / "derivation.pdf").read_bytes()
