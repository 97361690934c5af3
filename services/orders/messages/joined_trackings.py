"""Joined trackings: a tracking whose field holds several numbers is read as several trackings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from services.orders.domain.model.commands import Tracking
from services.orders.domain.model.joined_numbers import numbers_in
from services.orders.domain.model.tracking_number import normalise_number
from services.orders.domain.model.warnings import FactWarning, WarningCode
from services.orders.domain.value import replace


def is_any_joined(trackings: Sequence[Tracking]) -> bool:
    """Whether a number has other characters than letters and digits, and so may be several."""
    for each in trackings:  # noqa: SIM110 - `any` makes a generator for every command
        if not each.tracking_number.isalnum():
            return True
    return False


def split_joined(
    trackings: Sequence[Tracking],
) -> tuple[tuple[Tracking, ...], tuple[FactWarning, ...]]:
    """The trackings with those of several numbers split, and a warning for each that is.

    A text that may hold several numbers without certainty stays as it is: the decision refuses it.
    """
    split: list[Tracking] = []
    warnings: list[FactWarning] = []
    for index, tracking in enumerate(trackings):
        numbers = numbers_in(tracking.tracking_number)
        if not numbers:
            split.append(replace(tracking, position=index))
            continue
        split.extend(_parts(tracking, index, numbers))
        warnings.append(
            FactWarning(
                code=WarningCode.VALUE_READ_AS,
                pointer=f"{tracking.pointer(index)}/tracking_number",
                detail=f"the field holds {len(numbers)} tracking numbers; it is read as "
                f"{len(numbers)} trackings of one delivery",
            )
        )
    return tuple(split), tuple(warnings)


def _parts(tracking: Tracking, index: int, numbers: tuple[str, ...]) -> Iterator[Tracking]:
    """A tracking for each number, with the other members that hold for all of them.

    A list of products is the delivery's: it counts once. A link that names numbers of the field is
    kept for these only.
    """
    normalised = tuple(map(normalise_number, numbers))
    link = normalise_number(tracking.tracking_url or "")
    linked = {number for number in normalised if number in link}
    is_list_shared = bool(tracking.products) and tracking.external_shipment_id is None
    for number, text in zip(normalised, numbers, strict=True):
        yield replace(
            tracking,
            tracking_number=text,
            tracking_url=tracking.tracking_url if not linked or number in linked else None,
            delivery=",".join(normalised) if is_list_shared else None,
            position=index,
        )
