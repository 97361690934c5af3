"""KAFKA_COMPRESSION_TYPE: what the broker keeps has the codec, and readers get what was sent."""

import json

import pytest

from tests.integration.runtime.conftest import WRITTEN, values
from tests.integration.runtime.kafka.wire_codecs import CODECS, fetch_batches

COUNT = 500


@pytest.fixture(params=CODECS)
def codec(request) -> str:
    """Each codec that the setting names."""
    return request.param


@pytest.fixture(params=["at_least_once", "exactly_once"])
async def settings(settings, codec, request):
    """Settings of a relay that compresses, in both ways of publishing."""
    return settings.model_copy(
        update={"kafka_compression_type": codec, "publication": request.param}
    )


async def test_the_relays_packets_lie_compressed_in_the_log(
    start, publish, read_all, settings, codec
):
    sent = values(COUNT)
    await publish(sent)
    await start()  # Afterwards, so that its batches are large.

    found = await read_all(COUNT)

    def number(value):
        return json.loads(value)["n"]

    assert sorted(found, key=number) == sent
    batches = await fetch_batches(
        settings.kafka_bootstrap_servers, settings.topic(WRITTEN), settings.kafka_partitions
    )
    # A packet of one short record does not get smaller, and is then sent as it is; the broker's
    # own markers, which end transactions, hold one record too.
    packets = [batch for batch in batches if batch.records > 9]
    assert {batch.codec for batch in packets} == {codec}
    assert sum(batch.records for batch in packets) > COUNT / 2
