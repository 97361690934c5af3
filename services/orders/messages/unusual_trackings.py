"""Unusual trackings: several numbers in one field, and placeholders for the shop's own id."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from services.orders.domain.model.commands import Tracking
from services.orders.domain.model.joined_numbers import numbers_in
from services.orders.domain.model.placeholders import is_placeholder_id
from services.orders.domain.model.tracking_number import normalise_number
from services.orders.domain.model.warnings import FactWarning, WarningCode
from services.orders.domain.value import replace

_has_digit = re.compile("[1-9]").search


def is_any_unusual(trackings: Sequence[Tracking]) -> bool:
    """Whether a number may be several ones, or an `external_shipment_id` a placeholder."""
    for each in trackings:
        if not each.tracking_number.isalnum():
            return True
        external = each.external_shipment_id
        if external is not None and not _has_digit(external):
            return True
    return False


def read_unusual(
    trackings: Sequence[Tracking],
) -> tuple[tuple[Tracking, ...], tuple[FactWarning, ...]]:
    """The trackings with those of several numbers split and without placeholders for ids.

    Returns a warning for each change. A text that may hold several numbers without certainty stays
    as it is: the decision refuses it.
    """
    split: list[Tracking] = []
    warnings: list[FactWarning] = []
    for index, sent in enumerate(trackings):
        tracking, external = sent, sent.external_shipment_id
        if external is not None and is_placeholder_id(external):
            tracking = replace(sent, external_shipment_id=None)
            warnings.append(_id_left_out(external, sent.pointer(index)))
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


def own_id(external: str | None) -> tuple[str | None, tuple[FactWarning, ...]]:
    """The `external_shipment_id` that a command names a parcel by; a placeholder names none."""
    if external is None or not is_placeholder_id(external):
        return external, ()
    return None, (_id_left_out(external, ""),)


def _id_left_out(external: str, pointer: str) -> FactWarning:
    return FactWarning(
        code=WarningCode.VALUE_LEFT_OUT,
        pointer=f"{pointer}/external_shipment_id",
        detail=f"{external!r} is no id of a shipment; it is left out",
    )


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
