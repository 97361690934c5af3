"""Labels and days of the gauges of the business."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from services.analytics.figures import FIGURES, ORDER_STATUSES, PHASES, by_labels, overdue_days
from services.orders.domain.model.order import OrderStatus
from services.orders.domain.tracking.catalogue import Phase


def test_figures_know_the_words_of_the_orders_service() -> None:
    assert list(ORDER_STATUSES) == list(OrderStatus)
    assert list(PHASES) == list(Phase)


def test_figures_without_facts_are_0_for_each_combination_of_words() -> None:
    assert by_labels({}, (("a", "b"), ("c",))) == {
        ("a", "c"): 0,
        ("a", "other"): 0,
        ("b", "c"): 0,
        ("b", "other"): 0,
        ("other", "c"): 0,
        ("other", "other"): 0,
    }


def test_figures_count_words_that_are_not_known_as_other() -> None:
    facts = {("a", ""): 3, ("new", ""): 2, ("newer", ""): 1}

    assert by_labels(facts, (("a",),)) == {("a",): 3, ("other",): 3}


def test_figures_have_few_series() -> None:
    series = sum(len(by_labels({}, words)) for _, _, words in FIGURES)

    assert series < 100


@pytest.mark.parametrize(
    ("now", "today"),
    [
        pytest.param(datetime(2026, 3, 2, 11, 59, tzinfo=UTC), "2026-03-01", id="before-noon"),
        pytest.param(datetime(2026, 3, 2, 12, 0, tzinfo=UTC), "2026-03-02", id="noon-in-utc"),
        pytest.param(
            datetime(2026, 3, 2, 0, 0, tzinfo=timezone(-timedelta(hours=12))),
            "2026-03-02",
            id="midnight-in-the-last-zone",
        ),
    ],
)
def test_figures_overdue_days_end_where_a_day_ends_last(now: datetime, today: str) -> None:
    first, last = overdue_days(now)

    assert last == today
    assert (datetime.fromisoformat(last) - datetime.fromisoformat(first)).days == 60
