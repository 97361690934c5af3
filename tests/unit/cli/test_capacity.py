"""`orderflow capacity`: more never needs less, limits are said, and pages quote the same costs."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from orderflow.capacity.costs import load_costs
from orderflow.capacity.load import ImpossibleLoad, Load
from orderflow.capacity.plan import (
    BUSY,
    POSTGRES_PER_SECOND,
    Plan,
    cpu_of_an_order,
    plan,
)
from orderflow.capacity.screen import COLUMNS, count, size
from orderflow.capacity.warnings import warnings_of
from orderflow.main import app
from services import registry
from services.runtime.config.settings import Settings

COSTS = load_costs()
LOAD = Load(
    orders_per_day=100_000,
    commands_per_order=2.4,
    parcels_per_order=1.2,
    scans_per_parcel=4.1,
    claims_per_order=0.1,
    peak_factor=10.0,
    growth=2.0,
    kept_days=365,
    replication=3,
    brokers=3,
    processes=1,
    subscribers=1,
    webhooks_per_event=1.0,
    over_http=1.0,
)
LARGEST_OF_ONE_GROUP = int(POSTGRES_PER_SECOND / LOAD.counts["messages"] / 10 * 86_400)
GROWING = (
    ("commands_per_order", 8.0),
    ("parcels_per_order", 3.0),
    ("scans_per_parcel", 12.0),
    ("claims_per_order", 1.0),
    ("peak_factor", 20.0),
    ("kept_days", 730),
    ("replication", 3),
    ("subscribers", 5),
    ("webhooks_per_event", 4.0),
)


def sizes(found: Plan) -> dict[str, float]:
    """Every number of a plan that must not fall when the load grows."""
    services = {f"{name} processes": float(one.processes) for name, one in found.services.items()}
    return services | {
        "partitions": found.partitions,
        "postgres cores": found.postgres.cores,
        "postgres disk": found.postgres.disk_bytes,
        "wal": found.postgres.wal_bytes_per_day,
        "max_connections": found.postgres.max_connections,
        "kafka cores": found.kafka.cores,
        "kafka disk": found.kafka.disk_bytes_per_broker,
        "kafka in": found.kafka.in_bytes_per_second,
        "kafka out": found.kafka.out_bytes_per_second,
    }


def assert_no_less(more: Plan, less: Plan) -> None:
    smaller = sizes(less)
    fallen = {
        name: (smaller[name], now) for name, now in sizes(more).items() if now < smaller[name]
    }
    assert fallen == {}


orders = st.integers(1, LARGEST_OF_ONE_GROUP)


@given(first=orders, second=orders)
def test_capacity_of_more_orders_is_never_less(first, second) -> None:
    less, more = sorted((first, second))

    assert_no_less(
        plan(replace(LOAD, orders_per_day=more), COSTS),
        plan(replace(LOAD, orders_per_day=less), COSTS),
    )


@pytest.mark.parametrize(("name", "value"), GROWING)
@given(number=st.integers(1, LARGEST_OF_ONE_GROUP // 20))
def test_capacity_of_larger_orders_is_never_less(name, value, number) -> None:
    load = replace(LOAD, orders_per_day=number)

    assert_no_less(plan(replace(load, **{name: value}), COSTS), plan(load, COSTS))


@given(number=st.integers(1, 10**11), processes=st.integers(1, 8))
def test_capacity_has_a_partition_and_a_shard_for_each_process(number, processes) -> None:
    found = plan(replace(LOAD, orders_per_day=number, processes=processes), COSTS)
    consumers = [found.services[name] for name in registry.consumers()]

    assert all(found.partitions >= one.processes * LOAD.growth for one in consumers)
    assert all(one.processes == one.replicas * processes for one in consumers)
    assert int(found.settings["ORDERFLOW_OUTBOX_SHARDS"]) >= found.services["orders"].processes


@given(number=st.integers(1, 10**11))
def test_capacity_of_processes_carries_the_peak_of_its_group(number) -> None:
    load = replace(LOAD, orders_per_day=number)
    found = plan(load, COSTS)

    for name, one in found.services.items():
        needed = load.orders_per_second / found.groups * one.cpu_us_per_order / 1e6
        assert one.processes * BUSY >= needed * (1 - 1e-9), name


@given(number=st.integers(1, 10**11))
def test_capacity_divides_shops_where_one_primary_is_not_enough(number) -> None:
    found = plan(replace(LOAD, orders_per_day=number), COSTS)
    said = " ".join(warnings_of(LOAD, COSTS, found))

    assert found.messages_per_second / found.groups <= POSTGRES_PER_SECOND * (1 + 1e-9)
    assert ("groups of shops" in said) is (found.groups > 1)


def test_capacity_knows_every_service() -> None:
    assert set(plan(LOAD, COSTS).services) == set(registry.names())


def test_capacity_sets_settings_that_the_services_take() -> None:
    given_by_variable = {
        name.lower().removeprefix("orderflow_"): value
        for name, value in plan(LOAD, COSTS).settings.items()
    }

    settings = Settings(
        **given_by_variable, database_url="postgresql://localhost/x", kafka_bootstrap_servers="x:1"
    )

    assert settings.outbox_shards >= 8


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"orders_per_day": 2 * LARGEST_OF_ONE_GROUP}, "2 groups of shops"),
        ({"orders_per_day": 50_000_000}, "was not tried"),
        ({"scans_per_parcel": 40.0}, "in proportion"),
        ({"peak_factor": 1.5}, "expect a backlog each day"),
        ({"orders_per_day": LARGEST_OF_ONE_GROUP, "growth": 100.0}, "less --growth"),
        (
            {"orders_per_day": LARGEST_OF_ONE_GROUP, "webhooks_per_event": 40.0},
            "connections to one Postgres",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_capacity_warns_where_it_leaves_what_was_measured(change, said) -> None:
    load = replace(LOAD, **change)

    assert said in " ".join(warnings_of(load, COSTS, plan(load, COSTS)))


def test_capacity_of_a_usual_load_has_no_warning() -> None:
    assert list(warnings_of(LOAD, COSTS, plan(LOAD, COSTS))) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"replication": 5}, "--brokers 5"),
        ({"messages_per_order": 1.0}, "fewer --commands-per-order"),
        ({"peak_factor": math.nan}, "finite number"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_capacity_refuses_values_that_contradict_each_other(change, said) -> None:
    with pytest.raises(ImpossibleLoad, match=said):
        replace(LOAD, **change)


def test_capacity_takes_messages_of_an_order_as_one_number() -> None:
    apart = replace(LOAD, parcels_per_order=1.0, scans_per_parcel=7.6)
    together = replace(LOAD, messages_per_order=10.0)

    assert cpu_of_an_order(together, COSTS) == cpu_of_an_order(apart, COSTS)


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 KB"), (1.5e9, "1.5 GB"), (2e18, "2,000.0 PB")],
)
def test_size_has_the_unit_in_which_it_is_short(number, shown) -> None:
    assert size(number) == shown


@pytest.mark.parametrize(
    ("number", "shown"), [(0.4, "0"), (9_999, "9,999"), (12_345, "12 k"), (1e9, "1,000 M")]
)
def test_count_is_rounded_where_it_is_large(number, shown) -> None:
    assert count(number) == shown


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["capacity", *arguments])


def test_capacity_prints_at_most_80_columns_and_a_last_line_for_scripts() -> None:
    shown = run("--orders-per-day", "40000000000", "--peak-factor", "1")

    assert shown.exit_code == 0, shown.output
    assert max(map(len, shown.stdout.splitlines())) <= COLUMNS
    assert shown.stdout.splitlines()[-1].startswith("capacity: messages_per_s=")


def test_capacity_prints_all_of_it_as_json() -> None:
    shown = json.loads(run("--orders-per-day", "100000", "--json").stdout)

    assert shown["load"]["orders_per_day"] == 100_000
    assert set(shown["plan"]) == set(Plan.__dataclass_fields__)
    assert shown["sources"] == list(COSTS.sources)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--orders-per-day", "0"), "greater than or equal"),
        (("--orders-per-day", "10", "--replication", "4"), "--brokers 4"),
        (("--orders-per-day", "10", "--peak-factor", "nan"), "--peak-factor"),
        ((), "Missing option"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_capacity_ends_with_a_sentence_for_what_cannot_be(arguments, said) -> None:
    shown = run(*arguments)

    assert shown.exit_code == 2
    assert said in " ".join(shown.stderr.split())
