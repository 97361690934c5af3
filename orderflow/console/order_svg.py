"""One explained order as an SVG timeline for a support ticket.

Without `with_words` it has no texts of carriers and no places: those may name a person.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo

from orderflow.console.explain_fold import fold_line
from orderflow.console.explain_order import Explained
from orderflow.console.instants import minute
from orderflow.console.said import said_line
from orderflow.console.set_by import is_notified, notified_line, set_by_lines
from orderflow.console.svg import Drawing
from services.orders.domain.model.order import Shipment
from services.orders.domain.tracking.explanation import Verdict
from services.orders.domain.tracking.scan import Scan, day_of
from services.orders.domain.tracking.state import Rule
from services.orders.messages.carriers.zones import zone_named

SCANS_MAX = 40
"""Most scans drawn of a shipment, the last ones."""
SHIPMENTS_MAX = 8
LINE_ABOVE = 23
_BAR, _DOT, _EVENT, _PHASE = 24, 32, 300, 640
_OFF = frozenset({Rule.RETRACTED, Rule.IN_FUTURE, Rule.UNMAPPED, Rule.CONTRADICTED})


def svg_of(found: Explained, name: str, *, with_words: bool = False) -> str:
    """The whole picture."""
    drawing = Drawing()
    order = found.order
    if order is None:
        drawing.text(16, f"{name}: no such order", "title")
        return drawing.picture(name)
    drawing.text(16, f"{name}  {order.status}, {order.delivery_state}", "title")
    drawing.down()
    drawing.text(16, f"order {order.order_id}, placed {minute(order.placed_at)}", "dim")
    for shipment in order.shipments[:SHIPMENTS_MAX]:
        _draw_shipment(drawing, shipment, found, with_words)
    more = len(order.shipments) - SHIPMENTS_MAX
    if more > 0:
        drawing.paragraph(16, f"{more} more shipments are not drawn; --json has them", "dim")
    return drawing.picture(name)


def _draw_shipment(
    drawing: Drawing, shipment: Shipment, found: Explained, with_words: bool
) -> None:
    drawing.down(14)
    drawing.rule()
    drawing.down(32)
    number = shipment.tracking_number or "draft"
    drawing.text(16, f"{shipment.ordinal}. {number} {shipment.carrier or ''}", "title")
    for line in _lines_above(shipment, found):
        drawing.paragraph(_DOT, line, "dim")
    verdicts = found.scans.get(shipment.shipment_id, ())
    skipped = max(0, len(verdicts) - SCANS_MAX)
    if skipped:
        said = f"scans 1 to {skipped} are not drawn; `orderflow order` shows them"
        drawing.paragraph(_DOT, said, "dim")
    for at, verdict in enumerate(verdicts[skipped:], start=skipped + 1):
        _draw_scan(drawing, at, verdict, found, with_words)
    _draw_state(drawing, shipment, found)


def _lines_above(shipment: Shipment, found: Explained) -> list[str]:
    """What is said of a shipment before its scans."""
    window = found.windows.get(shipment.shipment_id)
    fold = found.folds.get(shipment.shipment_id)
    no_scans = found.no_scans_line(shipment)
    lines = window.lines() if window else []
    return lines + ([fold_line(fold)] if fold else []) + ([no_scans] if no_scans else [])


def _draw_scan(
    drawing: Drawing, at: int, verdict: Verdict, found: Explained, with_words: bool
) -> None:
    scan, style = verdict.scan, _style_of(verdict)
    drawing.down(LINE_ABOVE)
    top = drawing.y
    drawing.dot(_DOT + 3, style)
    drawing.text(_DOT + 16, f"{at:>3}  {_when(scan)}", "", _EVENT - 6)
    drawing.text(_EVENT, scan.event_name, "bold", _PHASE - 6)
    drawing.text(_PHASE, _outcome(verdict), style)
    drawing.paragraph(_EVENT, said_line(scan, found.named(scan), with_words=with_words), "dim")
    if with_words and scan.location is not None:
        place = (scan.location.city, scan.location.country_code)
        drawing.paragraph(_EVENT, ", ".join(part for part in place if part), "dim", 1)
    if verdict.rule is not Rule.MOVED:
        drawing.paragraph(_EVENT, f"{_rule(verdict)}{verdict.sentence}", style)
    drawing.paragraph(_EVENT, notified_line(verdict), "bell" if is_notified(verdict) else "dim")
    if is_notified(verdict):
        drawing.bell(_EVENT - 16)
    drawing.bar(_BAR - 4, drawing.y - top + LINE_ABOVE, style)


def _style_of(verdict: Verdict) -> str:
    if verdict.rule in _OFF:
        return "bad"
    return "moved" if verdict.effects else "off"


def _rule(verdict: Verdict) -> str:
    return f"rule {verdict.rule}: " if verdict.rule is not Rule.GOING_BACK else ""


def _outcome(verdict: Verdict) -> str:
    phase = verdict.phase or "does not count"
    return f"{phase}; sets {', '.join(verdict.decides)}" if verdict.decides else str(phase)


def _draw_state(drawing: Drawing, shipment: Shipment, found: Explained) -> None:
    drawing.down(LINE_ABOVE)
    tracking = shipment.tracking
    finer = f" {shipment.sub_status}" if shipment.sub_status else ""
    state = f"now: {tracking.phase}{finer}, flag {tracking.flag}, leg {tracking.leg}"
    drawing.text(_DOT, state, "title")
    for line in set_by_lines(shipment, found):
        drawing.paragraph(_DOT + 16, line, "", 1)


def _when(scan: Scan) -> str:
    """In the scan's own zone where it is known, else in UTC; a day without a time as a day."""
    if (day := day_of(scan)) is not None:
        return f"{day} (day)"
    local = scan.occurred_at.astimezone(_zone_of(scan))
    return f"{local:%Y-%m-%d %H:%M} " + (f"{local:%z}" if scan.tz_known else "zone?")


def _zone_of(scan: Scan) -> tzinfo:
    """The zone that a scan says, by name or by offset; else UTC."""
    said = scan.timezone if scan.tz_known and scan.timezone else "UTC"
    if _OFFSET.fullmatch(said):
        return datetime.strptime(said, "%z").tzinfo or UTC
    return zone_named(said) or UTC


_OFFSET = re.compile(r"[+-]\d\d:\d\d", re.ASCII)
