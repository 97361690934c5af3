"""Candidates for the carrier of a tracking number, as lines of text."""

from services.orders.messages.detection.candidate import CarrierCandidate


def candidate_line(candidate: CarrierCandidate) -> str:
    """One candidate: the key, the confidence and the evidence."""
    evidence = "; ".join(candidate.evidence)
    return f"carrier may be {candidate.carrier_reference} ({candidate.confidence}): {evidence}"
