"""The weight of a record bounds its batch: not less than the orders, or scans, that it holds."""

from types import SimpleNamespace

import orjson
import pytest

from schemas.example_files import load_examples
from services.orders.messages.carriers import DIALECTS
from services.orders.messages.decode import weigh

TRACKING = load_examples("tracking.reported")
BULK = load_examples("orders.fulfill_bulk")


def record_of(body):
    return SimpleNamespace(value=orjson.dumps(body))


@pytest.mark.parametrize("example", TRACKING, ids=lambda example: example.case)
def test_weight_of_tracking_is_not_less_than_its_scans(example):
    assert weigh(record_of(example.value)) >= len(example.value["scans"])


@pytest.mark.parametrize("example", BULK, ids=lambda example: example.case)
def test_weight_of_a_bulk_command_is_not_less_than_its_items(example):
    assert weigh(record_of(example.value)) >= len(example.value["items"])


def test_weight_is_one_at_least():
    assert weigh(SimpleNamespace(value=None)) == weigh(SimpleNamespace(value=b"{}")) == 1


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.__name__)
def test_weight_counts_the_scans_of_each_dialect(dialect):
    assert weigh(SimpleNamespace(value=dialect.SCAN_MARK * 40)) == 40
