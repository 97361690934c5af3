"""A producer that can be closed without sending what is pending; seen in aiokafka 0.14."""

from __future__ import annotations

from aiokafka import AIOKafkaProducer
from aiokafka.errors import ProducerClosed

from services.runtime.kafka.compat import close_client


class RelayProducer(AIOKafkaProducer):  # type: ignore[misc]
    """A producer that can be thrown away: aiokafka's `stop` first sends all that is pending."""

    async def abort(self) -> None:
        """Disconnect and send no more.

        After one record of a partition has failed, the ones behind it must not go out: they would
        be read before it. Uses aiokafka's own parts, which have no public name (0.14).
        """
        self._closed = True
        sending = self._sender.sender_task
        if sending is not None:
            sending.cancel()
        await close_client.close(self.client.close())  # Fails what is under way.
        if sending is not None:
            # It waits for that, and in a transaction may ask for its coordinator without end.
            await close_client.end(sending)
        self._message_accumulator.fail_all(ProducerClosed())
        ended = self._txn_manager.wait_for_transaction_end() if self._txn_manager else None
        if ended is not None and ended.done() and not ended.cancelled():
            ended.exception()  # Heard of where the send failed; else asyncio would tell it again.
