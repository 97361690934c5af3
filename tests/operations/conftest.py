"""Tests with the programs that others run Orderflow with: `make operations-test` installs them."""

from pathlib import Path

import pytest

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test below this folder `operations`: `make test` runs with Python alone."""
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.operations)
