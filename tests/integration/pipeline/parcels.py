"""The parcels of one order and their tracking numbers, by the specification alone.

The order expects one parcel. Numbers are given alone, or under `F1`, the id of its one delivery.
"""

from __future__ import annotations

from dataclasses import dataclass, field

F1 = "f1"
FULFILLED, RELEASED, UPDATED = "SHIPMENT_FULFILLED", "SHIPMENT_RELEASED", "SHIPMENT_UPDATED"


class Refused(Exception):
    """A command that is rejected; the reason."""


class Voided(Exception):
    """A void of a number that was taken off before."""


class Absent(Exception):
    """The order has not the number that a command is about; the command waits for it."""


@dataclass
class Parcels:
    """By ordinal the number of each parcel and whether it is of the delivery; None for a draft."""

    held: dict[int, tuple[str | None, bool]] = field(default_factory=lambda: {1: (None, False)})
    voided: set[str] = field(default_factory=set)

    @property
    def numbers(self) -> list[str | None]:
        """The numbers, by ordinal."""
        return [number for _, (number, _) in sorted(self.held.items())]

    @property
    def count(self) -> int:
        """How many have a number."""
        return sum(number is not None for number in self.numbers)

    def change(self, kind: str, number: str) -> list[str]:
        """Carry out a command; returns the names of its events of shipments.

        Raises:
            Refused, Voided, Absent: it changes nothing.
        """
        return {
            "attach": self._attach,
            "attach_to_delivery": self._attach_to_delivery,
            "correct": self._correct,
            "void": self._void,
        }[kind](number)

    def _attach(self, number: str) -> list[str]:
        if number in self.numbers:
            return []
        self.held[self._free()] = number, False
        return [FULFILLED]

    def _attach_to_delivery(self, number: str) -> list[str]:
        """A number that the order has not replaces the first of the delivery."""
        if number in self.numbers:
            place = self.place_of(number)
            is_news = not self.held[place][1]
            self.held[place] = number, True
            return [UPDATED] if is_news else []
        delivery = self._delivery()
        if delivery:
            return self._replace(delivery[0], number)
        self.held[self._free()] = number, True
        return [FULFILLED]

    def _correct(self, number: str) -> list[str]:
        """`shipment.update` of the delivery: another number is its number from now on."""
        delivery = self._delivery()
        if not delivery:
            raise Refused("shipment_not_found")
        if number in [self.held[place][0] for place in delivery]:
            return []
        if number in self.numbers:
            raise Refused("number_on_order")
        if len(delivery) > 1:
            raise Refused("shipment_ambiguous")
        return self._replace(delivery[0], number)

    def _void(self, number: str) -> list[str]:
        if number not in self.numbers:
            if number in self.voided:
                raise Voided
            raise Absent
        self.held[self.place_of(number)] = None, False
        self.voided.add(number)
        drafts = sorted(place for place, (held, _) in self.held.items() if held is None)
        for place in drafts[max(0, 1 - self.count) :]:
            del self.held[place]
        return [RELEASED]

    def _replace(self, place: int, number: str) -> list[str]:
        former, _ = self.held[place]
        self.voided.add(former)
        self.held[place] = number, True
        return [RELEASED, FULFILLED]

    def _delivery(self) -> list[int]:
        return sorted(place for place, (_, is_of_it) in self.held.items() if is_of_it)

    def place_of(self, number: str) -> int:
        """The ordinal of the parcel with a number."""
        return next(place for place, (held, _) in self.held.items() if held == number)

    def _free(self) -> int:
        """The lowest draft, else the lowest ordinal that is free."""
        drafts = [place for place, (number, _) in self.held.items() if number is None]
        free = [place for place in range(1, len(self.held) + 2) if place not in self.held]
        return min(drafts or free)
