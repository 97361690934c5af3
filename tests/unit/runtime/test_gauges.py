"""What is told of partitions ends when they go to somebody else."""

from aiokafka import TopicPartition

from services.runtime.gauges import PartitionGauges
from services.runtime.telemetry import Metrics

KEPT, LOST = TopicPartition("orders.commands", 0), TopicPartition("orders.commands", 1)


def told(gauge):
    return {sample.labels["partition"]: sample.value for sample in gauge.collect()[0].samples}


def test_a_partition_that_was_lost_is_told_of_no_more():
    metrics = Metrics()
    gauges = PartitionGauges("orders", metrics)
    for partition in (KEPT, LOST):
        gauges.set_lag(partition, messages=5, seconds=2.0)
    gauges.set_stopped(LOST)

    gauges.keep_only({KEPT})

    assert told(metrics.lag_messages) == {"0": 5.0}
    assert told(metrics.lag_seconds) == {"0": 2.0}
    assert told(metrics.partition_stopped) == {}
