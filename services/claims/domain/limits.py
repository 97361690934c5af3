"""Evidence: links only, over https, and not without end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from services.claims.domain.claim import ClaimItem, Evidence
from services.claims.domain.reasons import Refusal, Refused

LINKS_MAX = 50
"""Most links of one claim, those of its items included."""


def check(evidence: Evidence, items: Sequence[ClaimItem]) -> None:
    """Raise Refused for a link that is not https, or for too many of them."""
    count = 0
    for pointer, link in _links(evidence, items):
        count += 1
        if not link.lower().startswith("https://"):
            raise Refused(Refusal.EVIDENCE_NOT_HTTPS, pointer)
    if count > LINKS_MAX:
        raise Refused(Refusal.TOO_MANY_EVIDENCE_LINKS, count=count, limit=LINKS_MAX)


def _links(evidence: Evidence, items: Sequence[ClaimItem]) -> Iterator[tuple[str, str]]:
    yield from _numbered("/image_urls", evidence.image_urls)
    yield from _numbered("/optional_image_urls", evidence.optional_image_urls)
    if evidence.customer_signature_image_url:
        yield "/customer_signature_image_url", evidence.customer_signature_image_url
    for position, item in enumerate(items):
        yield from _numbered(f"/selected_items/{position}/image_urls", item.image_urls)


def _numbered(pointer: str, links: Iterable[str]) -> Iterator[tuple[str, str]]:
    for position, link in enumerate(links):
        yield f"{pointer}/{position}", link
