"""Named points in a service at which it can be ordered to kill (SIGKILL) or stop (SIGSTOP) itself.

The order is a file `<replica>.order` in the control folder that holds the signal and the point's
name. The process that reaches the point deletes the file, logs what it does, and signals
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

from chaos.patching import around
from services.deliveries.sending.sender import LEASES
from services.runtime.outbox.leases import lock_class

BEFORE_TRANSACTION = "before the transaction"
MID_BATCH = "mid-batch, before the outbox"
INSIDE_TRANSACTION = "inside the transaction, all written"
AFTER_COMMIT = "after commit, before the acknowledgement"
MID_PRODUCE = "mid-produce"
AFTER_PRODUCE = "after produce, before delete"
BEFORE_KAFKA_COMMIT = "marker written, before Kafka's commit"
AFTER_KAFKA_COMMIT = "after Kafka's commit, before delete"
BEFORE_ORDER_PLACED = "before a transaction that places an order"
PLACED_WRITTEN = "inside a transaction that places an order, all written"
PLACED_COMMITTED = "after commit of a placed order, before the acknowledgement"
REQUEST_IN_MEMORY = "records of requests in memory, before Kafka"
REQUEST_ACKNOWLEDGED = "records of a request acknowledged, before its answer"
BEFORE_REQUEST = "before the request of a delivery"
ANSWERED = "after the answer of a receiver, before its result is written"
RESULTS_WRITTEN = "inside the transaction of results, all written"
RESULTS_COMMITTED = "after commit of results, before the next requests"
LEASE_GIVEN_UP = "while a lease of the sender is given up"

_ORDER_PLACED = (BEFORE_ORDER_PLACED, PLACED_WRITTEN, PLACED_COMMITTED)
"""A batch may publish nothing. One that places an order publishes an event, once only."""
CONSUMING = (BEFORE_TRANSACTION, MID_BATCH, INSIDE_TRANSACTION, AFTER_COMMIT)
PUBLISHING = (MID_PRODUCE, AFTER_PRODUCE)
ACCEPTING = (REQUEST_IN_MEMORY, REQUEST_ACKNOWLEDGED)
"""Of the gateway."""
SENDING = (BEFORE_REQUEST, ANSWERED, RESULTS_WRITTEN, RESULTS_COMMITTED, LEASE_GIVEN_UP)
"""Of deliveries."""
PUBLISHING_ONCE = (MID_PRODUCE, AFTER_PRODUCE, BEFORE_KAFKA_COMMIT, AFTER_KAFKA_COMMIT)

_CONSUMER = "services.runtime.consumer.consumer:BatchConsumer"
_ONCE = "services.runtime.outbox.delivery:ExactlyOnce"
_LEASES = "services.runtime.outbox.leases:ShardLeases"
_SENDING = "services.deliveries.sending"
_POST = "services.deliveries.network.client:WebhookClient.post"
_PLACES: Sequence[tuple[str, str, str]] = (
    (BEFORE_TRANSACTION, f"{_CONSUMER}._transact", "before"),
    (MID_BATCH, "services.runtime.outbox.outbox:Outbox.append", "before"),
    (INSIDE_TRANSACTION, "services.runtime.partitions.positions:Positions.save", "after"),
    (AFTER_COMMIT, f"{_CONSUMER}._transact", "after"),
    (MID_PRODUCE, "aiokafka:AIOKafkaProducer.send_batch", "after"),
    (AFTER_PRODUCE, "services.runtime.outbox.delivery:AtLeastOnce._send", "after"),
    (AFTER_PRODUCE, f"{_ONCE}._send", "after"),
    (BEFORE_KAFKA_COMMIT, f"{_ONCE}._mark", "after"),
    (AFTER_KAFKA_COMMIT, f"{_ONCE}._commit", "after"),
    (BEFORE_ORDER_PLACED, f"{_CONSUMER}._transact", "before"),
    (PLACED_WRITTEN, f"{_CONSUMER}._apply_fenced", "after"),
    (PLACED_COMMITTED, f"{_CONSUMER}._transact", "after"),
    (REQUEST_IN_MEMORY, "aiokafka.producer.sender:Sender._send_produce_req", "before"),
    (REQUEST_ACKNOWLEDGED, "services.gateway.publisher:Publisher._send", "after"),
    (BEFORE_REQUEST, _POST, "before"),
    (ANSWERED, _POST, "after"),
    (RESULTS_WRITTEN, f"{_SENDING}.rows:write", "after"),
    (RESULTS_COMMITTED, f"{_SENDING}.sender:Sender._write", "after"),
    (LEASE_GIVEN_UP, f"{_LEASES}.release", "before"),
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


def _places_order(arguments: Sequence[Any]) -> bool:
    """Whether one of the arguments holds records by partition, and one of them an `order.place`."""
    batches = (each for each in arguments if isinstance(each, Mapping))
    records = (record for batch in batches for part in batch.values() for record in part)
    return any(("ce_type", b"order.place") in record.headers for record in records)


def _is_of_senders(arguments: Sequence[Any]) -> bool:
    """Whether the leases are those of the sender: the relay of the same process has some too."""
    return bool(arguments[0]._shard_class == lock_class(f"{LEASES}/shard"))


_WHERE: Mapping[str, Callable[[Sequence[Any]], bool]] = {
    **dict.fromkeys(_ORDER_PLACED, _places_order),
    LEASE_GIVEN_UP: _is_of_senders,
}
"""Of the points that are only reached with certain arguments, whether these are such."""


def _reaper(orders: Path, point: str) -> Callable[..., None]:
    def look(*arguments: Any, **_options: Any) -> None:
        try:
            act, _, wanted = orders.read_text(encoding="utf-8").partition(" ")
        except FileNotFoundError:
            return
        if wanted == point and (point not in _WHERE or _WHERE[point](arguments)):
            orders.unlink()
            entry = {"event": "struck_at", "point": point, "signal": act}
            sys.stderr.write(f"{json.dumps(entry)}\n")
            sys.stderr.flush()
            os.kill(os.getpid(), signal.Signals[act])

    return look
