"""The gate on groups of event names: a name may gain one, and may not lose or change one."""

import pytest

from schemas.gate.breaks import Rule
from schemas.gate.words import _word


@pytest.mark.parametrize(
    ("before", "now", "breaks"),
    [
        ("in_transit / none", "in_transit / shipment_failed", 0),
        ("in_transit / none", "delivered / shipment_failed", 1),
        ("in_transit / shipment_failed", "in_transit / none", 1),
        ("in_transit / shipment_damaged", "in_transit / shipment_failed", 1),
        ("in_transit / none", "gone", 1),
    ],
)
def test_event_name_may_gain_a_group_and_change_nothing_else(before, now, breaks):
    assert len(list(_word("LOST", before, now, Rule.EVENT_NAME))) == breaks
