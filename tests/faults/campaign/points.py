"""Named points in a service at which it can be told to die by SIGKILL.

The order is a file `<replica>.die` in the control folder that holds the point's name. Whoever
reaches the point takes the file away, writes what it does to its log, and dies.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.faults.campaign.patching import around

BEFORE_TRANSACTION = "before the transaction"
MID_BATCH = "mid-batch, before the outbox"
INSIDE_TRANSACTION = "inside the transaction, all written"
AFTER_COMMIT = "after commit, before the acknowledgement"
MID_PRODUCE = "mid-produce"
AFTER_PRODUCE = "after produce, before delete"
BEFORE_KAFKA_COMMIT = "marker written, before Kafka's commit"
AFTER_KAFKA_COMMIT = "after Kafka's commit, before delete"

CONSUMING = (BEFORE_TRANSACTION, MID_BATCH, INSIDE_TRANSACTION, AFTER_COMMIT)
PUBLISHING = (MID_PRODUCE, AFTER_PRODUCE)
PUBLISHING_ONCE = (MID_PRODUCE, AFTER_PRODUCE, BEFORE_KAFKA_COMMIT, AFTER_KAFKA_COMMIT)

_CONSUMER = "services.runtime.consumer:BatchConsumer"
_ONCE = "services.runtime.publishing:ExactlyOnce"
_PLACES: Sequence[tuple[str, str, str]] = (
    (BEFORE_TRANSACTION, f"{_CONSUMER}._transact", "before"),
    (MID_BATCH, "services.runtime.outbox:Outbox.append", "before"),
    (INSIDE_TRANSACTION, "services.runtime.positions:Positions.save", "after"),
    (AFTER_COMMIT, f"{_CONSUMER}._transact", "after"),
    (MID_PRODUCE, "aiokafka:AIOKafkaProducer.send", "after"),
    (AFTER_PRODUCE, "services.runtime.publishing:AtLeastOnce._send", "after"),
    (AFTER_PRODUCE, f"{_ONCE}._send", "after"),
    (BEFORE_KAFKA_COMMIT, f"{_ONCE}._mark", "after"),
    (AFTER_KAFKA_COMMIT, f"{_ONCE}._commit", "after"),
)


def order_file(control: Path, replica: str) -> Path:
    """Where a replica finds the order to die."""
    return control / f"{replica}.die"


def install(control: str, replica: str) -> None:
    """Make every point look for the order.

    Raises:
        NameGone: a function that marks a point is no longer there.
    """
    order = order_file(Path(control), replica)
    for point, place, when in _PLACES:
        around(place, **{when: _reaper(order, point)})


def _reaper(order: Path, point: str) -> Callable[..., None]:
    def look(*_: Any, **__: Any) -> None:
        try:
            wanted = order.read_text(encoding="utf-8")
        except FileNotFoundError:
            return
        if wanted == point:
            order.unlink()
            sys.stderr.write(f"{json.dumps({'event': 'killed_at', 'point': point})}\n")
            sys.stderr.flush()
            os.kill(os.getpid(), signal.SIGKILL)

    return look
