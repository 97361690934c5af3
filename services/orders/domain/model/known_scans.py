"""Known scans: digests of scans that a tracking number had and does not keep any more."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from services.orders.domain.tracking.ordering import FUTURE_MAX
from services.orders.domain.tracking.scan import Scan
from services.orders.domain.value import Value

DIGESTS_MAX = 2_000
"""Most digests of one tracking number; the oldest are dropped."""
_DIGEST_CHARACTERS = 11
_BLOCK_MIN = 50


class DigestBlock(Value, frozen=True, kw_only=True):
    """Digests that were added together."""

    digests: tuple[str, ...]
    until: datetime
    """The latest time of their scans."""


class KnownScans(Value, frozen=True, kw_only=True):
    """The scans that a number does not keep, as far as their digests are kept."""

    blocks: tuple[DigestBlock, ...] = ()
    """The oldest first."""
    dropped_until: datetime | None = None
    """The latest time of a scan whose digest was dropped; None where none was."""

    @property
    def digests(self) -> frozenset[str]:
        """All digests."""
        return frozenset(digest for block in self.blocks for digest in block.digests)


def digest_of_key(key: str) -> str:
    """The digest of a scan's key: 44 bits. Two of 2,000 are equal by chance once in 8.8 million."""
    return key[:_DIGEST_CHARACTERS]


def with_known(held: KnownScans | None, scans: Iterable[Scan], now: datetime) -> KnownScans | None:
    """The known scans and further ones, of which some may lie in the future."""
    added = tuple(scans)
    if not added:
        return held
    held = held or KnownScans()
    block = DigestBlock(
        digests=tuple([digest_of_key(scan.key) for scan in added]),
        until=min(max(scan.occurred_at for scan in added), now + FUTURE_MAX),
    )
    blocks = [*held.blocks, block]
    if len(blocks) > 1 and len(blocks[-2].digests) < _BLOCK_MIN:
        blocks[-2:] = [_joined(*blocks[-2:])]
    return _bounded(blocks, held.dropped_until)


def with_digests_dropped(held: KnownScans) -> KnownScans:
    """The known scans without their digests, where these are of another number."""
    times = [*(block.until for block in held.blocks), held.dropped_until]
    return KnownScans(dropped_until=max((at for at in times if at is not None), default=None))


def _joined(one: DigestBlock, other: DigestBlock) -> DigestBlock:
    return DigestBlock(digests=(*one.digests, *other.digests), until=max(one.until, other.until))


def _bounded(blocks: list[DigestBlock], dropped_until: datetime | None) -> KnownScans:
    excess = sum(len(block.digests) for block in blocks) - DIGESTS_MAX
    while excess > 0:
        oldest = blocks.pop(0)
        dropped_until = max(dropped_until or oldest.until, oldest.until)
        if len(oldest.digests) > excess:
            rest = DigestBlock(digests=oldest.digests[excess:], until=oldest.until)
            blocks.insert(0, rest)
        excess -= len(oldest.digests)
    return KnownScans(blocks=tuple(blocks), dropped_until=dropped_until)
