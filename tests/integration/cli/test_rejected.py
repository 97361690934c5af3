"""`orderflow rejected`: what was refused is found, shown whole, and sent again once."""

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from services.runtime.config.settings import Settings
from services.runtime.messages.records import Coordinates, Original
from services.runtime.postgres.connections import connect
from tests.integration.orders.conftest import a_cancel, a_record, an_upsert
from tests.integration.outgoing import waiting_records

from .conftest import LATE, NOW, Run

WHY = ("--why", "the shop was late", "--by", "ana")
pytestmark = pytest.mark.usefixtures("topics", "service")


@pytest.fixture
def sent(stack: Any, topic_prefix: str) -> Callable[[], list[Original]]:
    """All that lies on `orders.commands` in Kafka, as the service would read it."""

    async def read() -> list[Original]:
        topic = f"{topic_prefix}orders.commands"
        consumer = AIOKafkaConsumer(bootstrap_servers=stack.kafka_bootstrap_servers)
        await consumer.start()
        partitions = [TopicPartition(topic, number) for number in range(3)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        found = []
        while any([await consumer.position(p) < end for p, end in ends.items()]):
            batches = await consumer.getmany(timeout_ms=200)
            found += [record for batch in batches.values() for record in batch]
        await consumer.stop()
        return [
            Original(
                Coordinates("orders.commands", r.partition, 1_000 + r.offset),
                r.key,
                tuple(r.headers),
                r.value,
                NOW,
            )
            for r in found
        ]

    return lambda: asyncio.run(read())


@pytest.fixture
def outcomes(service: Settings) -> Callable[[], list[tuple[Any, ...]]]:
    """Outcomes in the outbox: command id, index, outcome, reason."""

    async def read() -> list[tuple[Any, ...]]:
        connection = await connect(service, "orders")
        found = await waiting_records(connection)
        await connection.close()
        bodies = [json.loads(value) for topic, _, value in found if topic == "orders.outcomes"]
        return [(b["command_id"], b["index"], b["outcome"], b["reason"]) for b in bodies]

    return lambda: asyncio.run(read())


def a_bulk(*ids: str, ce_id: str | None = None) -> Original:
    """An `orders.fulfill_bulk` of one item for each order number."""
    items = [{"id": id_, "trackings": [{"tracking_number": f"1Z{id_}"}]} for id_ in ids]
    body = {"shop_slug": "demo-shop", "items": items}
    return a_record("orders.fulfill_bulk", body, ce_id=ce_id, key=b"demo-shop")


def place_of(run: Run, *filters: str) -> str:
    """The record that one refused item came from."""
    (line,) = run("rejected", "list", "--json", *filters).stdout.splitlines()
    item = json.loads(line)
    return f"{item['topic']}/{item['partition']}/{item['offset']}"


def test_rejected_list_is_filtered_and_newest_first(run: Run, work: Callable[..., None]) -> None:
    work(a_record("order.upsert", b"nonsense", key=b"demo-shop/7"), a_cancel("8", ce_id="c-8"))
    work(sweep=True)

    everything = run("rejected", "list")
    newest = run("rejected", "list", "--limit", "1", "--json")

    assert everything.exit_code == 0, everything.output
    assert everything.stdout.splitlines()[-1] == "rejected: shown=2"
    assert json.loads(newest.stdout)["reason"] == "order_not_found"
    for filters, reason in (
        (("--reason", "order_not_found"), "order_not_found"),
        (("--source", "/shops/demo-shop"), "order_not_found"),
        (("--key", "demo-shop/7"), "not_json"),
        (("--order", "demo-shop/8"), "order_not_found"),
        (("--order", "demo-shop/7"), "not_json"),
        (("--since", LATE.isoformat()), "order_not_found"),
        (("--until", LATE.isoformat()), "not_json"),
    ):
        (line,) = run("rejected", "list", "--json", *filters).stdout.splitlines()
        assert json.loads(line)["reason"] == reason, filters
    for filters in (("--service", "claims"), ("--topic", "carrier.tracking"), ("--since", "1h")):
        assert run("rejected", "list", "--json", *filters).stdout == "", filters


def test_rejected_list_finds_an_order_among_bulk_items(run: Run, work: Callable[..., None]) -> None:
    work(a_bulk("1", "2", "12"))
    work(sweep=True)

    found = run("rejected", "list", "--order", "demo-shop/2", "--json").stdout.splitlines()

    assert [json.loads(line)["index"] for line in found] == [1]


def test_rejected_show_has_fields_headers_and_value(run: Run, work: Callable[..., None]) -> None:
    body = {"shop_slug": "[red]", "id": 7}
    record = a_record("order.cancel", body, ce_id="c-1")
    work(record)
    at = str(record.coordinates)

    shown = run("rejected", "show", at)
    as_json = json.loads(run("rejected", "show", f"{at}#0", "--json").stdout)
    value = run("rejected", "show", at, "--value")

    assert shown.exit_code == 0, shown.output
    assert "/id: " in shown.stdout
    assert "ce_id: c-1" in shown.stdout
    assert '"shop_slug": "[red]"' in shown.stdout
    assert as_json["original"] == {"encoding": "utf-8", "value": json.dumps(body)}
    assert ["ce_id", "c-1"] in as_json["original_headers"]
    assert value.stdout_bytes == json.dumps(body).encode()


def test_rejected_show_names_the_rejected_items_when_another_is_asked_for(
    run: Run, work: Callable[..., None]
) -> None:
    record = a_bulk("1", "2")
    work(an_upsert("1"), record)
    work(sweep=True)

    missing = run("rejected", "show", f"{record.coordinates}#0")
    unknown = run("rejected", "resend", "orders.commands/0/999999", *WHY)
    wrong = run("rejected", "show", "orders.commands")

    assert (missing.exit_code, unknown.exit_code, wrong.exit_code) == (1, 1, 2)
    assert f"rejected was {record.coordinates}#1" in missing.stderr
    assert "nothing of that record" in unknown.stderr


def test_resend_publishes_a_rejected_command_unchanged_with_one_effect(
    run: Run,
    work: Callable[..., None],
    sent: Callable[[], list[Original]],
    outcomes: Callable[[], list[tuple[Any, ...]]],
) -> None:
    record = a_cancel("1", ce_id="c-1")
    work(record)
    work(sweep=True)
    work(an_upsert("1", ce_id="u-1"))

    once = run("rejected", "resend", str(record.coordinates), *WHY)
    twice = run("rejected", "resend", str(record.coordinates), *WHY)
    again = run("rejected", "resend", str(record.coordinates), *WHY, "--again")

    assert once.stdout.splitlines()[-1] == "rejected: resent=1 failed=0 sent_before=0"
    assert "resent=0 failed=0 sent_before=1 (--again" in twice.stdout
    assert again.stdout.splitlines()[-1] == "rejected: resent=1 failed=0 sent_before=0"
    first, second = sent()
    assert (first.value, first.key, first.headers) == (record.value, record.key, record.headers)
    assert first.coordinates.partition == record.coordinates.partition
    work(first, second)
    assert [outcome for outcome in outcomes() if outcome[0] == "c-1"] == [
        ("c-1", 0, "rejected", "order_not_found"),
        ("c-1", 0, "applied", None),
        ("c-1", 0, "no_change", "duplicate"),
    ]


def test_resend_publishes_only_rejected_items_of_a_bulk_command(
    run: Run,
    work: Callable[..., None],
    sent: Callable[[], list[Original]],
    outcomes: Callable[[], list[tuple[Any, ...]]],
) -> None:
    record = a_bulk("1", "2", "3")
    work(an_upsert("1", ce_id="u-1"), an_upsert("3", ce_id="u-3"), record)
    work(sweep=True)
    work(an_upsert("2", ce_id="u-2"))
    id_ = str(record.coordinates)

    run("rejected", "resend", id_, *WHY)
    run("rejected", "resend", id_, *WHY, "--again")

    copies = sent()
    assert [dict(copy.headers)["ce_onlyitems"] for copy in copies] == [b"1", b"1"]
    work(*copies)
    assert [outcome for outcome in outcomes() if outcome[0] == id_] == [
        (id_, 0, "applied", None),
        (id_, 2, "applied", None),
        (id_, 1, "rejected", "order_not_found"),
        (id_, 1, "applied", None),
        (id_, 1, "no_change", "duplicate"),
    ]


def test_resend_publishes_items_rejected_together_in_one_command(
    run: Run, work: Callable[..., None], sent: Callable[[], list[Original]]
) -> None:
    body = {"shop_slug": "demo-shop", "items": [{"id": 1}, {"id": "2"}, {"id": 3}]}
    record = a_record("orders.fulfill_bulk", body, ce_id="b-1")
    work(an_upsert("2"), record)

    result = run("rejected", "resend", "--topic", "orders.commands", *WHY)

    assert result.stdout.splitlines()[-1] == "rejected: resent=2 failed=0 sent_before=0"
    (copy,) = sent()
    assert copy.value == record.value
    assert dict(copy.headers)["ce_onlyitems"] == b"0,2"


def test_resend_dry_run_sends_and_records_nothing(
    run: Run, work: Callable[..., None], sent: Callable[[], list[Original]]
) -> None:
    record = a_cancel("1")
    work(record)
    work(sweep=True)

    tried = run("rejected", "resend", "--reason", "order_not_found", "--dry-run")

    assert tried.exit_code == 0, tried.output
    assert f"would send  {record.coordinates}  order.cancel" in tried.stdout
    assert tried.stdout.splitlines()[-1] == "rejected: would_resend=1 failed=0 sent_before=0"
    assert sent() == []
    assert run("acts", "--json").stdout == ""


def test_resend_checks_a_corrected_value_and_keeps_its_id(
    run: Run,
    work: Callable[..., None],
    sent: Callable[[], list[Original]],
    tmp_path: Path,
) -> None:
    record = a_record("order.cancel", {"shop_slug": "demo-shop", "id": 1}, ce_id="c-1")
    work(record)
    at, file = str(record.coordinates), tmp_path / "value.json"

    file.write_text('{"shop_slug": "demo-shop", "id": 2}')
    refused = run("rejected", "resend", at, *WHY, "--value-file", str(file))
    file.write_text('{"shop_slug": "demo-shop", "id": "1"}')
    accepted = run("rejected", "resend", at, *WHY, "--value-file", str(file))

    assert refused.exit_code == 1
    assert "/id: " in refused.stderr
    assert accepted.exit_code == 0, accepted.output
    (copy,) = sent()
    assert copy.value == file.read_bytes()
    assert dict(copy.headers)["ce_id"] == b"c-1"


def test_resend_is_recorded_with_actor_reason_and_destination(
    run: Run, work: Callable[..., None]
) -> None:
    record = a_cancel("1")
    work(record)
    work(sweep=True)
    run("rejected", "resend", "--all", *WHY)

    (line,) = run("acts", "--json").stdout.splitlines()
    act = json.loads(line)
    listed = json.loads(run("rejected", "list", "--json").stdout)

    assert (act["act"], act["actor"], act["reason"]) == (
        "rejected.resend",
        "ana",
        "the shop was late",
    )
    assert (act["topic"], act["offset"]) == ("orders.commands", record.coordinates.offset)
    assert re.fullmatch(r"orders\.commands/\d/\d+", act["detail"]["sent_to"])
    assert listed["resent"] == 1


def test_resend_that_kafka_refuses_is_reported_and_not_recorded(
    run: Run, work: Callable[..., None], tmp_path: Path
) -> None:
    record = a_cancel("1")
    work(record)
    work(sweep=True)
    file = tmp_path / "huge.json"
    file.write_bytes(b'"' + b"x" * 1_100_000 + b'"')

    options = ("--value-file", str(file), "--unchecked")
    result = run("rejected", "resend", str(record.coordinates), *WHY, *options)

    assert result.exit_code == 1
    assert f"failed  {record.coordinates}: " in result.stderr
    assert "resent=0 failed=1" in result.stdout
    assert run("acts", "--json").stdout == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "say why"),
        (WHY, "which? name items, or give a filter, or --all"),
        ((*WHY, "--topic", "nonsense"), "no topic nonsense"),
        ((*WHY, "--since", "yesterday"), "is no instant"),
        ((*WHY, "--service", "nobody"), "no service nobody"),
        ((*WHY, "--order", "1001"), "write SHOP/NUMBER"),
    ],
)
def test_rejected_commands_refuse_invalid_arguments(
    run: Run, arguments: tuple[str, ...], said: str
) -> None:
    result = run("rejected", "resend", *arguments)

    assert result.exit_code == 2
    assert said in result.stderr
