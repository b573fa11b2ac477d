"""The derivations kept under review are what the code makes, and they compile."""

import difflib

import pytest

from derivations.cases import DERIVATIONS, fresh, path_of

from ..presentation.compiling import complaints, pdflatex


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
def test_the_kept_derivations_compile_without_wide_boxes(tmp_path):
    kept = {name: path_of(name).read_text(encoding="utf-8") for name in DERIVATIONS}
    assert complaints(kept, tmp_path) == []
