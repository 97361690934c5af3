"""The words of the contract: open ones a reader may not know yet, and those that decide."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import GetJsonSchemaHandler
from pydantic_core import CoreSchema


class OpenWord(StrEnum):
    """A describing word. One that is not known becomes `fallback()`; it never fails a message."""

    @classmethod
    def fallback(cls) -> OpenWord:
        """The member an unknown word is read as: the first one."""
        return next(iter(cls))

    @classmethod
    def _missing_(cls, value: object) -> OpenWord | None:
        if not isinstance(value, str):
            return None
        lowered = value.strip().lower()
        return next((word for word in cls if word.value == lowered), cls.fallback())

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        known = [word.value for word in cls]
        return {"type": "string", "x-known-values": known, "x-unknown-becomes": cls.fallback()}


class ProductType(OpenWord):
    """What a line is; unknown words become `product`."""

    PRODUCT = "product"
    BUNDLE = "bundle"


class Precision(OpenWord):
    """How exactly a carrier knows the time of a scan; unknown words become `second`."""

    SECOND = "second"
    MINUTE = "minute"
    DAY = "day"


class Direction(OpenWord):
    """Which way a parcel travels; unknown words become `merchant_customer`."""

    MERCHANT_CUSTOMER = "merchant_customer"
    CUSTOMER_MERCHANT = "customer_merchant"


class PickupType(OpenWord):
    """Where a parcel waits for its customer; unknown words become `unknown`."""

    UNKNOWN = "unknown"
    SHOP = "shop"
    NEIGHBOR = "neighbor"
    LOCKER = "locker"
    LETTERBOX = "letterbox"


class IdType(StrEnum):
    """What an `id` names. Decides which order is meant, so an unknown word is refused."""

    ORDER_NUMBER = "order_number"
    EXTERNAL_ID = "external_id"
    ORDER_NAME = "order_name"
    UUID = "uuid"


class ClaimReason(StrEnum):
    """Why a customer claims; `investigation` means not received. An unknown word is refused."""

    DAMAGE = "damage"
    PARTIAL_DAMAGE = "partial_damage"
    INVESTIGATION = "investigation"
    SUPPORT = "support"
    RETURN = "return"


class ClaimStatus(StrEnum):
    """Where a claim stands. An unknown word is refused."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    CLOSED = "closed"


class ResolutionPreference(StrEnum):
    """What the customer would like. Decides what is paid, so an unknown word is refused."""

    REFUND = "refund"
    REORDER = "reorder"


CARRIERS = (
    "amz",
    "brt",
    "depost",
    "dhl",
    "dhlexp",
    "dhl_old",
    "dhl2man",
    "dpd",
    "dpdn",
    "dpduk",
    "gls",
    "gls_es",
    "goexp",
    "hrs",
    "postat",
    "rhe",
    "royalmail",
    "swisspost",
    "ups",
    "bpost",
    "dao",
    "anpost",
    "bring",
    "posti",
    "postnl_inter",
    "usps",
    "fedex",
    "postnord",
    "parcelone",
    "dachser",
    "asendia_de",
)
"""The carrier keys known today (those of Karla's API); others are taken as they come."""
