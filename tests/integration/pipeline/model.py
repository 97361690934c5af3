"""What must become of a shop's commands, by the specification alone.

Plain Python, one item after the other: no transaction, no batch, no position, nothing of ours.
"""

from dataclasses import dataclass

WAIT_MINUTES = 15
POISON = "POISON"
CREATING = ("place", "upsert")


@dataclass(frozen=True)
class Command:
    """What one item asks; `malformed` asks nothing. Of a cancel, the city is why."""

    kind: str
    order: str
    city: str = ""

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
    is_cancelled: bool
    events: list
    taken: list


class Model:
    """The shop's orders, what waits, what is parked, and how every item ended."""

    def __init__(self):
        self.minute = 0
        self.is_mended = False
        self.orders = {}
        self.waiting = {}  # Item -> the minute it expires, oldest first.
        # Place -> (item, kind). Smaller places are earlier; what comes out of (5,) while it is
        # tried again is at (5, 1), (5, 2) and so on.
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
        self.queue[self._last_place()] = record, "crash"

    def try_again(self, places, ends=None):
        """Parked items are tried again in the order of the queue; `ends` are refused, and why."""
        for place in sorted(places):
            item, kind = self.queue[place]
            if self._is_held(item, place):
                self.queue[place] = item, "crash" if kind == "crash" else "behind"
                continue
            del self.queue[place]
            items = item.items if isinstance(item, Unread) else (item,)
            if place in (ends or {}):
                self._end(items[0], "rejected", ends[place])
                self.never_read += items[1:]
            elif isinstance(item, Unread):
                for each in items:
                    self._turn(each, self._place_beside(place))
            else:
                self._turn(item, place)

    def sweep(self):
        """What has waited too long ends; not while what it waits for may be parked."""
        parked = {item.order for item, _ in self.queue.values()}
        for item, expires in list(self.waiting.items()):
            if expires <= self.minute and item.order not in parked:
                del self.waiting[item]
                self._end(item, "rejected", "order_not_found")

    def due(self):
        """What the service tries again by itself, once it has rested."""
        return [place for place, (_, kind) in self.queue.items() if kind != "crash"]

    def line_of(self, place):
        """A place in the queue and all that stand behind it."""
        order = self.queue[place][0].order
        return [
            each for each, (item, _) in self.queue.items() if each >= place and item.order == order
        ]

    # The rules.

    def _turn(self, item, place):
        """Decide an item, or park it at this place; then what waited for the order it made appear,
        oldest first.
        """
        if item.command.kind == "malformed":
            self._end(item, "rejected", "not_json")
            return
        was_there = item.order in self.orders
        self._offer(item, place)
        if not was_there and item.order in self.orders:
            called = [waiting for waiting in self.waiting if waiting.order == item.order]
            for waiting in called:
                del self.waiting[waiting]
            for waiting in called:
                self._offer(waiting, self._place_beside(place))

    def _last_place(self):
        return (max((number for number, *_ in self.queue), default=0) + 1,)

    def _place_beside(self, place):
        """After the place, and after what stands beside it already."""
        beside = [each[len(place)] for each in self.queue if each[:-1] == place]
        return (*place, max(beside, default=0) + 1)

    def _offer(self, item, place):
        is_repeat = any(waiting.id == item.id for waiting in self.waiting)
        if self._is_held(item, place):
            self.queue[place] = item, "behind"
        elif item.command.is_poison and not self.is_mended and not is_repeat:
            self.queue[place] = item, "decision"
        else:
            self._decide(item, is_repeat=is_repeat)

    def _is_held(self, item, place):
        return any(
            earlier < place and parked.order == item.order
            for earlier, (parked, _) in self.queue.items()
        )

    def _decide(self, item, *, is_repeat):
        command, order = item.command, self.orders.get(item.command.order)
        if is_repeat:
            self._end(item, "no_change", "duplicate")
        elif order is None and command.kind not in CREATING:
            self.waiting[item] = self.minute + WAIT_MINUTES
        elif order is None:
            self.orders[command.order] = Order(command.city, False, [], [])
            self._take(item, "ORDER_PLACED")
        elif item.id in order.taken:
            self._end(item, "no_change", "duplicate")
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

    def _take(self, item, event):
        """The order remembers the item; an event says what changed, if anything did."""
        order = self.orders[item.command.order]
        order.taken.append(item.id)
        if event is None:
            self._end(item, "no_change", "no_difference")
            return
        number = len(order.events) + 1  # On its one topic, and so over all.
        order.events.append((number, number, event, item.cause))
        self._end(item, "applied", None)

    def _end(self, item, outcome, reason):
        assert item.at not in self.outcomes, f"the model ends {item} twice"
        self.outcomes[item.at] = outcome, reason
