"""Shared names: an `order_name` that several orders of a shop have or had (decision 0140).

The rule is that of the orders service: a name means the only order that has it, else the only one
that had it.
"""

from __future__ import annotations

from collections.abc import Sequence

from services.claims.domain.commands import OrderReference
from services.claims.domain.order_copy import OrderCopy
from services.claims.domain.reasons import NotYet, RejectionReason, RuleBroken
from services.claims.domain.references import anchor_key

BEARERS_MAX = 16
"""How many orders of a name are kept. A name with so many is ambiguous for good."""


def named_order(name: OrderReference, bearers: Sequence[OrderCopy]) -> OrderCopy:
    """The order that a shared name means; `bearers` are the orders that have or had it.

    Raises:
        RuleBroken: it can mean several.
        NotYet: no event of some of the orders was read, so that their names are not known.
    """
    present = [each for each in bearers if each.order_name == name.value]
    is_full = len(bearers) >= BEARERS_MAX
    if is_full or len(present) > 1:
        raise _ambiguous(name, bearers if is_full else present)
    if not all(each.is_seen for each in bearers):
        facts = {"shop": name.shop, "kind": name.kind, "value": name.value}
        raise NotYet(anchor_key(name), RejectionReason.ORDER_NOT_FOUND, "/id", **facts)
    if not present:
        raise _ambiguous(name, bearers)
    return present[0]


def _ambiguous(name: OrderReference, meant: Sequence[OrderCopy]) -> RuleBroken:
    return RuleBroken(
        RejectionReason.REFERENCE_AMBIGUOUS,
        "/id",
        value=name.value,
        count=f"{len(meant)} or more" if len(meant) >= BEARERS_MAX else len(meant),
        numbers=", ".join(sorted(each.order_number for each in meant if each.is_seen)),
    )
