"""Named points in a service at which it can be told to die by SIGKILL, or to freeze by SIGSTOP.

The order is a file `<replica>.order` in the control folder that holds the signal and the point's
name. Whoever reaches the point takes the file away, writes what it does to its log, and signals
itself.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
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
BEFORE_COMMANDS = "before a transaction with commands"
COMMANDS_WRITTEN = "inside a transaction with commands, all written"
COMMANDS_COMMITTED = "after commit of commands, before the acknowledgement"
"""For what a batch without a command would hide: it may have nothing to tell."""

_OF_COMMANDS = (BEFORE_COMMANDS, COMMANDS_WRITTEN, COMMANDS_COMMITTED)
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
    (BEFORE_COMMANDS, f"{_CONSUMER}._transact", "before"),
    (COMMANDS_WRITTEN, "services.runtime.positions:Positions.save", "after"),
    (COMMANDS_COMMITTED, f"{_CONSUMER}._transact", "after"),
)


def order_file(control: Path, replica: str) -> Path:
    """Where a replica finds its order."""
    return control / f"{replica}.order"


def order(act: signal.Signals, point: str) -> str:
    """What the order says."""
    return f"{act.name} {point}"


def install(control: str, replica: str) -> None:
    """Make every point look for the order.

    Raises:
        NameGone: a function that marks a point is no longer there.
    """
    orders = order_file(Path(control), replica)
    for point, place, when in _PLACES:
        around(place, **{when: _reaper(orders, point)})


def _has_commands(arguments: Sequence[Any]) -> bool:
    """Whether partitions of commands are among the arguments."""
    keys = (key for each in arguments if isinstance(each, Mapping) for key in each)
    return any(partition.topic.endswith("orders.commands") for partition in keys)


def _reaper(orders: Path, point: str) -> Callable[..., None]:
    def look(*arguments: Any, **_: Any) -> None:
        try:
            act, _, wanted = orders.read_text(encoding="utf-8").partition(" ")
        except FileNotFoundError:
            return
        if wanted == point and (point not in _OF_COMMANDS or _has_commands(arguments)):
            orders.unlink()
            told = {"event": "struck_at", "point": point, "signal": act}
            sys.stderr.write(f"{json.dumps(told)}\n")
            sys.stderr.flush()
            os.kill(os.getpid(), signal.Signals[act])

    return look
