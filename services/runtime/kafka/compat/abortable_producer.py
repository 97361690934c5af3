"""A producer that can be closed without sending pending records (aiokafka 0.14)."""

from __future__ import annotations

from aiokafka import AIOKafkaProducer
from aiokafka.errors import ProducerClosed

from services.runtime.kafka.compat import close_client


class _SentBatches(set):  # type: ignore[type-arg]
    """Batches on their way. One that failed and waits to be sent again is not among them.

    aiokafka removes a batch when its records have ended, and asyncio logs an error where that
    batch was waiting to be sent again.
    """

    remove = set.discard


class RelayProducer(AIOKafkaProducer):  # type: ignore[misc]
    """A producer with `abort`; aiokafka has only `stop`, which first sends all pending records."""

    @property
    def has_ended(self) -> bool:
        """Whether nothing is sent any more: an error ended aiokafka's task."""
        sending = self._sender.sender_task
        return sending is not None and sending.done()

    async def abort(self) -> None:
        """Disconnect without sending pending records.

        After a record of a partition has failed, the records behind it must not be sent: they would
        be read before it. Uses private attributes of aiokafka 0.14.
        """
        self._closed = True
        sending = self._sender.sender_task
        if sending is not None:
            sending.cancel()
        await close_client.close(self.client.close())  # Requests in progress fail.
        if sending is not None:
            # The task waits for those, and in a transaction may look up its coordinator endlessly.
            await close_client.end(sending)
        accumulator = self._message_accumulator
        accumulator._pending_batches = _SentBatches(accumulator._pending_batches)  # noqa: SLF001
        accumulator.fail_all(ProducerClosed())
        ended = self._txn_manager.wait_for_transaction_end() if self._txn_manager else None
        if ended is not None and ended.done() and not ended.cancelled():
            ended.exception()  # Retrieved, or asyncio would log that it never was.
