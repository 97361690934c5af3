"""Shared names: commands that name an order by an `order_name` which several orders have.

Such a command is refused unless exactly one of the orders has the name at present, see
`domain.model.shared_names`. Giving an order a name that another one has is taken with a warning.
"""

from __future__ import annotations

from services.orders.domain.events.recorder import Recorder
from services.orders.domain.model.ids import Uuid
from services.orders.domain.model.order import Order
from services.orders.domain.model.reasons import CommandRefused, Reason, Unchanged
from services.orders.domain.model.references import Reference, ReferenceKind
from services.orders.domain.model.shared_names import BEARERS_MAX, has_name, meant_by
from services.orders.domain.model.warnings import WarningCode
from services.orders.domain.rules.repeats import is_repeat

_WAY_OUT = "name the order by order_number, external_id or uuid"


def bearers_of(recorder: Recorder, name: Reference) -> tuple[Order, ...]:
    """The orders that have or had a name, as far as they are kept."""
    world = recorder.world
    first = world.references.get(name)
    ids = world.shared.get(name) or ((first,) if first else ())
    return tuple(order for each in ids if (order := recorder.order(each)) is not None)


def is_bearer(recorder: Recorder, name: Reference, order_id: Uuid) -> bool:
    """Whether the order has or had the name."""
    world = recorder.world
    return world.references.get(name) == order_id or order_id in world.shared.get(name, ())


def repeated_by(recorder: Recorder, name: Reference) -> Order | None:
    """The bearer of a shared name to which the recorder's item was applied before."""
    found = (each for each in bearers_of(recorder, name) if is_repeat(each, recorder.item))
    return next(found, None)


def check_not_ambiguous(recorder: Recorder, name: Reference) -> None:
    """Refuse a command that names its order by nothing but a shared name.

    Raises:
        Unchanged: the item was applied to one of the orders before.
        CommandRefused: the name can mean several orders.
    """
    if repeated_by(recorder, name) is not None:
        raise Unchanged(Reason.DUPLICATE)
    meant = meant_by(name.value, bearers_of(recorder, name))
    if len(meant) > 1:
        raise CommandRefused(Reason.REFERENCE_AMBIGUOUS, _detail(name, meant), "/id")


def _detail(name: Reference, meant: tuple[Order, ...]) -> str:
    numbers = ", ".join(repr(each.order_number) for each in meant)
    count = f"{len(meant)} or more" if len(meant) >= BEARERS_MAX else str(len(meant))
    return f"order_name {name.value!r} names {count} orders ({numbers}); {_WAY_OUT}."


def warn_of_shared_name(
    recorder: Recorder, before: Order | None, after: Order, pointer: str
) -> None:
    """Add a warning if the command gives the order a name that another order has.

    The name is not quoted: it may be that of a person.
    """
    value = after.placement.order_name
    if value is None or (before is not None and has_name(before, value)):
        return
    name = Reference(after.shop, ReferenceKind.ORDER_NAME, value)
    if name not in recorder.world.references:
        return
    bearers = bearers_of(recorder, name)
    others = [each for each in bearers if each.order_id != after.order_id]
    if len(bearers) < BEARERS_MAX:
        others = [each for each in others if has_name(each, value)]
    if others:
        numbers = ", ".join(sorted(repr(each.order_number) for each in others))
        recorder.warn(
            WarningCode.NAME_SHARED,
            pointer,
            f"The order has its order_name in common with {numbers}; while it does, {_WAY_OUT}.",
        )
