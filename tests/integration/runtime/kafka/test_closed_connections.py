"""On uvloop, writing to a closed Kafka connection raises a connection error."""

import asyncio

import pytest
import uvloop
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest

from deploy.stack import Addresses
from services.runtime.kafka.compat import closed_connections


def test_closed_connection_does_not_end_the_refresh_of_metadata(
    stack: Addresses,
) -> None:
    async def break_and_refresh() -> bool:
        client = AIOKafkaClient(bootstrap_servers=stack.kafka_bootstrap_servers)
        await client.bootstrap()
        try:
            node = client.get_random_node()
            await client.ready(node)
            connection = await client._get_conn(node)
            connection._writer.transport.abort()
            await asyncio.sleep(0)  # One iteration: the transport is closed, its reader not yet.
            with pytest.raises(KafkaConnectionError, match="closed already"):
                await connection.send(MetadataRequest([]))
            return bool(await client.force_metadata_update())
        finally:
            await client.close()

    closed_connections.install()
    closed_connections.install()
    assert uvloop.run(break_and_refresh())
