"""Parking keys: texts that say which orders an item is about. Items that share a key keep order."""

from __future__ import annotations

from collections.abc import Iterable


def parking_key(order_id: object) -> str:
    """The parking key of an order, from its UUID: `order:<uuid>`.

    The key is stored in `parked_name` and accepted by `orderflow parked list --name`, so its
    spelling is fixed.
    """
    return f"order:{order_id}"


def parking_keys(order_ids: Iterable[object], waiting_keys: Iterable[str] = ()) -> frozenset[str]:
    """All parking keys of an item: those of its orders, and the keys that items wait for by them.

    An item that waits for one of these keys does not expire while the parked item holds the key.
    """
    return frozenset([*map(parking_key, order_ids), *waiting_keys])
