"""What all tests share: where the real networks lie, and the flag that rewrites golden files."""

import pathlib

import pytest

DATA = pathlib.Path(__file__).resolve().parents[1] / ".." / "shared" / "data"


def pytest_addoption(parser):
    parser.addoption("--update", action="store_true", help="rewrite the golden derivations")


@pytest.fixture
def data():
    if not DATA.is_dir():
        pytest.skip("../shared/data is absent")
    return DATA


@pytest.fixture
def update(request):
    return request.config.getoption("--update")
