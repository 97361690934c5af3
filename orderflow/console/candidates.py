"""Candidates for the carrier of a tracking number, as lines of text."""

from services.orders.domain.model.order import Order, Shipment
from services.orders.messages.detection.candidate import CarrierCandidate
from services.orders.messages.detection.detect import candidates_of


def candidates_on(shipment: Shipment, order: Order | None) -> tuple[CarrierCandidate, ...]:
    """The carriers that a shipment without one may belong to, by its number."""
    if order is None or shipment.carrier or shipment.number is None:
        return ()
    return candidates_of(shipment.number, order.placement.address.country_code)


def candidate_line(candidate: CarrierCandidate) -> str:
    """One candidate: the key, the confidence and the evidence."""
    evidence = "; ".join(candidate.evidence)
    return f"carrier may be {candidate.carrier_reference} ({candidate.confidence}): {evidence}"
