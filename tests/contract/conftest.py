"""The released contract and a copy of it to be changed."""

from __future__ import annotations

from copy import deepcopy

import pytest

from schemas.gate import releases
from schemas.gate.contract import Contract


@pytest.fixture(scope="module")
def release():
    return releases.load()[0]


@pytest.fixture
def changed(release) -> Contract:
    """A copy of the released contract, to be changed as today's."""
    return deepcopy(release.contract)
