"""Referrals: the keys that are kept of the link that led to an order, and of its address."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from urllib.parse import parse_qsl, urlsplit

from pydantic_core import PydanticCustomError

from schemas import orders as shapes
from schemas.values import timestamp
from services.orders.domain.model.campaigns import Referral

# Keys of an address, each with the member it is. Of two keys for one member the first goes before.
KEYS: Mapping[str, str] = {
    "of_campaign": "campaign_id",
    "of_code": "campaign_code",
    "utm_campaign": "campaign_code",
    "utm_source": "source",
    "utm_medium": "medium",
    "utm_content": "content",
    "utm_term": "term",
    "of_product": "product_sku",
    "of_channel": "channel",
    "of_session": "session_id",
    "of_clicked_at": "clicked_at",
}
TEXT_MAX = 255
CHANNEL_MAX = 64
_TEXTS = tuple(each for each in dict.fromkeys(KEYS.values()) if each != "clicked_at")


def referral_of(said: shapes.OrderReferral) -> Referral | None:
    """The referral of a message; None where nothing is said that is kept.

    A member that is said goes before the same key in the address. Nothing else of the address is
    kept: it may hold personal data.
    """
    found = dict(_read_address(said.landing_url)) if said.landing_url else {}
    texts = {name: getattr(said, name) or found.get(name) for name in _TEXTS}
    clicked_at = said.clicked_at or _moment(found.get("clicked_at"))
    if clicked_at is None and not any(texts.values()):
        return None
    return Referral(**texts, clicked_at=clicked_at)


def _read_address(address: str) -> Iterator[tuple[str, str]]:
    """The members in the query of an address; of a key that stands twice the first counts."""
    try:
        pairs = parse_qsl(urlsplit(address).query)
    except ValueError:  # A host that is none: it describes, and nothing is kept.
        return
    query: dict[str, str] = {}
    for key, value in pairs:
        if "\x00" not in value and "\ufffd" not in value and value.strip():
            query.setdefault(key, value.strip())
    for key, member in reversed(tuple(KEYS.items())):
        if key in query:
            yield member, query[key][: CHANNEL_MAX if member == "channel" else TEXT_MAX]


def _moment(text: str | None) -> datetime | None:
    """The time of a click; one that cannot be read is left out."""
    if text is None:
        return None
    try:
        return timestamp(text.replace(" ", "+"))  # A plus of an offset that was not escaped.
    except PydanticCustomError:
        return None
