"""How far behind a partition is said to be, and that it ends when somebody else has it."""

from aiokafka import TopicPartition

from services.runtime.observability.metrics import Metrics
from services.runtime.partitions.gauges import PartitionGauges

HERE, ELSEWHERE = TopicPartition("orders.commands", 0), TopicPartition("orders.commands", 1)


def lag_of(metrics):
    """Messages and seconds as a monitor reads them."""
    gauges = (metrics.lag_messages, metrics.lag_seconds)
    return tuple(gauge.collect()[0].samples[0].value for gauge in gauges)


def test_a_backlog_is_as_old_as_what_was_applied_last():
    gauges = PartitionGauges("orders", metrics := Metrics())
    gauges.applied(HERE, 10, timestamp_ms=1_000)

    gauges.measure(HERE, end=15, position=10, now_ms=61_000)

    assert lag_of(metrics) == (5, 60)


def test_a_message_after_a_quiet_hour_is_not_an_hour_old():
    gauges = PartitionGauges("orders", metrics := Metrics())
    gauges.applied(HERE, 10, timestamp_ms=0)
    gauges.measure(HERE, end=10, position=10, now_ms=3_600_000)

    gauges.measure(HERE, end=11, position=10, now_ms=3_602_000)

    assert lag_of(metrics) == (1, 2)


def test_a_stopped_partition_goes_on_falling_behind():
    gauges = PartitionGauges("orders", metrics := Metrics())
    gauges.applied(HERE, 10, timestamp_ms=0)

    gauges.measure(HERE, end=12, position=None, now_ms=9_000)

    assert lag_of(metrics) == (2, 9)


def test_nothing_is_told_of_a_partition_nobody_has_placed():
    gauges = PartitionGauges("orders", metrics := Metrics())

    gauges.measure(HERE, end=12, position=None, now_ms=0)

    assert metrics.lag_messages.collect()[0].samples == []


def told(gauge):
    """Values by partition."""
    return {sample.labels["partition"]: sample.value for sample in gauge.collect()[0].samples}


def test_a_partition_that_was_lost_is_told_of_no_more():
    gauges = PartitionGauges("orders", metrics := Metrics())
    for partition in (HERE, ELSEWHERE):
        gauges.applied(partition, 0, timestamp_ms=0)
        gauges.measure(partition, end=5, position=0, now_ms=2_000)
    gauges.set_stopped(ELSEWHERE, is_stopped=True)

    gauges.keep_only({HERE})

    assert told(metrics.lag_messages) == {"0": 5.0}
    assert told(metrics.lag_seconds) == {"0": 2.0}
    assert told(metrics.partition_stopped) == {"0": 0.0}


def test_a_partition_that_runs_says_so_and_one_that_stopped_goes_on_saying_that():
    gauges = PartitionGauges("orders", metrics := Metrics())
    gauges.set_stopped(ELSEWHERE, is_stopped=True)
    for partition in (HERE, ELSEWHERE):
        gauges.applied(partition, 0, timestamp_ms=0)

        gauges.measure(partition, end=5, position=0, now_ms=2_000)

    assert told(metrics.partition_stopped) == {"0": 0.0, "1": 1.0}
