"""P5 for folded scans: the kept scans on top of the fold give what all scans give (rule 3b)."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.orders.domain.tracking.fold import fold_in
from services.orders.domain.tracking.replay import replay
from services.orders.domain.tracking.scan import Scan
from services.orders.domain.tracking.state import ScanStep
from tests.unit.orders.builders import HOUR, NOON
from tests.unit.orders.histories import IDS, LATER, NAMES, drawn_scan, in_order

MANY = settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow])
PICK_UPS_AFTER_ENDS = st.sampled_from(
    ["SUCCESSFULLY_DELIVERED", "PICKED_UP_BY_CARRIER"] * 3
    + ["UNMAPPED", "SORTED", "OUT_FOR_DELIVERY"]
)
HOURS_APART = st.sampled_from([0, 0.2, 0.5, 0.7, 1.2, 5, 11, 12.5, 13, 25])
MINUTES_APART = st.sampled_from([0.05, 0.1, 0.3])


@st.composite
def ordered_scans(draw: st.DrawFn) -> list[Scan]:
    """Scans in the order of rule 8, none of which is retracted; in one half all are soon after."""
    names, apart = draw(
        st.sampled_from([(NAMES, HOURS_APART), (PICK_UPS_AFTER_ENDS, MINUTES_APART)])
    )
    found, at = [], NOON
    for _ in range(draw(st.integers(3, 25))):
        at += draw(apart) * HOUR
        found.append(drawn_scan(draw, names, at, **draw(IDS)))
    return in_order(found)


def results(steps: Sequence[ScanStep]) -> list[tuple[object, ...]]:
    return [(step.scan, step.rule, step.effects, step.state) for step in steps]


@MANY
@given(ordered_scans(), st.lists(st.tuples(st.integers(1, 4), st.integers(0, 3)), max_size=8))
def test_kept_scans_on_top_of_the_fold_give_what_all_scans_give(scans, cuts):
    """`cuts` are pairs: how many scans are folded, and how many are known behind these then."""
    fold, count = None, 0
    for folded, known in cuts:
        if count + folded > len(scans):
            break
        end = count + folded
        fold = fold_in(fold, scans[count:end], scans[end : end + known])
        count = end

    whole, kept = replay(scans, LATER), replay(scans[count:], LATER, fold=fold)

    assert results(kept.steps) == results(whole.steps[count:])
    assert kept.state == whole.state
    assert fold is None or fold.count == count
