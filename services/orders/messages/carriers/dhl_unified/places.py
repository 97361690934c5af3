"""Places of DHL: towns behind which services write the state and the country."""

from __future__ import annotations

from typing import Any

from schemas.codes import country_of
from services.orders.domain.tracking.scan import Location
from services.orders.messages.carriers.plain import location, member, text

_COUNTRY_MIN = 4
"""Fewest letters of a country behind a comma; shorter ones may be a state."""
_WITH_STATES = ("US", "CA")


def place_of(said: Any) -> Location | None:
    """The place of an event, of a folded location."""
    address = member(said, "address")
    town, country = _town(
        text(member(address, "addresslocality")), text(member(address, "countrycode"))
    )
    state = text(member(address, "addressregion"))
    if town and state is None and country_of(country or "") in _WITH_STATES:
        town, state = _state(town)
    return location(
        city=town,
        postal_code=member(address, "postalcode"),
        province=state,
        country=country,
    )


def _town(said: str | None, country: str | None) -> tuple[str | None, str | None]:
    """Town and country: some services write the country for the town, or behind it."""
    if said is None or (country is None and _is_country(said, None)):
        return None, country or said
    for separator in (" - ", ", "):
        town, found, land = said.rpartition(separator)
        is_sure = country is not None or separator == " - " or len(land) >= _COUNTRY_MIN
        if found and is_sure and _is_country(land, country):
            return town, country or land
    return said, country


def _is_country(said: str, country: str | None) -> bool:
    """Whether a word is a country, and the one that is said in a field of its own."""
    found = country_of(said)
    return found is not None and (country is None or found == country_of(country))


def _state(town: str) -> tuple[str, str | None]:
    """Town and state, of `Compton, CA`."""
    name, found, state = town.rpartition(", ")
    is_state = bool(found) and len(state) == 2 and state.isalpha() and state.isupper()
    return (name, state) if is_state else (town, None)
