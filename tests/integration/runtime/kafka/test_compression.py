"""KAFKA_COMPRESSION_TYPE: the broker stores batches with the codec, and readers get the records."""

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
    """Settings of a relay that compresses, in both publication modes."""
    return settings.model_copy(
        update={"kafka_compression_type": codec, "publication": request.param}
    )


async def test_compression_of_record_batches_in_the_log(start, publish, read_all, settings, codec):
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
    # A batch of one short record does not get smaller and is sent uncompressed; so are the broker's
    # control batches, which end transactions.
    large = [batch for batch in batches if batch.records > 9]
    assert {batch.codec for batch in large} == {codec}
    assert sum(batch.records for batch in large) > COUNT / 2
