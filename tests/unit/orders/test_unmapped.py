"""Unmapped codes are counted by carrier, with few labels."""

import pytest

from services.orders.domain.tracking.unknown_code import UnknownCode
from services.orders.messages.carriers.code_maps import KEYS
from services.orders.messages.carriers.registry import DIALECTS
from services.orders.unmapped import OTHER, count
from services.runtime.observability.metrics import Metrics


def counted(*code_sets):
    """The scans that are counted, by label."""
    metrics = Metrics()
    count(
        metrics,
        [UnknownCode(code_set=s, name="", code="X", number="1", text=None) for s in code_sets],
    )
    samples = metrics.unmapped_scans_total.collect()[0].samples
    return {s.labels["carrier"]: s.value for s in samples if s.name.endswith("_total")}


@pytest.mark.parametrize("name", sorted({key.key for key in KEYS} | DIALECTS.keys()))
def test_unmapped_scan_of_a_known_carrier_or_dialect_is_counted_by_it(name):
    assert counted(name, name) == {name: 2}


def test_unmapped_scans_of_unknown_carriers_have_one_label():
    assert counted("someone", "someone else") == {OTHER: 2}
