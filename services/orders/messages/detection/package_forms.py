"""Forms of the package `tracking-numbers`: check digits and lists of service types.

The package is made of the data of https://github.com/jkeen/tracking_number_data. Its own entry
point, `get_tracking_number`, is not used: it ends at the first form that is valid, drops a number
with one wrong digit, and fails on a UPS number that ends in a letter.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct
from tracking_numbers import DEFINITIONS
from tracking_numbers.definition import TrackingNumberDefinition


class PackageMatch(Struct, frozen=True, gc=False):
    """A number read by a form of the package. `service` is None where the form has none."""

    is_valid: bool
    check_digit: str
    service: str | None
    is_known_service: bool


DEFINITIONS_BY_NAME: Mapping[str, TrackingNumberDefinition] = MappingProxyType(
    {each.product.name: each for each in DEFINITIONS}
)


def read(definition: TrackingNumberDefinition, number: str) -> PackageMatch | None:
    """Read a number of ASCII letters and digits; None where it has not the form."""
    match = definition.number_regex.fullmatch(number)
    if match is None:
        return None
    found = match.groupdict()
    check_digit = found["CheckDigit"]
    service = found.get("ServiceType")
    return PackageMatch(
        is_valid=_is_valid(definition, found["SerialNumber"], check_digit),
        check_digit=check_digit,
        service=service,
        is_known_service=service is None or _is_known(definition, "ServiceType", service),
    )


def _is_valid(definition: TrackingNumberDefinition, serial: str, check_digit: str) -> bool:
    validator = definition.checksum_validator
    if validator is None or not check_digit.isdecimal():
        return False
    parsed = definition.serial_number_parser.parse(serial)
    return bool(validator.passes(parsed, int(check_digit)))


def _is_known(definition: TrackingNumberDefinition, group: str, value: str) -> bool:
    return all(
        any(each.matches(value) for each in validation.value_matchers)
        for validation in definition.additional_validations
        if validation.regex_group_name == group
    )
