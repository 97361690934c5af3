"""What a batch holds: events of orders, commands to decide, and items that cannot be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from schemas.envelope import CloudEvent
from schemas.topics import CLAIMS_COMMANDS
from services.claims.domain.commands import Command, OpenClaim
from services.claims.domain.ids import Uuid
from services.claims.domain.order_copy import newest_copies
from services.claims.messages.decode import ReceivedOrder, read_command, read_order
from services.claims.messages.snapshots import SnapshotClaim
from services.runtime import rejections
from services.runtime.batch.batch import Batch
from services.runtime.batch.batch_trace import BatchTrace
from services.runtime.batch.items import (
    WHOLE,
    Failure,
    FailureKind,
    ItemFailed,
    ItemRef,
)
from services.runtime.config.allowed_sources import (
    ANY_SOURCE,
    SOURCE_NOT_ALLOWED,
    SOURCE_POINTER,
    AllowedSources,
)
from services.runtime.messages.records import (
    FieldError,
    Malformed,
    Original,
)
from services.runtime.messages.repair import ItemWarning, RepairWarning
from services.runtime.rejections import Rejection
from services.runtime.waiting.store import Waiting


@dataclass(frozen=True, slots=True)
class Task:
    """One command item to decide: from the batch, or one that waited until now."""

    original: Original
    envelope: CloudEvent
    command: Command
    waits_for: str | None = None
    """The key it has waited for; None for an item of the batch."""
    expires_at: datetime | None = None
    warnings: Sequence[RepairWarning] = ()
    """What was repaired or left out when the command was read."""


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """One event of the orders service that was read."""

    original: Original
    received: ReceivedOrder


@dataclass(frozen=True, slots=True)
class UnreadItem:
    """A record or a waiting item that is known to fail; it is parked without being read."""

    original: Original
    index: int
    failure: Failure
    waits_for: str | None = None


@dataclass(slots=True)
class Intake:
    """The items of a batch by what is to be done with them, each list in the order they came."""

    events: list[OrderEvent] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    refused: list[Rejection] = field(default_factory=list)
    expired_keys: set[str] = field(default_factory=set)
    """Keys whose waiting items are decided once more because the time of some is over."""
    unread: list[UnreadItem] = field(default_factory=list)
    known_failures: Mapping[ItemRef, Failure] = field(default_factory=dict)
    empty_events: list[ItemRef] = field(default_factory=list)
    """Events that were read and whose order was cut for size: nothing of them is kept."""
    trace: BatchTrace | None = None

    @property
    def received(self) -> list[ReceivedOrder]:
        """The orders in the events, in the order the events came."""
        return [event.received for event in self.events]

    def newest_received(self) -> dict[Uuid, ReceivedOrder]:
        """The newest version of each order in the events."""
        return _newest(self.received)

    def snapshot_claims(self) -> dict[Uuid, list[SnapshotClaim]]:
        """The claims in snapshots, by order, oldest first."""
        found: dict[Uuid, list[SnapshotClaim]] = {}
        for received in self.received:
            if received.claims:
                found.setdefault(received.order.order_id, []).extend(received.claims)
        return {order: sorted(claims, key=_sequence) for order, claims in found.items()}

    def claims_complete_at(self) -> dict[Uuid, datetime]:
        """By order: when the newest event was decided that leaves out no claim of the order."""
        found: dict[Uuid, datetime] = {}
        for received in self.received:
            at, order = received.claims_complete_at, received.order.order_id
            if at is not None:
                found[order] = max(at, found.get(order, at))
        return found

    def newest_with_lines(self) -> list[ReceivedOrder]:
        """For each order whose newest version has its lines cut: the newest version with lines."""
        cut = {order for order, newest in self.newest_received().items() if newest.lines_cut}
        whole = [each for each in self.received if each.order.order_id in cut]
        return list(_newest([each for each in whole if not each.lines_cut]).values())


def _sequence(claim: SnapshotClaim) -> int:
    return claim.sequence


def _newest(received: Sequence[ReceivedOrder]) -> dict[Uuid, ReceivedOrder]:
    copies = newest_copies(each.order for each in received)
    return {
        each.order.order_id: each for each in received if each.order is copies[each.order.order_id]
    }


def read_batch(batch: Batch, senders: AllowedSources = ANY_SOURCE) -> Intake:
    """Sort the items of a batch.

    Malformed records, and commands of sources that may not write for the shop, are refused.

    Raises:
        ItemFailed: a record cannot be read for a reason that is not its sender's.
    """
    intake = Intake(known_failures=batch.known_failures, trace=batch.trace)
    for row in batch.retried:
        if row.position in batch.dismissed:
            intake.refused.append(Rejection.of_dismissed(row, batch.dismissed[row.position]))
        else:
            _read(intake, row.original, row.index, senders)
    for record in batch.records:
        _read(intake, record, WHOLE, senders)
    if batch.trace is not None:
        _trace(intake, batch.trace)
    return intake


def _trace(intake: Intake, trace: BatchTrace) -> None:
    """Give spans to the items that are traced."""
    intake.tasks = [traced(each, trace) for each in intake.tasks]
    intake.refused = rejections.traced(intake.refused, trace)
    for event in intake.events:
        trace.note(event.original)


def traced(task: Task, trace: BatchTrace | None) -> Task:
    """The task, with a span of its own in the envelope where it is traced."""
    if trace is None:
        return task
    envelope, is_waiting = task.envelope, task.waits_for is not None
    adopted = trace.adopt(task.original, 0, envelope, type_=envelope.type, is_waiting=is_waiting)
    return task if adopted is envelope else replace(task, envelope=adopted)


def _read(intake: Intake, record: Original, index: int, senders: AllowedSources) -> None:
    ref = ItemRef(record.coordinates, index)
    if ref in intake.known_failures:
        intake.unread.append(UnreadItem(record, index, intake.known_failures[ref]))
        return
    try:
        # The sender of an item that was read before was checked then; a whole record's was not.
        _put(intake, record, senders if index == WHOLE else ANY_SOURCE)
    except Malformed as error:
        intake.refused.append(Rejection.of_malformed(record, error))
    except Exception as error:
        raise ItemFailed(ref, FailureKind.READING) from error


def waiting_task(row: Waiting) -> Task:
    """The task of a waiting row, to be decided again.

    Raises:
        Malformed: the command does not fit the contract of this version any more.
        ItemFailed: the command cannot be read for a reason that is not its sender's.
    """
    try:
        read = read_command(row.original)
    except Malformed:
        raise
    except Exception as error:
        raise ItemFailed(
            ItemRef(row.original.coordinates, row.index), FailureKind.READING
        ) from error
    return Task(
        row.original, read.envelope, read.command, row.waits_for, row.expires_at, read.warnings
    )


def _put(intake: Intake, record: Original, senders: AllowedSources) -> None:
    if record.coordinates.topic == CLAIMS_COMMANDS:
        read = read_command(record)
        _check_source(read.envelope, read.command, senders)
        intake.tasks.append(Task(record, read.envelope, read.command, warnings=read.warnings))
        return
    received = read_order(record)
    if received:
        intake.events.append(OrderEvent(record, received))
    else:
        intake.empty_events.append(ItemRef(record.coordinates, 0))


def _check_source(envelope: CloudEvent, command: Command, senders: AllowedSources) -> None:
    """Check the source before anything is locked, so that a refused command locks nothing.

    Raises:
        Malformed: the source may not write for the shop.
    """
    shop = command.order.shop if isinstance(command, OpenClaim) else command.shop
    detail = senders.refusal(shop, envelope.source)
    if detail:
        raise Malformed(SOURCE_NOT_ALLOWED, [FieldError(SOURCE_POINTER, detail)])


def refusals(original: Original, index: int, now: datetime) -> list[Rejection]:  # noqa: ARG001
    """The rejections of a message without a decision; a message is one item."""
    return read_batch(Batch((original,), now)).refused


def warnings(original: Original, now: datetime) -> list[ItemWarning]:
    """The warnings of a command that can be read, before the service decides."""
    tasks = read_batch(Batch((original,), now)).tasks
    return [ItemWarning(0, each) for task in tasks for each in task.warnings]
