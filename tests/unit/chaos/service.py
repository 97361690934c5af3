"""The orders service without servers: messages of the campaign in, records for its checker out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime

from chaos.checker.ledger import Ledger
from demo.journal import Entry
from demo.script import ScriptMessage
from services.orders.messages.decode import read
from services.orders.outcomes import decided_records, refused_outcomes, rejection_of
from services.orders.unit_of_work import UnitOfWork
from services.runtime.batch.batch import Batch
from services.runtime.messages.headers import headers_by_place, read_headers
from services.runtime.messages.records import Coordinates, Original
from services.runtime.outbox.outbox import Outgoing
from services.runtime.parking.gate import ParkingGate
from services.runtime.rejections import Rejection

MAX_BYTES = 900_000


def _refusal(refused: Rejection) -> Outgoing:
    """What the checker reads of the record of a refusal."""
    at = refused.original.coordinates
    place = {"topic": at.topic, "partition": at.partition, "offset": at.offset}
    body = {**place, "index": refused.index, "reason": refused.reason}
    body |= {"ce_id": refused.envelope.id, "detail": refused.detail}
    id_ = f"rejected/{at}#{refused.index}"
    headers = headers_by_place(id=id_, source="orders", type="item.rejected", time="")
    key = refused.original.key or b""
    return Outgoing("orders.rejected", key, json.dumps(body).encode(), headers, "")


class Service:
    """Decides message by message and publishes into a ledger."""

    def __init__(self, ledger: Ledger, now: datetime) -> None:
        self._ledger = ledger
        self._unit = UnitOfWork(now, ParkingGate(Batch((), now)))
        self._offset = 0
        self._decided = 0

    def apply(self, messages: Iterable[ScriptMessage], now: datetime) -> None:
        """Publish messages and decide them at a business time."""
        self._unit.now = now
        for message in messages:
            self._offset += 1
            at = Coordinates(message.topic, 0, self._offset)
            original = Original(at, message.key, message.headers, message.value, now)
            self._take(message.topic, message.key, message.value, message.headers)
            for entry in read(original, now):
                self._unit.take(entry)
            for record in self._records():
                headers = read_headers(record.headers)
                self._take(record.topic, record.key, record.value, headers)

    def _records(self) -> Iterator[Outgoing]:
        unit = self._unit
        waits = {asked.item.item_id for _, asked in unit.new_waits()}
        decided = list(unit.conclude(waits))[self._decided :]
        self._decided += len(decided)
        yield from decided_records(unit, decided, MAX_BYTES)
        refused, unit.refused = unit.refused, []
        yield from refused_outcomes(refused, unit.now)
        refusals: list[Rejection] = [*refused, *filter(None, map(rejection_of, decided))]
        for each in refusals:
            yield _refusal(each)

    def _take(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Iterable[tuple[str, bytes]],
    ) -> None:
        texts = {name: text.decode() for name, text in headers}
        entry = Entry(topic, 0, self._offset, (key or b"").decode(), value or b"", texts)
        self._ledger.take(entry)
