"""Attribution: which campaign brought the order; guarded by a separate version and time."""

from __future__ import annotations

from services.orders.domain.events.conclude import conclude
from services.orders.domain.events.recorder import Recorder
from services.orders.domain.model.commands import CommandItem, UpsertAnalytics
from services.orders.domain.model.ids import Uuid
from services.orders.domain.model.order import Analytics, Order
from services.orders.domain.model.reasons import Reason, Unchanged
from services.orders.domain.rules.acceptance import is_stale, newest, newest_time, require
from services.orders.domain.rules.contacts import warn_of_late_contact
from services.orders.domain.rules.repeats import is_repeat, remember
from services.orders.domain.value import fields, replace

_KEYS = tuple(each.name for each in fields(Analytics) if each.name != "extras")


def upsert_analytics(recorder: Recorder, command: UpsertAnalytics) -> Uuid:
    """Attach or change attribution after the order was placed."""
    held = require(recorder, command.reference)
    if is_repeat(held, command):
        raise Unchanged(Reason.DUPLICATE)
    if is_stale(command, held.analytics_source_version, held.analytics_updated_at):
        raise Unchanged(Reason.STALE)
    start = replace(held, order_analytics=None) if command.is_whole else held
    changed = merge_analytics(start, command, command.order_analytics, command.analytics_nulls)
    warn_of_late_contact(recorder, held, command.order_analytics, "/order_analytics")
    return conclude(recorder, held, remember(changed, command))


def merge_analytics(
    order: Order, item: CommandItem, said: Analytics | None, nulls: tuple[str, ...] = ()
) -> Order:
    """Keys that are said replace theirs, `nulls` are removed, the others stay.

    Attribution that is older than what is held is left out. An order without any key has None.
    """
    if said is None or is_stale(item, order.analytics_source_version, order.analytics_updated_at):
        return order
    merged = _merged(order.order_analytics or _NONE, said, nulls)
    return replace(
        order,
        order_analytics=merged if merged != _NONE else None,
        analytics_source_version=newest(order.analytics_source_version, item.source_version),
        analytics_updated_at=newest_time(order.analytics_updated_at, item.updated_at),
    )


_NONE = Analytics()


def _merged(held: Analytics, said: Analytics, nulls: tuple[str, ...]) -> Analytics:
    changes = {name: value for name in _KEYS if (value := getattr(said, name)) is not None}
    extras = {**held.extras, **said.extras}
    if nulls:
        changes |= {name: None for name in nulls if name in _KEYS}
        extras = {name: value for name, value in extras.items() if name not in nulls}
    return replace(held, **changes, extras=extras)
