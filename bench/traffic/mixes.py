"""The mixes by name: what is measured, and what must have happened before."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice

from bench.traffic.messages import Letter, Mix
from bench.traffic.orders import SCANS_OF_A_PARCEL, Order, Parcel, Shop

BULK_ITEMS = 1_000
CHANGES_AN_ORDER = 4
HISTORIES_A_PARCEL = 5
CAMPAIGNS = 20
# A shop day by twenties of orders: 20 placed, 15 fulfilled, each parcel scanned four times, three
# moved and two cancelled. That is 100 letters.
TWENTY = 20
FULFILLED = 15
CANCELLED = 2
DAY_STEPS = (1, 5, 8, 9)
LETTERS_A_LIFE = 5
LIFE_LASTS = (20, 500)
"""How many later orders are placed during an order's life: a quarter of all, within these."""

Made = tuple[Sequence[Letter], Sequence[Letter]]


def mix(name: str, count: int, *, seed: int = 1, value_bytes: int = 700) -> Mix:
    """The mix `name` with `count` letters, of `bulk` with `count` items, a thousand a letter.

    The same arguments give the same bytes. Placing an order weighs `value_bytes`, with or without
    being measured; what is said of it later has its natural size. Mixes of another name or seed
    share no order and no parcel with it, so that they can follow one another on one database.

    Raises:
        ValueError: there is no such mix, or `value_bytes` leave no room for an order.
    """
    if name not in _MAKERS:
        raise ValueError(f"no mix is called {name!r}: take one of {', '.join(MIXES)}")
    slug = f"{name.replace('_', '-')}-{seed}"
    shop = Shop(slug, value_bytes, random.Random(f"{slug}/{value_bytes}"))
    before, letters = _MAKERS[name](shop, count)
    return Mix(name, tuple(before), tuple(letters))


def _upserts(shop: Shop, count: int) -> Made:
    """New orders."""
    return (), [shop.order().upsert() for _ in range(count)]


def _updates(shop: Shop, count: int) -> Made:
    """Placed orders move, expect one more parcel, and get one more piece: each changes them."""
    orders = [shop.order() for _ in range(-(-count // CHANGES_AN_ORDER))]
    before = [order.upsert() for order in orders]
    return before, list(islice(_in_turn(shop, map(_changes, orders), CHANGES_AN_ORDER), count))


def _changes(order: Order) -> Iterator[Letter]:
    yield order.move()
    yield order.expect_more()
    yield order.add_piece()
    yield order.move()


def _fulfilments(shop: Shop, count: int) -> Made:
    """Placed orders get their parcel, every other one in a command that repeats the whole order."""
    orders = [shop.order() for _ in range(count)]
    before = [order.upsert() for order in orders]
    letters = [
        order.fulfil(shop.parcel(order)) if at % 2 else order.upsert(shop.parcel(order))
        for at, order in enumerate(orders)
    ]
    return before, letters


def _scans_new(shop: Shop, count: int) -> Made:
    """One new scan a letter, each parcel's in order."""
    before, parcels = _fulfilled(shop, -(-count // len(SCANS_OF_A_PARCEL)))
    return before, list(
        islice(_in_turn(shop, map(_travel, parcels), len(SCANS_OF_A_PARCEL)), count)
    )


def _travel(parcel: Parcel) -> Iterator[Letter]:
    for step in range(len(SCANS_OF_A_PARCEL)):
        yield parcel.report(step)


def _scans_repeated(shop: Shop, count: int) -> Made:
    """Whole histories again and again; only a parcel's first one ends in a scan that is new."""
    fulfilled, parcels = _fulfilled(shop, -(-count // HISTORIES_A_PARCEL))
    before = [
        *fulfilled,
        *(parcel.report(*range(len(SCANS_OF_A_PARCEL) - 1)) for parcel in parcels),
    ]
    return before, list(islice(_in_turn(shop, map(_repeat, parcels), HISTORIES_A_PARCEL), count))


def _repeat(parcel: Parcel) -> Iterator[Letter]:
    for _ in range(HISTORIES_A_PARCEL):
        yield parcel.report(*range(len(SCANS_OF_A_PARCEL)))


def _scans_shuffled(shop: Shop, count: int) -> Made:
    """One new scan a letter, in no order at all."""
    before, parcels = _fulfilled(shop, -(-count // len(SCANS_OF_A_PARCEL)))
    letters = [letter for parcel in parcels for letter in _travel(parcel)]
    shop.rng.shuffle(letters)
    return before, letters[:count]


def _bulk(shop: Shop, count: int) -> Made:
    """Placed orders get their parcels, a thousand in one letter."""
    orders = [shop.order() for _ in range(count)]
    before = [order.upsert() for order in orders]
    letters = []
    for at in range(0, count, BULK_ITEMS):
        part = orders[at : at + BULK_ITEMS]
        items = [order.item(shop.parcel(order)) for order in part]
        letters.append(shop.bulk(items, part[-1].at))
    return before, letters


def _day(shop: Shop, count: int) -> Made:
    """A stretch out of a shop's day: orders are at every stage of their life all the time."""
    lives = -(-count // LETTERS_A_LIFE)
    lasts = min(max(lives // 4, LIFE_LASTS[0]), LIFE_LASTS[1])
    # Lives that began before are under way when the clock starts; those at the end are cut short.
    timed: list[tuple[float, int, Letter]] = []
    for at in range(-lasts, lives + lasts):
        moments = sorted(at + shop.rng.random() * lasts for _ in range(LETTERS_A_LIFE + 1))
        moments[0] = at
        life = _life(shop, at % TWENTY)
        timed += [(when, at, letter) for when, letter in zip(moments, life, strict=False)]
    timed.sort(key=lambda each: each[:2])
    before = [letter for when, _, letter in timed if when < 0]
    measured = [letter for when, _, letter in timed if when >= 0]
    return before, measured[:count]


def _life(shop: Shop, kind: int) -> Iterator[Letter]:
    """One of twenty lives."""
    is_upsert = kind % 2 == 0
    order = shop.order(is_upsert=is_upsert)
    yield order.upsert() if is_upsert else order.place()
    if kind < FULFILLED:
        parcel = shop.parcel(order)
        yield order.fulfil(parcel)
        for step in DAY_STEPS:
            yield parcel.report(step)
    elif kind < FULFILLED + CANCELLED:
        yield order.cancel()
    else:
        yield order.move()


def _campaigns(shop: Shop, count: int) -> Made:
    """New orders of a shop with 20 campaigns, one of them in a test; a fifth of them use a code."""
    before = [shop.discount("save", "SAVE10"), *map(shop.campaign, range(CAMPAIGNS)), shop.test(0)]
    letters = []
    for at in range(count):
        order = shop.order()
        order.said |= {"segments": [f"segment-{at % CAMPAIGNS}", "newsletter"]}
        if at % 5 == 0:
            order.said |= {"discounts": [{"code": "SAVE10", "amount": "2.00"}]}
        letters.append(order.upsert())
    return before, letters


def _fulfilled(shop: Shop, count: int) -> tuple[list[Letter], list[Parcel]]:
    """Orders that were placed and given their parcel in one command."""
    before, parcels = [], []
    for _ in range(count):
        order = shop.order()
        parcels.append(shop.parcel(order))
        before.append(order.upsert(parcels[-1]))
    return before, parcels


def _in_turn(shop: Shop, lives: Iterable[Iterator[Letter]], steps: int) -> Iterator[Letter]:
    """All lives mixed at random, each in its own order and of `steps` letters."""
    turns = [life for life in lives for _ in range(steps)]
    shop.rng.shuffle(turns)
    return map(next, turns)


_MAKERS: Mapping[str, Callable[[Shop, int], Made]] = {
    "upserts": _upserts,
    "updates": _updates,
    "fulfilments": _fulfilments,
    "scans_new": _scans_new,
    "scans_repeated": _scans_repeated,
    "scans_shuffled": _scans_shuffled,
    "bulk": _bulk,
    "day": _day,
    "campaigns": _campaigns,
}
MIXES = tuple(_MAKERS)
