"""A topic in memory, with a cursor to read it: what of Kafka the pipeline sees here.

Records are values; that Apache Kafka itself behaves so is for the campaign (`tests/faults`). As in
Kafka, offsets may have gaps where a producer's transaction ended.
"""

from types import SimpleNamespace
from uuid import UUID

from aiokafka import ConsumerRecord, TopicPartition

TOPIC, TRACKING = "orders.commands", "carrier.tracking"
TOPIC_ID, TRACKING_ID = UUID(int=1), UUID(int=2)


class Log:
    """The partitions of commands, numbered from 0, then those of the carriers."""

    def __init__(self, partitions, of_carriers=0):
        numbers = range(partitions + of_carriers)
        topics = [TOPIC] * partitions + [TRACKING] * of_carriers
        self.partitions = [TopicPartition(*each) for each in zip(topics, numbers, strict=True)]
        self.records = {partition: [] for partition in self.partitions}
        self._ends = dict.fromkeys(self.partitions, 0)

    def end(self, partition):
        """The offset the next record will get."""
        return self._ends[partition]

    def last(self, partition):
        """The offset after the last record there is."""
        records = self.records[partition]
        return records[-1].offset + 1 if records else 0

    def leave_gap(self, partition):
        """An offset that no reader is given."""
        self._ends[partition] += 1

    def append(self, partition, key, value, headers, timestamp_ms):
        """Add a record at the end."""
        record = ConsumerRecord(
            topic=partition.topic,
            partition=partition.partition,
            offset=self._ends[partition],
            timestamp=timestamp_ms,
            timestamp_type=0,
            key=key,
            value=value,
            checksum=None,
            serialized_key_size=len(key),
            serialized_value_size=len(value),
            headers=headers,
        )
        self._ends[partition] += 1
        self.records[partition].append(record)
        return record


class Cursor:
    """Reads the log as AIOKafkaConsumer does: from where each partition was last sought."""

    def __init__(self, log):
        self._log = log
        self._next = {}
        # Answers the request for Kafka's ids of topics, for which aiokafka has no method.
        self._client = SimpleNamespace(get_random_node=lambda: 0, send=self._answer_topics)

    async def _answer_topics(self, _node, _request):
        return SimpleNamespace(topics=[(0, TOPIC, TOPIC_ID), (0, TRACKING, TRACKING_ID)])

    def seek(self, partition, offset):
        self._next[partition] = offset

    def pause(self, partition):
        raise AssertionError(f"{partition} is stopped")

    def poll(self, partitions, most):
        """The next records of the partitions, at most so many of each."""
        return [r for p in partitions for r in self._take(p, most)]

    def _take(self, partition, most):
        start = self._next.get(partition)
        if start is None:  # Not sought yet: nothing is read.
            return []
        found = [r for r in self._log.records[partition] if r.offset >= start][:most]
        if found:
            self._next[partition] = found[-1].offset + 1
        return found

    async def getmany(self, *partitions, timeout_ms, max_records):
        return {partition: self._take(partition, max_records) for partition in partitions}

    async def beginning_offsets(self, partitions):
        return dict.fromkeys(partitions, 0)

    async def end_offsets(self, partitions):
        return {partition: self._log.end(partition) for partition in partitions}
