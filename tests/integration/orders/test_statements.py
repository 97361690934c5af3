"""A batch costs a constant number of statements, whatever it holds and however much is stored."""

import pytest

from services.orders import unit_of_work
from services.runtime.batch.batch import Batch
from tests.e2e.poisoned import plant
from tests.integration.orders.conftest import NOW, a_cancel, a_record, a_report, an_upsert


def a_mixed_batch(count, start=0):
    """Every kind of item: new, changed, fulfilled, scanned, waiting, refused and malformed."""
    numbers = [f"{n:04}" for n in range(start, start + count)]
    return (
        *(an_upsert(n, trackings=[f"T{n}"], external_id=f"e-{n}") for n in numbers),
        *(a_report(f"T{n}") for n in numbers),
        *(a_report(f"UNOWNED{n}") for n in numbers),
        *(a_cancel(f"e-{n}", "external_id") for n in numbers),
        *(a_cancel(f"absent-{n}") for n in numbers),
        *(a_cancel(f"absent-{n}", "external_id") for n in numbers),
        *(an_upsert(f"many-{n}", expected_number_of_shipments=101) for n in numbers),
        *(a_record("order.upsert", b"{") for n in numbers),
    )


@pytest.fixture
def count_statements(pool, orders):
    """Applies a batch and lists what it sends to Postgres."""

    async def run(records):
        sent = []
        async with pool.acquire() as connection:
            with connection.query_logger(lambda query: sent.append(query.query)):
                async with connection.transaction():
                    await orders.apply(connection, Batch(records, NOW))
        return [each for each in sent if not (is_of_the_driver(each) or is_a_look(each))]

    return run


def is_of_the_driver(statement):
    """What asyncpg asks once per connection and type, and the transaction itself."""
    return "typeinfo" in statement or "'jit'" in statement or statement in ("BEGIN;", "COMMIT;")


def is_a_look(statement):
    """What the outbox asks once a second, however many batches there are."""
    return statement.startswith(("-- find_service\n", "-- count_old_relays\n"))


async def test_batch_of_a_thousand_sends_as_many_statements_as_a_batch_of_one(
    count_statements,
):
    one = await count_statements(a_mixed_batch(1))

    thousand = await count_statements(a_mixed_batch(125, start=1))

    assert len(a_mixed_batch(125)) == 1000
    assert len(thousand) == len(one)
    assert len(one) <= 11


async def test_shared_names_cost_one_statement_whatever_their_number(count_statements):
    def a_batch(count, start):
        numbers = range(start, start + count)
        by_name = [{"id": f"#{n}", "id_type": "order_name"} for n in numbers]
        return (
            *(an_upsert(f"{at}-{n}", order_name=f"#{n}") for n in numbers for at in "ab"),
            *(a_record("order.cancel", {"shop_slug": "demo-shop"} | each) for each in by_name),
        )

    one = await count_statements(a_batch(1, 0))
    hundred = await count_statements(a_batch(100, 1))
    ordinary = await count_statements([an_upsert("c", order_name="#c")])

    assert len(hundred) == len(one)
    assert sum(each.startswith("-- save_bearers\n") for each in hundred) == 1
    assert not any("save_bearers" in each for each in ordinary)


async def test_nor_does_parking_cost_more_statements_for_more_items(
    count_statements, orders, monkeypatch
):
    monkeypatch.setattr(unit_of_work, "decide", plant(unit_of_work, lambda: False))

    def a_poisoned_batch(count, start):
        numbers = [f"{n:04}" for n in range(start, start + count)]
        poison = [an_upsert(f"p-{n}", email_id="POISON@mail.example") for n in numbers]
        behind = [a_cancel(f"p-{n}") for n in numbers]
        return (*a_mixed_batch(count, start), *poison, *behind)

    await count_statements(a_poisoned_batch(1, 0))  # From here on something is parked.
    one = await count_statements(a_poisoned_batch(1, 1))
    many = await count_statements(a_poisoned_batch(100, 2))

    assert len(many) == len(one)
    assert len(one) <= 18
