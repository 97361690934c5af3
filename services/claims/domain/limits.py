"""Limits of a claim: links to evidence only over https, and texts that fit into every event."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from services.claims.domain.claim import ClaimItem, Evidence
from services.claims.domain.reasons import RejectionReason, RuleBroken

LINKS_MAX = 50
"""Most links of one claim, including those of its items."""
BYTES_MAX = 512 * 1024
"""Most bytes of a claim's texts as JSON. An event holds 900 KiB, and its claim is never cut."""


def check_evidence(evidence: Evidence, items: Sequence[ClaimItem]) -> None:
    """Check the links of a claim.

    Raises:
        RuleBroken: a link is not https, or there are too many links.
    """
    count = 0
    for pointer, link in _links(evidence, items):
        count += 1
        if not link.lower().startswith("https://"):
            raise RuleBroken(RejectionReason.EVIDENCE_NOT_HTTPS, pointer)
    if count > LINKS_MAX:
        raise RuleBroken(RejectionReason.TOO_MANY_EVIDENCE_LINKS, count=count, limit=LINKS_MAX)


def check_size(description: str | None, items: Sequence[ClaimItem], evidence: Evidence) -> None:
    """Check the size of all texts of a claim together.

    Raises:
        RuleBroken: the texts could make the claim's events too large to send.
    """
    texts = (description or "", *_item_texts(items), *_evidence_texts(evidence))
    size = sum(map(len, map(msgspec.json.encode, texts)))
    if size > BYTES_MAX:
        raise RuleBroken(RejectionReason.CLAIM_TOO_LARGE, size=size, limit=BYTES_MAX)


def _links(evidence: Evidence, items: Sequence[ClaimItem]) -> Iterator[tuple[str, str]]:
    """All links, each with its JSON pointer in the command."""
    yield from _numbered("/image_urls", evidence.image_urls)
    yield from _numbered("/optional_image_urls", evidence.optional_image_urls)
    if evidence.customer_signature_image_url:
        yield "/customer_signature_image_url", evidence.customer_signature_image_url
    for position, item in enumerate(items):
        yield from _numbered(f"/selected_items/{position}/image_urls", item.image_urls)


def _item_texts(items: Sequence[ClaimItem]) -> Iterator[str]:
    for item in items:
        yield item.sku or ""
        yield item.title or ""
        yield from item.image_urls


def _evidence_texts(evidence: Evidence) -> Iterator[str]:
    yield from evidence.image_urls
    yield from evidence.optional_image_urls
    yield evidence.customer_signature_image_url or ""


def _numbered(pointer: str, links: Iterable[str]) -> Iterator[tuple[str, str]]:
    for position, link in enumerate(links):
        yield f"{pointer}/{position}", link
