"""Patterns of the contract's texts, and in words what a text must be to match each."""

from __future__ import annotations

# No C0 or C1 control characters: they cannot be shown, and Postgres cannot hold U+0000.
_PRINTABLE = r"[^\x00-\x1f\x7f-\x9f]"

NO_NUL = r"^[^\x00]*$"
PRINTABLE = rf"^{_PRINTABLE}+$"
URL = r"^https?://[^\s\x00-\x1f\x7f-\x9f]+$"
SHOP_SLUG = r"^[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?$"
# The pattern of release 1 took no slash, and stands first for the gate.
ORDER_NUMBER = (
    r"^[^\s/\x00-\x1f\x7f-\x9f](?:[^/\x00-\x1f\x7f-\x9f]*[^\s/\x00-\x1f\x7f-\x9f])?$"
    r"|^[^\s\x00-\x1f\x7f-\x9f](?:[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
)
# Three letters or digits at least: all else is left out when numbers are compared. The services
# judge a number that has other characters than ASCII, one without any letter and digit, and what is
# written in place of a number (n/a, 0).
TRACKING_NUMBER = (
    r"^(?:[^A-Za-z0-9\x00-\x1f\x7f-\x9f]*[A-Za-z0-9]){3}[^\x00-\x1f\x7f-\x9f]*$"
    r"|^(?:[^A-Za-z0-9\x00]*[A-Za-z0-9]){3}[^\x00]*$"
    r"|^[^A-Za-z0-9\x00]*$"
    r"|^[^A-Za-z0-9\x00]*(?:[A-Za-z][^A-Za-z0-9\x00]*){1,2}$"
    r"|^[^A-Za-z0-9\x00]*(?:0[^A-Za-z0-9\x00]*){1,2}$"
    r"|^[^\x00]*[^\x00-\x7f][^\x00]*$"
)
CARRIER_REFERENCE = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
CURRENCY = r"^[A-Za-z]{3}$"
COUNTRY_CODE = r"^[A-Za-z]{2}$"
DESTINATION_ID = r"^[a-z0-9][a-z0-9._-]*$"
CAMPAIGN_ID = r"^[A-Za-z0-9][A-Za-z0-9._:-]*$"
_IN_URL = r"[^\s{}\x00-\x1f\x7f-\x9f]"
ORDER_URL = (
    r"^https?://[^\s{}/?#\x00-\x1f\x7f-\x9f]+/"
    rf"{_IN_URL}*(\{{(order_number|order_id|external_id)\}}{_IN_URL}*)+$"
)
FILTER = r"^(\*|[a-z]+(/[A-Za-z0-9_]+){0,2})$"
EVENT_GROUP = r"^[a-z0-9_]+$"

IN_WORDS = {
    NO_NUL: "must not have the character U+0000",
    PRINTABLE: "must not have control characters",
    URL: "must be a link that begins with http:// or https:// and has no spaces",
    SHOP_SLUG: (
        "must be lower-case letters, digits and . _ - between them, like demo-shop; "
        "no spaces and no capitals"
    ),
    ORDER_NUMBER: "must have no control characters, and no space at the beginning or the end",
    TRACKING_NUMBER: "must have at least three letters or digits",
    CARRIER_REFERENCE: "must be a carrier key: letters, digits and . _ -, like dhl",
    CURRENCY: "must be a code of ISO 4217, like EUR",
    COUNTRY_CODE: "must be a code of ISO 3166-1, like DE",
    DESTINATION_ID: (
        "must begin with a lower-case letter or a digit, and have only these and . _ -, like erp"
    ),
    CAMPAIGN_ID: (
        "must begin with a letter or a digit, and have only these and . _ : -, like spring-2026"
    ),
    ORDER_URL: (
        "must be a link with a path that has {order_number}, {order_id} or {external_id} and no "
        "other braces or spaces, like https://shop.example/orders/{order_number}"
    ),
    FILTER: "must be * or a source, a source/phase or a whole ref, like shipments/delivered",
    EVENT_GROUP: "must have only lower-case letters, digits and _, like shipment_delivered",
}
"""What a text must be, by pattern; part of the message of an error."""
