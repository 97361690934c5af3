"""Orders whose customers are not content: claims opened, decided, withdrawn."""

from __future__ import annotations

from collections.abc import Callable

from demo.parcels import Parcel
from demo.stories import HOME, SCANS_BEFORE_DELIVERY
from demo.story import Story

PHOTO = "https://evidence.example/photo-1.jpg"


def broken_on_arrival(story: Story) -> None:
    """One piece arrived broken; the customer sends pictures."""
    parcel = _delivered(story)
    item = {"sku": story.products[0]["sku"], "title": story.products[0]["title"], "quantity": 1}
    story.complain(
        parcel,
        "partial_damage",
        selected_items=[item],
        image_urls=[PHOTO],
        resolution_preference="reorder",
        description="The handle came off",
    )


def all_broken(story: Story) -> None:
    """The whole parcel arrived broken."""
    story.complain(_delivered(story), "damage", image_urls=[PHOTO], resolution_preference="refund")


def not_received(story: Story) -> None:
    """The carrier says delivered, the customer says not."""
    story.complain(_delivered(story), "investigation", dropoff_permission=False)


def question(story: Story) -> None:
    """A question while the parcel is under way."""
    story.order().wait(4)
    parcel = story.ship()
    story.scan(parcel, *SCANS_BEFORE_DELIVERY).wait(1)
    story.complain(parcel, "support", description="Can I change the floor?")


def accepted(story: Story) -> None:
    """Broken, accepted, and closed when the money is back."""
    all_broken(story)
    story.wait(20).decide("accepted", "pictures are clear").wait(30).decide("closed", "paid")


def turned_up(story: Story) -> None:
    """Not received, says the customer, and then finds it at the neighbour's."""
    not_received(story)
    story.wait(5).withdraw("the neighbour had it")


def sends_back(story: Story) -> None:
    """The customer wants to return it."""
    story.complain(_delivered(story), "return", resolution_preference="refund")


def _delivered(story: Story) -> Parcel:
    story.order().wait(6)
    parcel = story.ship()
    story.scan(parcel, *HOME).wait(8)
    return parcel


Complaint = Callable[[Story], None]

COMPLAINTS: tuple[Complaint, ...] = (
    broken_on_arrival,
    all_broken,
    not_received,
    question,
    accepted,
    turned_up,
    sends_back,
)
