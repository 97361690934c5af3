"""The lag gauges of a partition, and that they are removed with it."""

from aiokafka import TopicPartition

from services.runtime.observability.metrics import Metrics
from services.runtime.partitions.gauges import PartitionGauges

HERE, ELSEWHERE = TopicPartition("orders.commands", 0), TopicPartition("orders.commands", 1)


def lag_of(metrics):
    """Messages and seconds as a monitor reads them."""
    gauges = (metrics.lag_messages, metrics.lag_seconds)
    return tuple(gauge.collect()[0].samples[0].value for gauge in gauges)


def test_lag_of_a_backlog_counts_from_the_last_record_applied():
    gauges = PartitionGauges("orders", HERE, metrics := Metrics())
    gauges.applied(10, timestamp_ms=1_000)

    gauges.measure(end=15, position=10, now_ms=61_000)

    assert lag_of(metrics) == (5, 60)


def test_lag_of_a_message_after_a_quiet_hour_is_not_an_hour():
    gauges = PartitionGauges("orders", HERE, metrics := Metrics())
    gauges.applied(10, timestamp_ms=0)
    gauges.measure(end=10, position=10, now_ms=3_600_000)

    gauges.measure(end=11, position=10, now_ms=3_602_000)

    assert lag_of(metrics) == (1, 2)


def test_lag_of_a_stopped_partition_grows():
    gauges = PartitionGauges("orders", HERE, metrics := Metrics())
    gauges.applied(10, timestamp_ms=0)

    gauges.measure(end=12, position=None, now_ms=9_000)

    assert lag_of(metrics) == (2, 9)


def test_lag_of_a_partition_that_was_never_sought_is_not_shown():
    gauges = PartitionGauges("orders", HERE, metrics := Metrics())

    gauges.measure(end=12, position=None, now_ms=0)

    assert metrics.lag_messages.collect()[0].samples == []


def shown(gauge):
    """Values by partition."""
    return {sample.labels["partition"]: sample.value for sample in gauge.collect()[0].samples}


def both_measured(metrics, **first):
    """Gauges of two partitions that are five records behind; `first` is called before on one."""
    here, elsewhere = (PartitionGauges("orders", p, metrics) for p in (HERE, ELSEWHERE))
    if first:
        elsewhere.set_stopped(**first)
    for gauges in (here, elsewhere):
        gauges.applied(0, timestamp_ms=0)
        gauges.measure(end=5, position=0, now_ms=2_000)
    return here, elsewhere


def test_gauges_of_a_lost_partition_are_removed():
    metrics = Metrics()
    _, elsewhere = both_measured(metrics)
    elsewhere.set_stopped(is_stopped=True)

    elsewhere.remove()

    assert shown(metrics.lag_messages) == {"0": 5.0}
    assert shown(metrics.lag_seconds) == {"0": 2.0}
    assert shown(metrics.partition_stopped) == {"0": 0.0}


def test_gauge_of_stopped_partitions_is_0_where_one_is_read():
    metrics = Metrics()
    both_measured(metrics, is_stopped=True)

    assert shown(metrics.partition_stopped) == {"0": 0.0, "1": 1.0}
