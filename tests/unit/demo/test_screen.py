"""The live screen: it fits a small terminal, whatever has been seen."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from demo.groups import Groups
from demo.player import Player
from demo.receiver import Receiver, Request
from demo.screen import PHASE_COLOURS, STATUS_COLOURS, Screen
from demo.watcher import LATEST_EVENTS, OUTGOING, Watcher

REF = "shipments/in_transit/ARRIVAL_AT_TRANSPORT_HUB"


def screen() -> Screen:
    """Every topic, status, phase and kind of answer."""
    watcher = Watcher({}, "")
    watcher.counts.update(dict.fromkeys(OUTGOING, 12_345))
    watcher.statuses = {status: status for status in STATUS_COLOURS}
    watcher.phases = {phase: phase for phase in PHASE_COLOURS}
    answers = ("applied", "no_change", "rejected")
    watcher.outcomes = {("t", 0, n, 0): {"outcome": each} for n, each in enumerate(answers)}
    reasons = ("invalid_fields", "quantity_above_shipped", "order_not_found", "unknown_type")
    watcher.refused = {("t", 0, n, 0): {"reason": each} for n, each in enumerate(reasons)}
    watcher.holders["N1"] = {"one order", "another"}
    watcher.released.update(void=1, replace=2)
    watcher.latest.extend([("1001", REF, "2026-03-02T12:00:00Z")] * LATEST_EVENTS)
    player = Player({}, "", watcher, Groups({}, ""), Path("clock"))
    receiver = Receiver(ids={"a", "b"}, wrongly_signed=1, in_order=2)
    receiver.requests += [Request(each, b"", each != "x") for each in ("a", "b", "b", "x")]
    return Screen(
        "synthetic shop", watcher, player, receiver, {"orders": 1, "claims": 2, "analytics": 3}
    )


@pytest.mark.parametrize(("width", "height"), [(100, 30), (112, 34), (200, 50)])
def test_screen_fits_the_terminal(width: int, height: int) -> None:
    console = Console(record=True, width=width, height=height, file=io.StringIO())

    console.print(screen())

    text = console.export_text()
    assert len(text.splitlines()) <= height
    assert "received 4  in order 2  repeated 1  wrong" in text
    assert "on 2 orders 1  replaced 2  voided 1" in text
    assert REF in text
