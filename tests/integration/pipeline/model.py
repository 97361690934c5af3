"""What must become of a shop's commands, by the specification alone.

Plain Python, one item after the other: no transaction, no batch, no position, nothing of ours.
"""

from collections import deque
from dataclasses import dataclass, field

from tests.integration.pipeline.parcels import Absent, Parcels, Refused, Voided

WAIT_MINUTES = 15
POISON = "POISON"
CREATING = ("place", "upsert")
OF_PARCELS = ("attach", "attach_to_delivery", "correct", "void")


@dataclass(frozen=True)
class Command:
    """What one item asks; `malformed` asks nothing. Of a cancel or void, the city is why."""

    kind: str
    order: str
    city: str = ""
    number: str = ""
    """The tracking number that it is about, of those `OF_PARCELS`."""

    @property
    def is_poison(self):
        """Whether deciding it raises until the bug is mended."""
        return POISON in self.city


@dataclass(frozen=True)
class Item:
    """A command, where it lies (partition, offset, index), and its sender's id for it."""

    at: tuple[int, int, int]
    id: tuple
    cause: str
    command: Command

    @property
    def order(self):
        """The order it is about."""
        return self.command.order


@dataclass(frozen=True)
class Unread:
    """A record that killed its process again and again; its key names the order."""

    at: tuple[int, int, int]
    order: str
    items: tuple[Item, ...]


@dataclass
class Order:
    """One order, its published events, and the items it remembers."""

    city: str
    is_cancelled: bool = False
    events: list = field(default_factory=list)
    taken: list = field(default_factory=list)
    parcels: Parcels = field(default_factory=Parcels)

    def tell(self, name, cause):
        """Publish an event: numbered on its topic, and over both."""
        is_of_parcel = name.startswith("SHIPMENT_")
        before = [
            each for *_, each, _ in self.events if each.startswith("SHIPMENT_") is is_of_parcel
        ]
        self.events.append((len(before) + 1, len(self.events) + 1, name, cause))

    def tell_of_count(self, before, cause):
        """Publish what the number of parcels changes of the order, if it changes anything."""
        after = self.parcels.count
        if not self.is_cancelled and (before == 0) is not (after == 0):
            self.tell("ORDER_FULFILLED" if after else "ORDER_UPDATED", cause)
        elif max(before, 1) != max(after, 1):
            self.tell("ORDER_EXPECTED_SHIPMENTS_CHANGED", cause)


class Model:
    """The shop's orders, what waits, what is parked, and how every item ended."""

    def __init__(self):
        self.minute = 0
        self.is_mended = False
        self.orders = {}
        self.waiting = {}  # Item -> what it waits for, and the minute it expires; oldest first.
        # Place -> (item, kind, keys: what it is about). Smaller places are earlier; what comes out
        # of (5,) while it is tried again is at (5, 1), (5, 2) and so on.
        self.queue = {}
        self.never_read = []  # Items of refused records, beside the first; they are not known.
        self.outcomes = {}  # Where an item lies -> outcome and reason.

    @property
    def refused(self):
        """Why each item that was rejected was."""
        return {at: why for at, (outcome, why) in self.outcomes.items() if outcome == "rejected"}

    # What happens to it.

    def arrive(self, item):
        """An item is read from the log."""
        self._turn(item, self._last_place())

    def park_unread(self, record):
        """A record is not read any more until an operator has it retried."""
        self.queue[self._last_place()] = record, "crash", frozenset([record.order])

    def try_again(self, places, ends=None):
        """Parked items are tried again in the order of the queue; `ends` are refused, and why."""
        for place in sorted(places):
            item, kind, keys = self.queue[place]
            is_unread = isinstance(item, Unread)
            keys = keys if is_unread else keys | self._keys_of(item)
            if self._is_held(keys, place):
                self.queue[place] = item, "crash" if kind == "crash" else "behind", keys
                continue
            del self.queue[place]
            items = item.items if is_unread else (item,)
            if place in (ends or {}):
                self._end(items[0], "rejected", ends[place])
                self.never_read += items[1:]
            elif is_unread:
                for each in items:
                    self._turn(each, self._place_beside(place))
            else:
                self._turn(item, place, keys)

    def sweep(self):
        """What has waited too long ends; not while what it waits for may be parked."""
        parked = frozenset[str]().union(*(keys for *_, keys in self.queue.values()))
        for item, (key, expires) in list(self.waiting.items()):
            if expires <= self.minute and key not in parked:
                del self.waiting[item]
                is_of_order = key == item.order
                reason = "order_not_found" if is_of_order else "shipment_not_found"
                self._end(item, "rejected", reason)

    def due(self):
        """What the service tries again by itself, once it has rested."""
        return [place for place, (_, kind, _) in self.queue.items() if kind != "crash"]

    def line_of(self, place):
        """A place in the queue and all that stand behind it, also through others."""
        held, line = frozenset(), []
        for each, (*_, keys) in sorted(self.queue.items()):
            if each == place or (each > place and held & keys):
                held |= keys
                line.append(each)
        return line

    # The rules.

    def _turn(self, item, place, keys=frozenset()):
        """Decide an item, or park it at this place; then what waited for what it made appear,
        oldest first. `keys` are those that it was parked with.
        """
        if item.command.kind == "malformed":
            self._end(item, "rejected", "not_json")
            return
        due = deque(self._offer(item, place, keys))
        while due:
            due.extend(self._offer(due.popleft(), self._place_beside(place)))

    def _last_place(self):
        return (max((number for number, *_ in self.queue), default=0) + 1,)

    def _place_beside(self, place):
        """After the place, and after what stands beside it already."""
        beside = [each[len(place)] for each in self.queue if each[:-1] == place]
        return (*place, max(beside, default=0) + 1)

    def _offer(self, item, place, keys=frozenset()):
        """Decide an item or park it; returns the items that waited for what appeared."""
        is_repeat = any(waiting.id == item.id for waiting in self.waiting)
        keys |= self._keys_of(item)
        if self._is_held(keys, place):
            self.queue[place] = item, "behind", keys
        elif item.command.is_poison and not self.is_mended and not is_repeat:
            self.queue[place] = item, "decision", keys
        else:
            return self._woken(item, self._decide(item, is_repeat=is_repeat))
        return []

    def _woken(self, item, key):
        """What waited for the item's order, or for it to have a number; it waits no more."""
        woken = [each for each in self.waiting if each.order == item.order]
        woken = [each for each in woken if key is not None and self.waiting[each][0] == key]
        for each in woken:
            del self.waiting[each]
        return woken

    def _keys_of(self, item):
        """What an item is about: its order, its number, and all orders that have the number."""
        number = item.command.number
        sharing = {name for name, each in self.orders.items() if number in each.parcels.numbers}
        return frozenset([item.order, *([number, *sharing] if number else [])])

    def _is_held(self, keys, place):
        return any(earlier < place and held & keys for earlier, (*_, held) in self.queue.items())

    def _decide(self, item, *, is_repeat):
        """Returns the order or number that appeared, if any did."""
        command, order = item.command, self.orders.get(item.command.order)
        if is_repeat:
            self._end(item, "no_change", "duplicate")
        elif order is None and command.kind not in CREATING:
            self._wait(item, command.order)
        elif order is None:
            self.orders[command.order] = Order(command.city)
            self._take(item, "ORDER_PLACED")
            return command.order
        elif item.id in order.taken:
            self._end(item, "no_change", "duplicate")
        elif command.kind in OF_PARCELS:
            return self._decide_of_parcels(item, order)
        elif command.kind == "cancel":
            is_news, order.is_cancelled = not order.is_cancelled, True
            self._take(item, "ORDER_CANCELLED" if is_news else None)
        elif command.city == order.city:
            self._take(item, None)
        elif command.kind == "place":
            self._end(item, "rejected", "order_exists")
        else:
            order.city = command.city
            self._take(item, "ORDER_UPDATED")
        return None

    def _decide_of_parcels(self, item, order):
        """Returns the number, if the order has it from now on."""
        number, before = item.command.number, order.parcels.count
        try:
            events = order.parcels.change(item.command.kind, number)
        except Refused as refused:
            self._end(item, "rejected", str(refused))
        except Voided:
            order.taken.append(item.id)
            self._end(item, "no_change", "already_voided")
        except Absent:
            self._wait(item, number)
        else:
            order.tell_of_count(before, item.cause)
            self._take(item, *events)
            return number if "SHIPMENT_FULFILLED" in events else None
        return None

    def _wait(self, item, key):
        self.waiting[item] = key, self.minute + WAIT_MINUTES

    def _take(self, item, *events):
        """The order remembers the item; events say what changed, if anything did."""
        order = self.orders[item.command.order]
        order.taken.append(item.id)
        if not any(events):
            self._end(item, "no_change", "no_difference")
            return
        for event in events:
            order.tell(event, item.cause)
        self._end(item, "applied", None)

    def _end(self, item, outcome, reason):
        assert item.at not in self.outcomes, f"the model ends {item} twice"
        self.outcomes[item.at] = outcome, reason
