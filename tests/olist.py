"""The Olist sample: a thousand real orders, whose files lie beside the checkout, never in it."""

import os
from pathlib import Path

import pytest

VARIABLE = "ORDERFLOW_TEST_OLIST_DIR"


def olist_folder() -> Path:
    """The sample's folder; without it a test fails in CI, and is skipped elsewhere."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data" / "olist-1000"
    folder = Path(os.environ.get(VARIABLE) or beside)
    if not folder.is_dir():
        missing = f"{folder} is not there: set {VARIABLE} to the sample's folder"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return folder
