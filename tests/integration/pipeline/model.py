"""What must become of a shop's commands, by the specification alone.

Plain Python, one item after the other: no transaction, no batch, no position, nothing of ours.
"""

from collections import defaultdict, deque
from itertools import count

from schemas.identity import order_id, shipment_id
from tests.integration.pipeline.commands import (
    CREATING,
    HIDDEN_CAUSE,
    OF_PARCELS,
    REPORT,
    Unread,
    shop_of,
)
from tests.integration.pipeline.numbers import DAY, Number, Stay
from tests.integration.pipeline.orders import Order
from tests.integration.pipeline.parcels import Absent, Refused, Voided

WAIT_MINUTES = 15
REPORT_WAIT_MINUTES = 60 * DAY


class Model:
    """The shop's orders, what waits, what is parked, and how every item ended."""

    def __init__(self):
        self.minute = 0
        self.is_mended = False
        self.orders = {}
        self.waiting = {}  # Item -> what it waits for, and the minute it expires; oldest first.
        self.woken = {}  # Item -> the same, of items that what they waited for has woken.
        # Place -> (item, kind, keys: what it is about). Smaller places are earlier; what comes out
        # of (5,) while it is tried again is at (5, 1), (5, 2) and so on.
        self.queue = {}
        self.never_read = []  # Items of refused records, beside the first; they are not known.
        self.numbers = defaultdict(Number)
        self.ends = {}  # Where an item lies -> outcome and reason.
        self.turns = {}  # Item -> its turn among all that ever waited.
        self.later = count()
        self.reports = set()  # Where items lie that have no answer.

    @property
    def refused(self):
        """Why each item that was rejected was."""
        return {at: why for at, (outcome, why) in self.ends.items() if outcome == "rejected"}

    @property
    def outcomes(self):
        """What the senders of commands are answered."""
        return {at: end for at, end in self.ends.items() if at not in self.reports}

    # What happens to it.

    def arrive(self, item):
        """An item is read from the log."""
        self._turn(item, self._last_place())

    def park_unread(self, record):
        """A record is not read any more until an operator has it retried."""
        keys = [record.key, *(stay.order for stay in self.numbers[record.key].stays)]
        self.queue[self._last_place()] = record, "crash", frozenset(keys)

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
        expired = {
            item: key
            for item, (key, expires) in self.waiting.items()
            if expires <= self.minute and key not in parked
        }
        for item, key in expired.items():
            del self.waiting[item]
            is_report = item.command.kind == REPORT
            absent = "number_not_owned" if is_report else "shipment_not_found"
            self._end(item, "rejected", "order_not_found" if key == item.order else absent)
        for item in expired:
            self._forget_scans(item)

    def _forget_scans(self, report):
        """Without a parcel, scans are kept as long as a report of them waits, or any command."""
        number = self.numbers[report.command.number]
        is_awaited = report.command.number in [key for key, _ in self.waiting.values()]
        if report.command.kind == REPORT and not number.stays and not is_awaited:
            number.scans.clear()

    def due(self):
        """What the service tries again by itself, once it has rested: what failed, what is behind
        nothing any more, and what is directly behind one of these.
        """
        behind = {place: keys for place, (_, kind, keys) in self.queue.items() if kind == "behind"}
        heads = [place for place, keys in behind.items() if not self._is_held(keys, place)]
        heads += [place for place, (_, kind, _) in self.queue.items() if kind == "decision"]
        more = []
        for place, keys in behind.items():
            if any(head < place and keys & self.queue[head][2] for head in heads):
                more.append(place)
        return {*heads, *more}

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
            woken = due.popleft()
            due.extend(self._offer(woken, self._place_beside(place)))
            self.woken.pop(woken, None)

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
        """What waited for the item's order, or for a number that it has; it waits no more."""
        woken = [each for each in self.waiting if each.order in (item.order, "")]
        woken = [each for each in woken if key is not None and self.waiting[each][0] == key]
        for each in woken:
            self.woken[each] = self.waiting.pop(each)
        return woken

    def _keys_of(self, item):
        """What an item is about: its order, its number, and all orders that have the number."""
        number = item.command.number
        sharing = [stay.order for stay in self.numbers[number].stays]
        return frozenset(filter(None, [item.order, number, *sharing]))

    def _is_held(self, keys, place):
        return any(earlier < place and held & keys for earlier, (*_, held) in self.queue.items())

    def _decide(self, item, *, is_repeat):
        """Returns the order or number that appeared, if any did."""
        command, order = item.command, self.orders.get(item.command.order)
        if is_repeat:
            self._end(item, "no_change", "duplicate")
        elif command.kind == REPORT:
            self._decide_report(item)
        elif order is None and command.kind not in CREATING:
            self._wait(item, command.order)
        elif order is None:
            self.orders[command.order] = Order(command.city, self.minute)
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
        number, count = item.command.number, order.parcels.count
        held = set(order.parcels.numbers) - {None}
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
            order.tell_of_count(count, item.cause)
            self._take(item, *events)
            has = set(order.parcels.numbers) - {None}
            for each in (*(held - has), *(has - held)):
                self._move(item, each, has)
            return number if has - held else None
        return None

    def _move(self, item, number, has):
        """An order has lost a number, or got it: it sees its scans, and others may see others."""
        numbers, order = self.numbers[number], self.orders[item.order]
        before = numbers.seen()
        numbers.stays = [stay for stay in numbers.stays if stay.order != item.order]
        if number in has:
            id_ = order_id(shop_of(item.order), item.order)
            shipment = str(shipment_id(id_, order.parcels.place_of(number)))
            numbers.stays.append(Stay(item.order, shipment, self.minute, order.placed))
        self._tell_of_scans(item, numbers, before, numbers.scans if number in has else ())

    def _decide_report(self, item):
        number = self.numbers[item.command.number]
        scans = dict(item.command.scans).keys()
        new = scans - number.scans
        if not new and item in self.woken and not scans & number.seen_by_any():
            self._wait_on(item)
            return
        if not new:
            self._end(item, "no_change", "duplicate")
            return
        before = number.seen()
        number.scans.update(item.command.scans)
        is_told = self._tell_of_scans(item, number, before, new)
        if is_told or any(new.intersection(seen) for seen in number.seen().values()):
            self._end(item, "applied", None)
        else:
            self._wait(item, item.command.number)

    def _tell_of_scans(self, item, number, before, new):
        """Publish new scans to those who see them, and states that are other ones without; after a
        command, to its own order alone. Returns whether anything was published.
        """
        is_told = False
        for order, seen in number.seen().items():
            is_own = item.command.kind == REPORT or order == item.order
            names = [number.scans[at] for at in seen if is_own and at in new]
            if not names and number.state_of(before.get(order, ())) != number.state_of(seen):
                names = ["SHIPMENT_UPDATED"]
            is_shown = is_own or shop_of(order) == shop_of(item.order)
            for name in names:
                self.orders[order].tell(name, item.cause if is_shown else HIDDEN_CAUSE)
                is_told = True
        return is_told

    def _wait_on(self, item):
        """A report whose scans no parcel sees goes on waiting where it stood (wait.md)."""
        waiting = {**self.waiting, item: self.woken[item]}
        self.waiting = dict(sorted(waiting.items(), key=lambda each: self.turns[each[0]]))

    def _wait(self, item, key):
        minutes = REPORT_WAIT_MINUTES if item.command.kind == REPORT else WAIT_MINUTES
        self.waiting[item] = key, self.minute + minutes
        self.turns[item] = next(self.later)

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
        assert item.at not in self.ends, f"the model ends {item} twice"
        self.ends[item.at] = outcome, reason
        if item.command.kind == REPORT:
            self.reports.add(item.at)
