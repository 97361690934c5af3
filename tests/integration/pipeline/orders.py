"""One order of the model, and how its events are numbered."""

from dataclasses import dataclass, field

from tests.integration.pipeline.parcels import Parcels


@dataclass
class Order:
    """One order, its published events, and the items it remembers."""

    city: str
    placed: int
    is_cancelled: bool = False
    events: list = field(default_factory=list)
    taken: list = field(default_factory=list)
    parcels: Parcels = field(default_factory=Parcels)

    def tell(self, name, cause):
        """Publish an event: numbered on its topic, and over both."""
        is_of_order = name.startswith("ORDER_")
        before = [each for *_, each, _ in self.events if each.startswith("ORDER_") is is_of_order]
        self.events.append((len(before) + 1, len(self.events) + 1, name, cause))

    def tell_of_count(self, before, cause):
        """Publish what the number of parcels changes of the order, if it changes anything."""
        after = self.parcels.count
        if not self.is_cancelled and (before == 0) is not (after == 0):
            self.tell("ORDER_FULFILLED" if after else "ORDER_UPDATED", cause)
        elif max(before, 1) != max(after, 1):
            self.tell("ORDER_EXPECTED_SHIPMENTS_CHANGED", cause)
