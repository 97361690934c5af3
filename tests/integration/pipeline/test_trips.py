"""The statements that one batch sends to Postgres, from its beginning to its commit."""

from contextlib import asynccontextmanager

import pytest

from tests.integration.pipeline.commands import Command
from tests.integration.pipeline.log import Log
from tests.integration.pipeline.messages import Message
from tests.integration.pipeline.process import Process

# What the outbox asks once a second.
LOOKS = {"find_service", "count_old_relays"}
FETCHES = "(Kafka is fetched from again)"


class Listening(Process):
    """Notes the names of the statements that its connections send."""

    def __init__(self, stage, log):
        super().__init__(stage, log)
        self.log = log
        self.sent = []
        self._consumer.poll_monitor.bind(lambda: self.sent.append(FETCHES))

    @asynccontextmanager
    async def acquire(self):
        async with super().acquire() as connection:
            with connection.query_logger(lambda sent: self.sent.append(name_of(sent.query))):
                yield connection


def name_of(statement):
    """As `load` writes it in the first line."""
    return statement.splitlines()[0].removeprefix("-- ")


@pytest.fixture
def process(stage):
    """A process that listens to itself."""
    stage.empty()
    return Listening(stage, Log(2))


@pytest.fixture
def send(stage, process):
    """Applies commands as one batch of two partitions; returns the statements that it sent."""
    log = process.log
    stage.run(process.assign(log.partitions))

    def one_batch(*commands):
        for command in commands:
            message = Message((command,), f"{command.kind}-{command.order}")
            partition = log.partitions[int(command.order) % 2]
            log.append(partition, message.key, message.value, message.headers, 1_772_366_400_000)
        process.poll(most=10)
        process.sent.clear()
        stage.run(process.handle())
        return [each for each in process.sent if each not in {*LOOKS, FETCHES}]

    one_batch(a_place("1"))  # What the driver asks once a connection is asked here.
    return one_batch


def a_place(order):
    return Command("place", order, "Berlin")


def test_batch_of_new_orders_takes_seven_round_trips(send, stage):
    read = ["BEGIN;", "lock_positions", "lock_batch", "lock_books"]
    trips = [*read, "save_rows", "append_rows", "COMMIT;"]

    assert send(a_place("2")) == trips
    assert send(a_place("3"), a_place("4")) == trips

    assert stage.run(stage.positions()) == {0: 2, 1: 2}
    assert len(stage.run(stage.facts()).events) == 4


def test_batch_without_outgoing_records_stores_its_position(send, stage):
    sent = send(Command("cancel", "7", "why"))

    assert "append_rows" not in sent
    assert sent[-2:] == ["move_positions", "COMMIT;"]
    assert stage.run(stage.positions()) == {0: 0, 1: 2}


def test_fetch_begins_beside_the_commit(send, process):
    send(a_place("2"))

    assert process.sent.count(FETCHES) == 1
    assert process.sent.index(FETCHES) < process.sent.index("COMMIT;")
