"""A producer that is closed with what it holds: records fail, and nothing is logged."""

import asyncio

import pytest
from aiokafka.errors import ProducerClosed
from aiokafka.structs import TopicPartition

from services.runtime.kafka.compat.abortable_producer import RelayProducer

WHERE = TopicPartition("orders.commands", 0)


@pytest.mark.parametrize("times_sent", [0, 1, 2])
async def test_abort_fails_a_record_that_waits_to_be_sent_again_and_logs_nothing(times_sent):
    logged = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: logged.append(context))
    producer = RelayProducer(bootstrap_servers="127.0.0.1:1")
    accumulator = producer._message_accumulator
    record = await accumulator.add_message(WHERE, b"key", b"value", timeout=1)
    for _ in range(times_sent):
        accumulator.reenqueue(accumulator._pop_batch(WHERE))

    await producer.abort()
    await asyncio.sleep(0)

    assert isinstance(record.exception(), ProducerClosed)
    assert logged == []
