"""Bugs to prove the checker with: each makes a replica worse in one way, and must be caught.

P1 to P9: docs/promises.md.

A bug alone may show nothing: each comes with the faults that bring it out, in every round.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from chaos import patching, plan, points
from chaos.plan import Fault
from chaos.planted import accepting, deciding, deliveries, numbers, publishing, reading, strikes
from chaos.webhooks.destinations import MOVING, REFUSING


@dataclass(frozen=True, slots=True)
class Plant:
    """One bug: how it is planted, and as what the checker must catch it.

    `finding` is a pattern of what must be found, so that it is caught for what it is.
    """

    sow: Callable[[], None]
    meaning: str
    promise: str
    caught_as: str
    finding: str
    faults: tuple[Fault, ...] = ()
    publication: str = "at_least_once"
    environment: Mapping[str, str] = field(default_factory=dict)
    rounds: int = 2
    is_of_gateway: bool = False
    """Whether it is planted in the gateway, and else in the services that consume."""


def plant(name: str) -> None:
    """Plant a bug in this process; its patches and their first calls go to standard error."""
    with patching.reporting(_write_event):
        PLANTS[name].sow()


def planted_in(names: Iterable[str], *, is_gateway: bool) -> tuple[str, ...]:
    """Those bugs that are planted in a replica of the gateway, or of another service."""
    return tuple(name for name in names if PLANTS[name].is_of_gateway is is_gateway)


def never_called(logs: Iterable[Path]) -> list[str]:
    """Patched functions of planted bugs that no replica ever called, by the replicas' logs."""
    places: dict[str, set[str]] = {patching.PATCHED: set(), patching.CALLED: set()}
    for log in logs:
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
            if found := _EVENT.fullmatch(line):
                places[found["event"]].add(found["place"])
    return sorted(places[patching.PATCHED] - places[patching.CALLED])


def _write_event(event: str, place: str) -> None:
    sys.stderr.write(f"{json.dumps({'event': event, 'place': place})}\n")
    sys.stderr.flush()


_EVENT = re.compile(
    rf'\{{"event": "(?P<event>{patching.PATCHED}|{patching.CALLED})", '
    r'"place": "(?P<place>[^"]+)"\}'
)


NO_ENDING = r"lost: .* has no ending"
NOT_PUBLISHED = (
    rf"{NO_ENDING}"
    r"|gap: .* jumps from sequence"
    r"|lost: .* has no event of version"
    r"|torn: .* orders.shop_order: version is"
)
APPLIED_TWICE = (
    r"duplicated: .*( was answered \('applied', .* and \('no_change', | names two events)"
)

PLANTS: Mapping[str, Plant] = {
    "ack_before_commit": Plant(
        reading.ack_before_commit,
        "the position is stored before the batch's transaction",
        "P1",
        "lost",
        NO_ENDING,
        strikes.deaths(points.PLACED_COMMITTED),
    ),
    "swallowed_error": Plant(
        reading.swallowed_error,
        "a batch that cannot be written is logged and stepped over",
        "P1",
        "lost",
        NO_ENDING,
        tuple(Fault(plan.LOCK_TABLE, "orders.outbox", at, 2.6) for at in (0.3, 3.1)),
    ),
    "gap_accepted": Plant(
        reading.gap_accepted,
        "a batch that begins beyond the position is applied",
        "P1",
        "lost",
        NO_ENDING,
        tuple(Fault(plan.GAP, f"orders-{at % 2 + 1}", 0.3 + 0.5 * at) for at in range(6)),
    ),
    "claim_repeats_unanswered": Plant(
        deciding.claim_repeats_unanswered,
        "a claim command that is sent again has no outcome",
        "P1",
        "lost",
        r"lost: \('claims\.commands', .* has no ending",
    ),
    "publish_outside_transaction": Plant(
        publishing.outside_transaction,
        "events go into the outbox when the batch's transaction is over",
        "P1",
        "lost",
        NOT_PUBLISHED,
        strikes.deaths(points.PLACED_COMMITTED),
    ),
    "delete_before_acknowledged": Plant(
        publishing.delete_before_acknowledged,
        "rows leave the outbox before Kafka has them",
        "P1",
        "lost",
        NOT_PUBLISHED,
        strikes.deaths(points.MID_PRODUCE),
    ),
    "cursor_relay": Plant(
        publishing.cursor_relay,
        "the relay goes on from the highest id that it has seen",
        "P1",
        "lost",
        NOT_PUBLISHED,
        strikes.sleeps(points.PLACED_WRITTEN, 1.8, ("orders-1", 0.4), ("orders-2", 2.6)),
        environment={"ORDERFLOW_OUTBOX_SHARDS": "1"},
    ),
    "no_fence": Plant(
        reading.no_fence,
        "a batch is applied whatever the stored position says",
        "P2",
        "duplicated",
        APPLIED_TWICE,
        (Fault(plan.REPLACE_AT, "orders-1", 0.4, 3.5, points.BEFORE_ORDER_PLACED),),
    ),
    "dedup_off": Plant(
        deciding.dedup_off,
        "no item is known to have been applied",
        "P2",
        "duplicated",
        r"duplicated: .*( names two events| two events of version | stands there as )",
    ),
    "older_items_forgotten": Plant(
        deciding.older_items_forgotten,
        "of the items applied to an order, only the newest 64 are known",
        "P2",
        "duplicated",
        r"duplicated: .* names two events",
    ),
    "shards_at_random": Plant(
        publishing.shards_at_random,
        "the records of one order lie in several shards",
        "P3",
        "reordered",
        r"reordered: .* has sequence \d+ after \d+",
    ),
    "two_relays_on_one_shard": Plant(
        publishing.two_relays_on_one_shard,
        "every relay holds every shard, under transactional ids that do not fence each other",
        "P3",
        "repeats",
        r"(orders|shipments|claims)\.",
        (Fault(plan.DELAY, plan.KAFKA, 0.2, 4.0),),
        "exactly_once",
        {"ORDERFLOW_OUTBOX_SHARDS": "2"},
    ),
    "marker_not_asked": Plant(
        publishing.marker_not_asked,
        "who takes a shard over does not ask what was published last",
        "P3",
        "repeats",
        r"(orders|shipments|claims)\.",
        strikes.deaths(points.AFTER_KAFKA_COMMIT),
        "exactly_once",
        {"ORDERFLOW_OUTBOX_SHARDS": "2"},
    ),
    "parking_without_queue": Plant(
        deciding.parking_without_queue,
        "what comes after a parked item is applied before it",
        "P4",
        "reordered",
        r"reordered: diary/.* before its turn",
    ),
    "scans_as_they_come": Plant(
        deciding.scans_as_they_come,
        "scans are added up in the order in which they arrived",
        "P5",
        "lost",
        r"lost: .*: the right answer: phase is ",
        rounds=1,
    ),
    "first_owner_alone": Plant(
        numbers.first_owner_alone,
        "scans of a number reach the first shipment on it alone",
        "P1",
        "lost",
        r"lost: q[ab]/own\..* has 0 events of 1 on the shipment",
        rounds=1,
    ),
    "void_keeps_state": Plant(
        numbers.void_keeps_state,
        "a shipment that loses its number keeps what the number's scans said",
        "P5",
        "lost",
        r"lost: q[ab]/own\..* phase is in_transit, should be order_created",
        rounds=1,
    ),
    "place_shown_to_all": Plant(
        numbers.place_shown_to_all,
        "every shop on a number sees the places and signers of its scans",
        "P5",
        "leaked",
        r"leaked: q[ab]/own\..* to another shop",
        rounds=1,
    ),
    "windows_never_end": Plant(
        numbers.windows_never_end,
        "a number that is used again gives its new parcel the scans of the former one",
        "P5",
        "duplicated",
        r"duplicated: q[ab]/own\..* which is not the shipment's",
        rounds=1,
    ),
    "answer_before_acknowledged": Plant(
        accepting.answer_before_acknowledged,
        "the gateway answers 202 when a record is in its memory",
        "P1",
        "lost",
        r"lost: .* was accepted, and is not there",
        strikes.gateway_deaths(points.REQUEST_IN_MEMORY),
        is_of_gateway=True,
    ),
    "command_ids_made": Plant(
        accepting.command_ids_made,
        "the gateway gives each command a new id",
        "P2",
        "duplicated",
        r"duplicated: .* is there as .*: its repeat is another one",
        strikes.gateway_deaths(points.REQUEST_ACKNOWLEDGED),
        rounds=1,
        is_of_gateway=True,
    ),
    "retry_lets_pass": Plant(
        deliveries.retry_lets_pass,
        "the events behind one that a webhook refused are sent before it",
        "P9",
        "reordered",
        rf"reordered: \w+/{REFUSING}: order .* came while \d+ was not taken",
        (strikes.receivers(REFUSING),),
        rounds=1,
    ),
    "lease_taken_twice": Plant(
        deliveries.lease_taken_twice,
        "two processes send to the same webhooks",
        "P9",
        "reordered",
        r"reordered: \w+/\w+: order .*, \w+: sequence \d+ came after \d+",
        rounds=1,
    ),
    "mark_before_send": Plant(
        deliveries.mark_before_send,
        "an event counts as delivered when its request begins",
        "P9",
        "lost",
        r"lost: \w+/\w+: has not taken .*\.events: order ",
        strikes.sender_deaths(points.BEFORE_REQUEST),
        rounds=1,
    ),
    "secret_of_another": Plant(
        deliveries.secret_of_another,
        "requests of one shop are signed by the secret of another",
        "P9",
        "leaked",
        r"leaked: \w+/\w+: .* is signed by the secret of \w+/",
        rounds=1,
    ),
    "address_checked_once": Plant(
        deliveries.address_checked_once,
        "a name is resolved again for the connection, after its addresses were checked",
        "P9",
        "leaked",
        r"leaked: .*: a connection was opened to 127\.0\.0\.2",
        (strikes.receivers(MOVING),),
        rounds=1,
    ),
}
