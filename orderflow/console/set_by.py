"""Which scan set each member of a shipment's state, in lines for a person."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime

from orderflow.console.explain_order import Explained
from orderflow.console.instants import minute
from services.orders.domain.model.order import Shipment
from services.orders.domain.tracking.explanation import NOTIFY_RULES, NotifyCause, Verdict
from services.orders.domain.tracking.scan import Eta, Pickup


def set_by_lines(shipment: Shipment, found: Explained) -> Iterator[str]:
    """A line for each member that a scan set: the value, and the number of the scan."""
    verdicts = found.scans.get(shipment.shipment_id, ())
    places = {verdict.scan.key: at for at, verdict in enumerate(verdicts, start=1)}
    for member, key in found.setters.get(shipment.shipment_id, {}).items():
        if key not in places:
            continue
        at = places[key]
        value = value_line(getattr(shipment.tracking, member))
        yield f"{member} {value}: set by scan {at}, {verdicts[at - 1].scan.event_name}"


def value_line(value: object) -> str:
    """A member's value on one line; of a pick-up point only that there is one: it is an address."""
    match value:
        case None:
            return "-"
        case datetime():
            return minute(value)
        case Eta():
            bounds = [value_line(each) for each in (value.earliest, value.latest) if each]
            return " to ".join(dict.fromkeys(bounds))
        case date():
            return value.isoformat()
        case Pickup():
            return "known"
    return str(value)


def notified_line(verdict: Verdict) -> str:
    """Whether a scan notified, or the rule by which it did not."""
    rule = NOTIFY_RULES.get(verdict.notify_cause)
    return f"{verdict.notification} (rule {rule})" if rule else verdict.notification


def is_notified(verdict: Verdict) -> bool:
    """Whether a scan notified a customer."""
    return verdict.notify_cause is NotifyCause.NOTIFIED
