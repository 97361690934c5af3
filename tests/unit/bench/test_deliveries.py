"""The benchmark of deliveries: its events, its cases, and receivers that do what they are for."""

import asyncio
import json

import pytest

from bench.deliveries.cases import LATENCY, SHOP, THROUGHPUT
from bench.deliveries.events import TOPIC, event, id_of
from bench.deliveries.receivers import Receivers
from schemas.events import Event
from services.runtime.messages.records import validate

PORTS = {
    "healthy": [1001, 1002],
    "silent": [2001],
    "slow": [3001],
    "endless": [4001],
    "refused": [5001],
}
BODY = b'{"hello": 1}'


def a_request(path="/0-1", event_id="one"):
    """A request as webhooks get it."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nwebhook-id: {event_id}\r\nContent-Length: {len(BODY)}"
    )
    return head.encode() + b"\r\n\r\n" + BODY


@pytest.fixture
async def receivers():
    """One receiver of each kind."""
    async with Receivers(1, 1) as found:
        yield found


async def connected(receivers, kind):
    """A connection to a receiver."""
    [port] = receivers.ports[kind]
    return await asyncio.open_connection("127.0.0.1", port)


async def test_receiver_that_is_healthy_answers_and_notes_each_request(receivers):
    reader, writer = await connected(receivers, "healthy")

    whole = a_request() + a_request("/0-2", "two")
    writer.write(whole[:30])
    await writer.drain()
    writer.write(whole[30:])
    for _ in range(2):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 204 ")
    writer.close()

    assert await receivers.count() == 2
    taken = await receivers.take()
    assert [(each.event_id, each.path) for each in taken] == [("one", "/0-1"), ("two", "/0-2")]
    assert taken[0].at <= taken[1].at
    assert await receivers.take() == []


async def test_receiver_that_is_endless_sends_more_than_any_answer_has(receivers):
    reader, writer = await connected(receivers, "endless")
    writer.write(a_request())

    got = await reader.readexactly(1024 * 1024)

    assert b"Transfer-Encoding: chunked" in got[:200]
    writer.close()
    assert await receivers.count() == 0


async def test_receiver_that_is_slow_sends_a_first_byte_and_not_a_whole_line(receivers):
    reader, writer = await connected(receivers, "slow")
    writer.write(a_request())

    assert await reader.read(100) == b"H"
    writer.close()


async def test_receiver_that_is_silent_takes_requests_and_answers_none(receivers):
    silent_reader, silent = await connected(receivers, "silent")
    silent.write(a_request())
    await silent.drain()
    reader, writer = await connected(receivers, "healthy")
    writer.write(a_request())
    await reader.readuntil(b"\r\n\r\n")

    assert not silent_reader.at_eof()
    assert silent_reader._buffer == b""
    silent.close()
    writer.close()


async def test_port_that_refuses_has_no_receiver(receivers):
    with pytest.raises(ConnectionRefusedError):
        await connected(receivers, "refused")


def test_events_are_of_the_contract_two_of_each_order():
    letters = [event("demo-shop", number, "run") for number in range(4)]
    bodies = [json.loads(each.value) for each in letters]

    for each in bodies:
        validate(Event, each)
    assert TOPIC == "shipments.events"
    assert len({id_of(each) for each in letters}) == 4
    assert [each["sequence"] for each in bodies] == [1, 2, 1, 2]
    assert len({each["order_id"] for each in bodies}) == 2
    assert [each["event_id"] for each in bodies] == [id_of(each) for each in letters]


@pytest.mark.parametrize(
    "case", THROUGHPUT, ids=lambda case: f"{case.contender} {case.destinations}"
)
def test_throughput_case_has_as_many_deliveries_as_it_says(case):
    webhooks = case.webhooks(PORTS)

    assert len({(each.shop, each.name) for each in webhooks}) == case.destinations
    assert len({each.url.rpartition("/")[2] for each in webhooks}) == case.destinations
    assert case.events * case.destinations == case.deliveries * len(case.shops)


@pytest.mark.parametrize("case", LATENCY, ids=lambda case: case.name)
def test_latency_case_has_its_destinations_and_a_case_to_compare_with(case):
    bad = case.bad_webhooks(PORTS)

    assert len(case.webhooks(PORTS)) == case.healthy
    assert len({(each.shop, each.name) for each in bad}) == case.bad_count + case.idle
    assert not case.idle or SHOP not in {each.shop for each in bad}
    assert case.baseline in {each.name for each in LATENCY}
