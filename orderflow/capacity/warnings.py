"""Where a plan leaves what was measured, or what one installation can be."""

from __future__ import annotations

from collections.abc import Iterator

from orderflow.capacity.costs import MESSAGES, Costs
from orderflow.capacity.load import Load
from orderflow.capacity.plan import MOST_PARTITIONS, POSTGRES_PER_SECOND, Plan

MANY_CONNECTIONS = 500
HOUR_FACTOR = 2.0
"""Orders of the busiest hour of a usual day for those of a mean hour (1,000 orders of Olist)."""


def warnings_of(load: Load, costs: Costs, plan: Plan) -> Iterator[str]:
    """Sentences for the operator, each with what to do."""
    if plan.groups > 1:
        yield (
            f"One primary carries some {POSTGRES_PER_SECOND:,} messages a second (reckoned). This "
            f"needs {plan.groups} groups of shops, each with a database, topics "
            "(KAFKA_TOPIC_PREFIX) and replicas of its own: docs/scale.md, step 5."
        )
    if plan.messages_per_second > costs.measured_per_second:
        yield (
            f"Measured were up to {costs.measured_per_second:,.0f} messages a second (two "
            "processes, both servers, two cores). All above that is reckoned, and was not tried."
        )
    if load.counts[MESSAGES] > costs.most_messages_per_order:
        yield (
            f"An order of the samples has up to {costs.most_messages_per_order:.1f} messages; "
            "bytes of orders with more are taken in proportion, and were not measured."
        )
    if load.peak_factor < HOUR_FACTOR:
        yield (
            f"A peak factor of {load.peak_factor:g} is less than the busiest hour of a usual day "
            f"has ({HOUR_FACTOR:g}): expect a backlog each day."
        )
    yield from _limits(plan)


def _limits(plan: Plan) -> Iterator[str]:
    if plan.partitions > MOST_PARTITIONS:
        yield (
            f"{plan.partitions:,} partitions are more than KAFKA_PARTITIONS takes "
            f"({MOST_PARTITIONS:,}): divide the shops into groups, or give less --growth."
        )
    if plan.postgres.connections > MANY_CONNECTIONS:
        yield (
            f"{plan.postgres.connections:,} connections to one Postgres: give claims, analytics "
            "and deliveries databases of their own (CLAIMS_DATABASE_URL and so on)."
        )
