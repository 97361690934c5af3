"""One explained order as JSON, for scripts."""

from __future__ import annotations

from typing import Any

from msgspec import to_builtins
from msgspec.structs import asdict

from orderflow.console.candidates import candidates_on
from orderflow.console.explain_fold import folded_as_json
from orderflow.console.explain_meaning import meaning_as_json, why_as_json
from orderflow.console.explain_order import Explained
from services.orders.domain.model.order import Order, Shipment
from services.orders.domain.model.voided import VoidedNumber
from services.orders.domain.model.warnings import KeptWarning
from services.orders.domain.tracking.explanation import NOTIFY_RULES, Verdict
from services.orders.domain.tracking.named_by import NamedBy
from services.orders.domain.tracking.scan import DayOrMoment, Eta


def order_as_json(found: Explained, *, with_words: bool = False) -> dict[str, Any]:
    """The whole answer for scripts; no addresses or names of customers."""
    order = found.order
    return {
        "order_id": found.order_id,
        "shop": order.shop if order else None,
        "order_number": order.placement.order_number if order else None,
        "found": order is not None,
        "status": order.status if order else None,
        "order_version": order.version if order else None,
        "expected_number_of_shipments": order.expected_number_of_shipments if order else None,
        "is_dispatched": order.is_dispatched if order else None,
        "delivery_state": order.delivery_state if order else None,
        "placed_at": order.placed_at if order else None,
        "cancelled_at": order.cancelled_at if order else None,
        "campaign": to_builtins(order.campaign) if order else None,
        "attribution": to_builtins(order.attribution) if order else None,
        "shipments": [
            _shipment(each, found, with_words) for each in (order.shipments if order else ())
        ],
        "voided": [_voided(each) for each in order.voided] if order else [],
        "warnings": [_warning(each) for each in order.warnings] if order else [],
        "waiting": found.waiting,
        "unpublished": found.unpublished,
    }


def _voided(voided: VoidedNumber) -> dict[str, Any]:
    return {
        "at": voided.voided_at,
        "number": voided.number,
        "shipment_id": voided.shipment_id,
        "external_shipment_id": voided.external_shipment_id,
    }


def _warning(kept: KeptWarning) -> dict[str, Any]:
    warning = kept.warning
    return {
        "at": kept.at,
        "command_id": kept.causation_id,
        "code": warning.code,
        "pointer": warning.pointer,
        "detail": warning.detail,
    }


def _shipment(shipment: Shipment, found: Explained, with_words: bool) -> dict[str, Any]:
    tracking, window = shipment.tracking, found.windows.get(shipment.shipment_id)
    return {
        "shipment_id": shipment.shipment_id,
        "ordinal": shipment.ordinal,
        "tracking_number": shipment.tracking_number,
        "carrier": shipment.carrier,
        "carrier_candidates": [asdict(each) for each in candidates_on(shipment, found.order)],
        "draft": shipment.is_draft,
        "state": shipment.state,
        "phase": tracking.phase,
        "sub_status": shipment.sub_status,
        "flag": tracking.flag,
        **why_as_json(tracking.why),
        "eta": _expected(shipment, found.order),
        "eta_original": _of_carrier(tracking.eta_original),
        "delivered_at": tracking.delivered_at,
        "delivered_on": tracking.delivered_on,
        "folded": folded_as_json(found.folds.get(shipment.shipment_id)),
        "set_by": found.setters.get(shipment.shipment_id, {}),
        "window": window.as_json() if window else None,
        "scans": [
            _scan(verdict, found.named(verdict.scan), with_words)
            for verdict in found.scans.get(shipment.shipment_id, ())
        ],
    }


def _expected(shipment: Shipment, order: Order | None) -> dict[str, Any] | None:
    """The window of arrival as events have it: a draft's is the day that its order promises."""
    promised = order.placement.promised_delivery_date if order else None
    if shipment.is_draft and not shipment.archived and promised is not None:
        return _window(None, promised, "promise")
    return _of_carrier(shipment.tracking.eta)


def _of_carrier(eta: Eta | None) -> dict[str, Any] | None:
    return _window(eta.earliest, eta.latest, "carrier") if eta else None


def _window(
    earliest: DayOrMoment | None, latest: DayOrMoment | None, source: str
) -> dict[str, Any]:
    return {"from": earliest, "to": latest, "source": source}


def _scan(verdict: Verdict, by: NamedBy, with_words: bool) -> dict[str, Any]:
    scan = verdict.scan
    return {
        "key": scan.key,
        "occurred_at": scan.occurred_at,
        "timezone": scan.timezone,
        "tz_known": scan.tz_known,
        "precision": scan.precision,
        "recorded_at": scan.recorded_at,
        "carrier": scan.carrier,
        "event_name": scan.event_name,
        **meaning_as_json(scan),
        "carrier_text": scan.text if with_words else None,
        "named_by": by.namer,
        "flag": by.flag,
        "changed": verdict.effects,
        "decides": verdict.decides,
        "phase": verdict.phase,
        "rule": verdict.rule,
        "why": verdict.sentence,
        "notification": verdict.notification,
        "notify_cause": verdict.notify_cause,
        "notify_rule": NOTIFY_RULES.get(verdict.notify_cause),
    }
