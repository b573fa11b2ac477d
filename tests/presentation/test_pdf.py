"""`symbinv derive --out`: one file a suffix, PDF by pdflatex."""

import json
import shutil
import sys

import pytest

import symbinv as si
from symbinv.presentation.pdf import compile_pdf

from .compiling import pdflatex


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Run `symbinv derive` of a symbolic 3 -> 2 layer; return (status, stderr)."""
    from symbinv.cli import main

    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        line = ["symbinv", "derive", "--sizes", "3,2", "--activation", "sigmoid", *arguments]
        monkeypatch.setattr(sys, "argv", line)
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, capsys.readouterr().err

    return call


def test_the_suffix_says_what_is_written(run, tmp_path):
    begins = {"a.tex": r"\documentclass", "a.md": "# Inversion of a 3", "a.txt": "layer  shape"}
    for name, beginning in begins.items():
        assert run("--out", name) == (0, "")
        assert (tmp_path / name).read_text().startswith(beginning)


@pytest.mark.parametrize("mode", ["fragment", "appendix", "beamer"])
def test_a_mode_is_text_to_input(run, tmp_path, mode):
    assert run("--out", "a.tex", "--mode", mode) == (0, "")
    inverse = si.invert(si.Network.generic([3, 2], ["sigmoid"]))
    assert (tmp_path / "a.tex").read_text() == si.to_latex(inverse, mode=mode)


@pdflatex
@pytest.mark.parametrize("mode", ["article", "beamer"])
def test_a_pdf_is_compiled(run, tmp_path, mode):
    assert run("--out", "a.pdf", "--mode", mode) == (0, "")
    data = (tmp_path / "a.pdf").read_bytes()
    assert data.startswith(b"%PDF")
    assert data.rstrip().endswith(b"%%EOF")
    assert [p.name for p in tmp_path.iterdir()] == ["a.pdf"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--out", "a.doc"], "written as .tex, .pdf, .md, .txt, .json, not '.doc'"),
        (["--out", "a.md", "--mode", "beamer"], "--out must end in .tex or .pdf"),
        (["--mode", "beamer"], "--out must end in .tex or .pdf"),
        (["--out", "a.tex", "--mode", "poster"], "mode must be one of article, fragment, appendix, beamer"),
    ],
    ids=str,
)
def test_misuse_is_one_line_and_writes_nothing(run, tmp_path, arguments, words):
    status, err = run(*arguments)
    assert (status, err.count("\n")) == (2, 1)
    assert words in err
    assert list(tmp_path.iterdir()) == []


def test_without_pdflatex_the_error_says_what_to_install(run, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    status, err = run("--out", "a.pdf")
    assert status == 2
    assert "texlive-latex-base" in err


@pdflatex
def test_a_document_can_neither_run_a_program_nor_leave_its_folder(tmp_path):
    document = "\\documentclass{article}\\begin{document}%s x\\end{document}"
    touched = tmp_path / "touched"
    compile_pdf(document % rf"\immediate\write18{{touch {touched}}}")
    assert not touched.exists()
    secret = tmp_path / "secret.tex"
    secret.write_text("secret")
    for hostile in (rf"\input{{{secret}}}", rf"\newwrite\f\immediate\openout\f={touched}\relax", r"\undefined"):
        with pytest.raises(si.NotSupportedError, match="pdflatex stopped"):
            compile_pdf(document % hostile)
    assert not touched.exists()


def test_the_json_record_is_as_before(run, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["symbinv", "derive", "--sizes", "3,2", "--json"])
    from symbinv.cli import main

    with pytest.raises(SystemExit):
        main()
    assert json.loads(capsys.readouterr().out)["free_variables"] == ["x_3"]
