"""Where the shared networks lie, and how a test that needs them skips."""

import pathlib

import pytest

DATA = pathlib.Path(__file__).resolve().parents[3] / ".." / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is absent")


def trained(pattern: str) -> list[pathlib.Path]:
    return sorted((DATA / "trained").glob(pattern)) if DATA.is_dir() else []
