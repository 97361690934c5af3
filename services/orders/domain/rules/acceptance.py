"""Acceptance: which order a command names, and whether the command is a repeat or stale."""

from __future__ import annotations

from datetime import datetime

from services.orders.domain.events.recorder import Recorder
from services.orders.domain.model.commands import CommandItem
from services.orders.domain.model.order import Order
from services.orders.domain.model.reasons import NotYet, Reason, Unchanged
from services.orders.domain.model.references import Reference, direct_id, reference_key
from services.orders.domain.model.shared_names import meant_by
from services.orders.domain.rules.erased import check_not_erased
from services.orders.domain.rules.repeats import is_repeat, remember
from services.orders.domain.rules.shared_names import bearers_of, check_not_ambiguous, repeated_by
from services.orders.domain.value import replace


def find(recorder: Recorder, reference: Reference) -> Order | None:
    """The order that a reference names, within the shop of the reference only.

    None where a name is that of several orders.
    """
    shared = recorder.world.shared
    if shared and reference in shared:
        meant = meant_by(reference.value, bearers_of(recorder, reference))
        return meant[0] if len(meant) == 1 else None
    order_id = direct_id(reference) or recorder.world.references.get(reference)
    order = recorder.order(order_id) if order_id is not None else None
    return order if order is not None and order.shop == reference.shop else None


def find_alone(recorder: Recorder, reference: Reference) -> Order | None:
    """The order of a command that names it by nothing but this reference.

    Raises:
        Unchanged: the reference is a shared name, and the item was applied to one of its orders.
        CommandRefused: the reference is a name that means several orders.
    """
    shared = recorder.world.shared
    if shared and reference in shared:
        check_not_ambiguous(recorder, reference)
    return find(recorder, reference)


def find_of_unchanged(recorder: Recorder, reference: Reference) -> Order | None:
    """The order of an item that changes none; of a repeat, the one that it was applied to."""
    shared = recorder.world.shared
    repeated = repeated_by(recorder, reference) if shared and reference in shared else None
    return repeated or find(recorder, reference)


def require(recorder: Recorder, reference: Reference) -> Order:
    """The order that a reference names.

    Raises:
        NotYet: there is none; the command waits for it.
        Unchanged, CommandRefused: see `find_alone` and `check_not_erased`.
    """
    order = find_alone(recorder, reference)
    if order is None:
        check_not_erased(recorder, reference)
        raise NotYet(Reason.ORDER_NOT_FOUND, reference_key(reference))
    return order


def check_not_stale(order: Order, item: CommandItem) -> None:
    """Refuse a repeat, and content older than the order's.

    Raises:
        Unchanged: the item was applied before, or its version or time is older.
    """
    check_not_repeated(order, item)
    if is_stale(item, order.source_version, order.updated_at):
        raise Unchanged(Reason.STALE)


def check_not_repeated(order: Order, item: CommandItem) -> None:
    """Refuse a repeat only: of an item that brings a fact, which no newer content outdates.

    Raises:
        Unchanged: the item was applied before.
    """
    if is_repeat(order, item):
        raise Unchanged(Reason.DUPLICATE)


def is_stale(item: CommandItem, version: int | None, updated_at: datetime | None) -> bool:
    """Strictly older by the shop's version; where one side has none, by the shop's time."""
    if item.source_version is not None and version is not None:
        return item.source_version < version
    if item.updated_at is not None and updated_at is not None:
        return item.updated_at < updated_at
    return False


def is_voided_since(order: Order, number: str, item: CommandItem) -> bool:
    """Whether a number was taken off the order by a command that is newer than an old item.

    The item is older than the order. Where the two ages cannot be compared, the item is older.
    """
    for each in order.voided:
        if each.number != number:
            continue
        if item.source_version is not None and each.source_version is not None:
            return item.source_version < each.source_version
        since = each.updated_at or each.voided_at
        return item.updated_at is None or item.updated_at < since
    return False


def accept(order: Order, item: CommandItem) -> Order:
    """The order with the item remembered, and with the newest version and time."""
    return replace(
        remember(order, item),
        source_version=newest(order.source_version, item.source_version),
        updated_at=newest_time(order.updated_at, item.updated_at),
    )


def newest(held: int | None, said: int | None) -> int | None:
    """The higher version; guards never go back."""
    if held is None or said is None:
        return said if held is None else held
    return max(held, said)


def newest_time(held: datetime | None, said: datetime | None) -> datetime | None:
    """The later time; guards never go back."""
    if held is None or said is None:
        return said if held is None else held
    return max(held, said)
