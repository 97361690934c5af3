"""What the gateway has accepted: each record is on its topic, under the right id."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chaos.checker.findings import DUPLICATED, LOST
from chaos.checker.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a 202 says of a record, and the id that it must have.

    A command has the id that its sender gave it. Tracking has an id made of its body: that of the
    first record with this body.
    """

    topic: str
    partition: int
    offset: int | None
    """None where Kafka has the record and did not say where."""
    id: str
    right_id: str


def check_accepted(ledger: Ledger, accepted: Iterable[Accepted]) -> None:
    """Each record that the gateway has answered with 202 is on its topic, under the right id."""
    ids = {(topic, partition, id_) for (topic, partition, _), id_ in ledger.came.items()}
    for each in accepted:
        if each.offset is None:
            is_there = (each.topic, each.partition, each.id) in ids
        else:
            is_there = ledger.came.get((each.topic, each.partition, each.offset)) == each.id
        place = (each.topic, each.partition, each.offset)
        if not is_there:
            ledger.findings.add(LOST, place, f"{each.id} was accepted, and is not there")
        elif each.id != each.right_id:
            text = f"{each.right_id} is there as {each.id}: its repeat is another one"
            ledger.findings.add(DUPLICATED, place, text)
