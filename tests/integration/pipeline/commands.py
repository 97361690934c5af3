"""What the machine sends: commands of shops and reports of carriers, as items of records."""

from dataclasses import dataclass

SHOP, OTHER_SHOP = "demo-shop", "other-shop"
HIDDEN_CAUSE = "orderflow/shared-number"
"""How the cause of an event begins that the command of another shop caused."""
POISON = "POISON"
CREATING = ("place", "upsert")
REPORT = "report"
OF_PARCELS = ("attach", "attach_to_delivery", "correct", "void")


def shop_of(order):
    """Two shops; order numbers are of one of them each."""
    return OTHER_SHOP if order in ("5", "6") else SHOP


@dataclass(frozen=True)
class Command:
    """What one item asks; `malformed` asks nothing. Of a cancel or void, the city is why."""

    kind: str
    order: str
    city: str = ""
    number: str = ""
    """The tracking number that it is about, of those `OF_PARCELS` and of a `report`."""
    scans: tuple = ()
    """Of a report, which is of no order: the times and names of its scans."""

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
    key: str
    items: tuple[Item, ...]
