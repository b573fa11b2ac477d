"""Who may import whom, what importing symbinv costs, and what no file may hold."""

import ast
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "symbinv"
BASE = {"errors", "notation", "files", "cores"}
STAGES = {
    "exact": BASE,
    "network": BASE | {"exact"},
    "algebra": BASE | {"exact"},
    "polyhedra": BASE | {"exact"},
    "inverse": BASE | {"exact", "network", "algebra", "polyhedra"},
    "cells": BASE | {"exact", "network", "polyhedra", "inverse", "checker"},
    "derivation": BASE | {"exact", "network", "algebra", "polyhedra", "inverse"},
    "sampler": BASE | {"exact", "network", "algebra", "polyhedra", "inverse", "cells"},
    "presentation": BASE | {"exact", "network", "algebra", "polyhedra", "inverse", "cells", "derivation", "sampler"},
}
FILES = sorted(PACKAGE.rglob("*.py"))


def imports_of(path):
    """Return (module, whether at the top of the file) of every import of ours and of others."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    top = set(map(id, tree.body))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module, id(node) in top


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_stage_imports_only_from_the_stages_before_it(path):
    stage = path.relative_to(PACKAGE).parts[0]
    if stage not in STAGES:
        return
    for module, _ in imports_of(path):
        if module and module.startswith("symbinv."):
            other = module.split(".")[1]
            assert other == stage or other in STAGES[stage], f"{stage} imports {module}"
            if stage == "presentation" and other == "sampler":
                assert module in ("symbinv.sampler.samples", "symbinv.sampler.certificate"), module


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_exact_touches_flint(path):
    modules = {module for module, _ in imports_of(path)}
    assert "flint" not in modules or path.parent.name == "exact"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_optional_and_slow_packages_are_imported_where_used(path):
    slow = {"matplotlib", "onnx", "torch", "keras", "sklearn", "dask", "onnxruntime", "pyarrow", "scipy"}
    for module, at_top in imports_of(path):
        assert not (at_top and module.split(".")[0] in slow), f"{module} at the top of {path.name}"


def test_importing_symbinv_leaves_the_slow_packages_alone():
    code = (
        "import sys, symbinv; "
        "print([m for m in ('matplotlib', 'scipy.optimize', 'scipy.special', 'typer', 'onnx') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_module_is_named_after_nothing():
    vague = {"utils", "helpers", "common", "core", "misc"}
    assert not [p for p in FILES if p.stem in vague]


def test_foreign_text_is_never_executed():
    forbidden = re.compile(r"(?<![\w.])(eval|exec|pickle\.loads?)\(|(?<!\w)sympify\(")
    found = [
        f"{p.name}: {line.strip()}"
        for p in FILES
        for line in p.read_text(encoding="utf-8").splitlines()
        if forbidden.search(line) or "allow_pickle=True" in line
    ]
    assert not found


def test_the_public_names_exist_and_are_documented():
    import symbinv

    for name in symbinv.__all__:
        thing = getattr(symbinv, name)
        assert not callable(thing) or thing.__doc__, name
