"""What a detection gives: a candidate for the carrier of a number, and where its form stands."""

from __future__ import annotations

from msgspec import Struct


class CarrierCandidate(Struct, frozen=True, gc=False):
    """A carrier that a number may belong to, and why. `confidence` is high, medium or low."""

    carrier_reference: str
    confidence: str
    evidence: tuple[str, ...]


class Finding(Struct, frozen=True, gc=False):
    """A candidate, with the page that documents its form."""

    candidate: CarrierCandidate
    source: str
