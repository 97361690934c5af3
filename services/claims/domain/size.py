"""Size: what a claim says goes out whole in each of its events, so it must fit into one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from services.claims.domain.claim import ClaimItem, Evidence
from services.claims.domain.reasons import Refusal, Refused

BYTES_MAX = 512 * 1024
"""Most bytes of a claim's texts as JSON. An event holds 900 KiB, and its claim is never cut."""


def check(description: str | None, items: Sequence[ClaimItem], evidence: Evidence) -> None:
    """Raise Refused when the texts together could make the claim's events too large to send."""
    texts = (description or "", *_of_items(items), *_of_evidence(evidence))
    size = sum(map(len, map(msgspec.json.encode, texts)))
    if size > BYTES_MAX:
        raise Refused(Refusal.CLAIM_TOO_LARGE, size=size, limit=BYTES_MAX)


def _of_items(items: Sequence[ClaimItem]) -> Iterator[str]:
    for item in items:
        yield item.sku or ""
        yield item.title or ""
        yield from item.image_urls


def _of_evidence(evidence: Evidence) -> Iterator[str]:
    yield from evidence.image_urls
    yield from evidence.optional_image_urls
    yield evidence.customer_signature_image_url or ""
