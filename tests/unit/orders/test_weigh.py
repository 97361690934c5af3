"""The weight of a record bounds its batch: not less than the orders, or scans, that it holds."""

from types import SimpleNamespace

import orjson
import pytest

from schemas.example_files import load_examples
from services.orders.messages.carriers.registry import DIALECTS, OWN
from services.orders.messages.decode import weigh

TRACKING = load_examples("tracking.reported")
BULK = load_examples("orders.fulfill_bulk")


def record_of(body):
    return record_with(orjson.dumps(body))


def record_with(value, type_=None):
    headers = (("ce_id", b"1"), *([("ce_type", type_.encode())] if type_ else []))
    return SimpleNamespace(value=value, headers=headers)


@pytest.mark.parametrize("example", TRACKING, ids=lambda example: example.case)
def test_weight_of_tracking_is_not_less_than_its_scans(example):
    assert weigh(record_of(example.value)) >= len(example.value["scans"])


@pytest.mark.parametrize("example", BULK, ids=lambda example: example.case)
def test_weight_of_a_bulk_command_is_not_less_than_its_items(example):
    assert weigh(record_of(example.value)) >= len(example.value["items"])


def test_weight_is_one_at_least():
    assert weigh(record_with(None)) == weigh(record_with(b"{}")) == 1


@pytest.mark.parametrize(("type_", "form"), OWN.items())
def test_weight_counts_the_scans_of_our_own_form(type_, form):
    assert weigh(record_with(form.scan_mark * 40, type_)) == 40
    assert weigh(record_with(form.scan_mark * 40)) == 40


DIALECT_MARKS = [
    (type_, mark) for each in DIALECTS.values() for type_ in each.types for mark in each.scan_marks
]


@pytest.mark.parametrize(("type_", "mark"), DIALECT_MARKS)
def test_weight_counts_the_scans_of_each_dialect(type_, mark):
    assert weigh(record_with(mark * 40, type_)) >= 40
    assert weigh(record_with(mark * 40)) >= 40
