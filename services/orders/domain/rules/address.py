"""Address: what is left of a delivery address when a command says parts of another one."""

from __future__ import annotations

from services.orders.domain.model.order import Address
from services.orders.domain.value import replace

_PLACE = (
    "address_line_1",
    "address_line_2",
    "street",
    "city",
    "zip_code",
    "province",
    "province_code",
    "country",
    "country_code",
)
"""The members that are one place; name, phone and company stand each for itself."""


def merge_address(held: Address, said: Address, nulls: tuple[str, ...] = ()) -> Address:
    """The address after a command; members of `said` that are None are not said, `nulls` are null.

    A place is one thing, as half of each of two is no place: where one of its members is said, the
    others are replaced with it, said or not. Name, phone and company stay when they are not said. A
    member that is null is cleared; null alone says no other place.
    """
    if nulls:
        said = replace(said, **dict.fromkeys(nulls))
    if not _has_place(said):
        place = {name: getattr(held, name) for name in _PLACE if name not in nulls}
        said = replace(said, **place)
    kept = {}
    if held.name is not None and said.name is None and "name" not in nulls:
        kept["name"] = held.name
    if held.phone is not None and said.phone is None and "phone" not in nulls:
        kept["phone"] = held.phone
    if held.company is not None and said.company is None and "company" not in nulls:
        kept["company"] = held.company
    return replace(said, **kept) if kept else said


def _has_place(said: Address) -> bool:
    """Whether a member of the place is said. Written out, as it is asked of every order."""
    return bool(
        said.zip_code
        or said.city
        or said.street
        or said.address_line_1
        or said.country_code
        or said.country
        or said.province
        or said.province_code
        or said.address_line_2
    )
