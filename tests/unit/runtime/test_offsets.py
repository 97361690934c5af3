"""When Kafka is told how far a group has read: once a second, and of everything at the end."""

from services.runtime.offsets import TELL_SECONDS, CommittedOffsets


def test_a_quick_batch_does_not_wait_for_kafka():
    seconds = iter([0.0, 0.0, 0.4, TELL_SECONDS, TELL_SECONDS + 0.5, 2 * TELL_SECONDS])
    offsets = CommittedOffsets(lambda: next(seconds))

    assert [offsets.is_due() for _ in range(5)] == [True, False, True, False, True]


def test_while_the_service_stops_each_batch_may_be_the_last():
    offsets = CommittedOffsets(lambda: 0.0)
    assert offsets.is_due()

    offsets.is_last = True

    assert [offsets.is_due() for _ in range(3)] == [True] * 3
