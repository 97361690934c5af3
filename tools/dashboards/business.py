"""The page of the business: how many orders there are, and how their deliveries go."""

from __future__ import annotations

from typing import Any

from services.runtime.observability.metrics import GAUGES
from tools.dashboards.panels import ELSE_0, Limit, Query, Row, graph, number, page

_LABELS = {spec.name: [name for name in spec.labels if name != "service"] for spec in GAUGES}
_ON_THE_WAY = 'phase=~"in_transit|in_delivery|delivery_failed|collect"'
_PROMISED = 'on_time=~"early|on_time|late"'


def business() -> dict[str, Any]:
    """The page as JSON."""
    return page(
        "orderflow-business",
        "Orderflow: orders and deliveries",
        "Orders, parcels, deliveries and claims of all shops, as `orderflow report` has them.",
        [_glance(), _orders(), _punctuality(), _claims()],
        ("namespace",),
    )


def total(metric: str, by: str = "", matchers: str = "", over: str = "") -> str:
    """The sum of a gauge of the business, `orderflow_<metric>`, by a label or over all.

    Each replica of analytics has the gauge in full, so the replicas' maximum is taken first. `over`
    is a time such as `1h`: the growth in that time; a rebuild, which begins at 0, is no growth.
    """
    selected = f"orderflow_{metric}{{@figures{', ' if matchers else ''}{matchers}}}"
    if over:
        selected = f"clamp_min(delta({selected}[{over}]), 0)"
    once = f"max by ({', '.join(['cluster', 'namespace', *_LABELS[metric]])}) ({selected})"
    return f"sum by ({by}) ({once})" if by else f"sum({once})"


def _late_share(over: str = "") -> str:
    late = total("known_deliveries", matchers='on_time="late"', over=over)
    return f"{late} / {total('known_deliveries', matchers=_PROMISED, over=over)}"


def _glance() -> Row:
    return Row(
        "At a glance",
        [
            number("Orders", "Orders that were placed, of all time.", total("known_orders")),
            number(
                "New orders",
                "Orders of the last 24 hours; 0 until Prometheus has two values of them.",
                f"{total('known_orders', over='1d')} {ELSE_0}",
            ),
            number(
                "On the way",
                "Parcels that a carrier has and that are not delivered.",
                total("known_parcels", matchers=_ON_THE_WAY),
            ),
            number(
                "Delivered", "Parcels that were delivered, of all time.", total("known_deliveries")
            ),
            number(
                "Late",
                "Share of deliveries after the promised day, of those that have one.",
                _late_share(),
                unit="percentunit",
            ),
            number(
                "Overdue",
                "Parcels whose promised day is over everywhere, and that are neither delivered nor "
                "on their way back; of the last 60 days.",
                total("parcels_overdue"),
            ),
            number(
                "Pending claims",
                "Claims that no decision was made on.",
                total("known_claims", matchers='status="pending"'),
            ),
            number(
                "Age of these figures",
                "Age of the oldest event that analytics has not read: figures lack what is newer.",
                'max(orderflow_lag_seconds{@figures, service="analytics"})',
                unit="s",
                limit=Limit(60, "OrderflowLagGrows"),
            ),
        ],
    )


def _orders() -> Row:
    return Row(
        "Orders and parcels",
        [
            graph(
                "Orders by status",
                "Orders by where they are.",
                Query(total("known_orders", "status"), "{{status}}"),
                is_stacked=True,
            ),
            graph(
                "Parcels by phase",
                "Parcels with a tracking number by where they are, without returns.",
                Query(total("known_parcels", "phase", 'direction="delivery"'), "{{phase}}"),
                is_stacked=True,
            ),
            graph(
                "Returns by phase",
                "Parcels from customers back to shops, by where they are.",
                Query(total("known_parcels", "phase", 'direction="return"'), "{{phase}}"),
                is_stacked=True,
            ),
            graph(
                "New in an hour",
                "Orders placed, parcels delivered and claims opened in the hour before.",
                Query(f"{total('known_orders', over='1h')} {ELSE_0}", "orders"),
                Query(f"{total('known_deliveries', over='1h')} {ELSE_0}", "deliveries"),
                Query(f"{total('known_claims', over='1h')} {ELSE_0}", "claims"),
                span=24,
            ),
        ],
    )


def _punctuality() -> Row:
    return Row(
        "Punctuality",
        [
            graph(
                "Deliveries",
                "Parcels delivered, against the promised day: of all time, by the destination's "
                "calendar; unknown: no day was promised.",
                Query(total("known_deliveries", "on_time"), "{{on_time}}"),
                is_stacked=True,
            ),
            graph(
                "Share of late deliveries",
                "Deliveries after the promised day, of those that have one.",
                Query(_late_share(), "of all time"),
                Query(_late_share("1d"), "of 24 hours"),
                unit="percentunit",
            ),
            graph(
                "Overdue parcels",
                "Parcels of the last 60 days whose promised day is over everywhere, and that are "
                "neither delivered nor on their way back.",
                Query(total("parcels_overdue"), "overdue"),
            ),
        ],
    )


def _claims() -> Row:
    return Row(
        "Claims",
        [
            graph(
                "Claims by status",
                "Claims by where they are.",
                Query(total("known_claims", "status"), "{{status}}"),
                is_stacked=True,
            ),
            graph(
                "Claims by reason",
                "Claims by what customers claim.",
                Query(total("known_claims", "reason"), "{{reason}}"),
                is_stacked=True,
            ),
            graph(
                "Claims for 1,000 deliveries",
                "Claims of all time for each 1,000 parcels that were delivered.",
                Query(f"1000 * {total('known_claims')} / {total('known_deliveries')}", "claims"),
            ),
        ],
    )
