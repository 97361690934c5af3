"""Which payloads of the corpus karrio has a parser for, and in which arrangement it gets them.

karrio asks carriers, so its parsers read answers of one request. Where a payload of ours has the
same object in another wrapper (a webhook, a list), karrio gets the object as its request would have
brought it. What its connector does not claim to read, such as another API of the carrier, is left
out of the comparison, with the reason.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Body: TypeAlias = "str | dict[str, Any]"
"""XML as text, JSON as what it holds."""


class LeftOut(Exception):
    """The connector does not claim to read the form; the text says which form it is."""


@dataclass(frozen=True, slots=True)
class Connector:
    """A connector of karrio that reads payloads of one of our dialects."""

    name: str
    """Its folder in `karrio.providers`; the package is `karrio-` and the name."""
    shape: str
    """How its parser takes bodies: `pairs`, `list`, `wrapped` or `one`."""
    bodies: Callable[[bytes], Sequence[Body]]
    """The bodies that karrio's requests would have brought; raises `LeftOut`."""
    silent: frozenset[str] = frozenset()
    """Facts that the connector never says of any parcel; they are not compared."""


def _objects(payload: bytes) -> Sequence[dict[str, Any]]:
    """The JSON object, or the objects of the list."""
    if payload.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<"):
        raise LeftOut("XML of another API")
    try:
        return _listed(json.loads(payload))
    except ValueError:
        raise LeftOut("JSON that is broken") from None


def _listed(found: Any) -> Sequence[dict[str, Any]]:
    listed = found if isinstance(found, list) else [found]
    if not all(isinstance(each, dict) for each in listed):
        raise LeftOut("JSON without an object")
    return listed


def _xml(payload: bytes) -> str:
    if payload.lstrip().startswith((b"{", b"[")):
        raise LeftOut("JSON of another API")
    return payload.decode("utf-8-sig", "replace").strip()


def _having(
    *names: str, error: Sequence[str] = (), form: str
) -> Callable[[bytes], Sequence[dict[str, Any]]]:
    """Each JSON object that has one of the names, or is the API's answer of an error."""

    def bodies(payload: bytes) -> Sequence[dict[str, Any]]:
        found = _objects(payload)
        if not all(set(each) & {*names, *error} for each in found):
            raise LeftOut(form)
        return found

    return bodies


def _marked(*marks: bytes, form: str) -> Callable[[bytes], Sequence[str]]:
    """The XML, where it has one of the marks."""

    def bodies(payload: bytes) -> Sequence[str]:
        text = _xml(payload)
        if not any(mark in payload for mark in marks):
            raise LeftOut(form)
        return [text]

    return bodies


def _usps(payload: bytes) -> Sequence[Body]:
    found = _objects(payload)
    if any("payload" in each for each in found):
        raise LeftOut("push of one event, without the parcel")
    if any("eventSummaries" in each for each in found):
        raise LeftOut("summary; karrio asks for the detail")
    return found


def _dhl_unified(payload: bytes) -> Sequence[Body]:
    """An answer as it is; a shipment of a push as the answer of a request."""
    return [_answer_of_dhl(each) for each in _objects(payload)]


def _answer_of_dhl(found: dict[str, Any]) -> Body:
    if "shipment" in found:
        return {"shipments": [found["shipment"]]}
    return {"shipments": [found]} if "id" in found or "service" in found else found


def _easypost(payload: bytes) -> Sequence[Body]:
    """Trackers: of a webhook, of a list, or alone."""
    inner = [each.get("result", each) for each in _objects(payload)]
    return [found for each in _listed(inner) for found in _listed(each.get("trackers", each))]


def _shipengine(payload: bytes) -> Sequence[Body]:
    found = _listed([each.get("data", each) for each in _objects(payload)])
    if any("trackingNumber" in each for each in found):
        raise LeftOut("names of the JavaScript SDK")
    if any("event_date" in event for each in found for event in each.get("events") or ()):
        raise LeftOut("first form of the webhook, with other names in events")
    return found


CONNECTORS: Mapping[str, Connector] = {
    "bpost": Connector("bpost", "pairs", lambda payload: [_xml(payload)]),
    "canadapost": Connector(
        "canadapost",
        "wrapped",
        _marked(b"tracking-detail", b"<messages", form="summary; karrio asks for the detail"),
    ),
    "dhl_paket": Connector(
        "dhl_parcel_de",
        "list",
        _marked(
            b'"piece-shipment"',
            form="another request of the API, or other names; karrio asks d-get-piece-detail",
        ),
    ),
    "dhl_unified": Connector("dhl_universal", "list", _dhl_unified, frozenset({"reason"})),
    "dpd": Connector("dpd", "pairs", lambda payload: [_xml(payload)], frozenset({"ETA"})),
    "easypost": Connector("easypost", "pairs", _easypost),
    "fedex": Connector(
        "fedex", "one", _having("output", error=("errors",), form="another API of FedEx")
    ),
    "gls": Connector(
        "gls",
        "one",
        _having(
            "parcels",
            form="parcel of a push, tracking page or ShipIT; karrio reads Track and Trace v1",
        ),
        frozenset({"instant", "scan", "delivery", "reason", "ETA"}),
    ),
    "hermes": Connector(
        "hermes", "one", _having("shipmentinfo", form="tracking page"), frozenset({"reason"})
    ),
    "landmark": Connector("landmark", "pairs", lambda payload: [_xml(payload)], frozenset({"ETA"})),
    "laposte": Connector(
        "laposte", "list", _having("shipment", error=("returnCode",), form="version 1 of the API")
    ),
    "shipengine": Connector("shipengine", "pairs", _shipengine),
    "ups": Connector(
        "ups",
        "pairs",
        _having("trackResponse", error=("response",), form="push of one activity (Track Alert)"),
    ),
    "usps": Connector("usps", "pairs", _usps),
}
"""By our dialect."""
