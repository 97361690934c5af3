"""karrio's parsers, run by the Python of their own environment with `-I`: imports nothing of ours.

Reads requests from stdin, one JSON object a line: `id`, `connector`, `shape` and `inputs`, a list
of [number, body]. Writes an answer for each: `id`, `parcels` (what karrio says of all bodies) and
`raised` (the first line of each exception). A body is given alone, as karrio's own proxy gives what
the carrier answered.
"""

from __future__ import annotations

import importlib
import json
import socket
import sys
from collections.abc import Iterator
from typing import Any


def main() -> None:
    """Answer each request."""
    lib = importlib.import_module("karrio.lib")
    _close_network()
    for line in sys.stdin:
        request = json.loads(line)
        answer: dict[str, Any] = {"id": request["id"], "parcels": [], "raised": []}
        for body in request["inputs"]:
            try:
                found = _parse(lib, request["connector"], request["shape"], body)
            except Exception as error:  # noqa: BLE001 - any exception is an answer of the comparison
                answer["raised"].append(f"{type(error).__name__}: {error}".splitlines()[0])
            else:
                answer["parcels"] += map(_parcel, found)
        sys.stdout.write(json.dumps(answer) + "\n")


def _close_network() -> None:
    """The parser of FedEx asks for a picture of the signature; without a network it goes on."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError("no network in this comparison")

    socket.create_connection = refuse  # type: ignore[assignment]
    socket.getaddrinfo = refuse  # type: ignore[assignment]


def _parse(lib: Any, connector: str, shape: str, body: tuple[str, Any]) -> list[Any]:
    module = importlib.import_module(f"karrio.providers.{connector}.tracking")
    found = lib.Deserializable(body, lambda given: _shaped(lib, shape, *given))
    parcels, _ = module.parse_tracking_response(found, _settings(connector))
    return [each for each in parcels if each is not None]


def _shaped(lib: Any, shape: str, number: str, body: Any) -> Any:
    """A body in the arrangement of the connector: see `get_tracking` of its proxy."""
    if shape == "wrapped":  # Several answers in one element: of one alone nothing is found.
        return lib.to_element([body, "<none/>"])
    found = lib.to_element(body) if isinstance(body, str) else lib.to_dict(json.dumps(body))
    return {"pairs": [(number, found)], "list": [found], "one": found}[shape]


def _settings(connector: str) -> Any:
    made = importlib.import_module(f"karrio.mappers.{connector}").Settings
    return made(**dict(_needed(made)))


def _needed(made: Any) -> Iterator[tuple[str, str]]:
    """Credentials are needed to build the settings; a parser does not use them."""
    attr = importlib.import_module("attr")
    for field in attr.fields(made):
        if field.default is attr.NOTHING:
            yield field.name, "none"


def _parcel(parcel: Any) -> Any:
    return {
        "number": parcel.tracking_number,
        "status": parcel.status,
        "delivered": bool(parcel.delivered),
        "estimated_delivery": parcel.estimated_delivery
        or getattr(parcel.info, "expected_delivery", None),
        "events": [
            {
                name: getattr(event, name)
                for name in ("code", "date", "time", "timestamp", "status", "reason")
            }
            for event in parcel.events
        ],
    }


if __name__ == "__main__":
    main()
