"""The unit of work of one batch: commands are decided in order, then events are matched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from schemas.deliveries import (
    DESTINATION_PAUSE,
    DESTINATION_REMOVE,
    DESTINATION_REPLAY,
    DESTINATION_RESUME,
    DESTINATION_UPSERT,
)
from services.deliveries.domain.commands import (
    Pause,
    Remove,
    Replay,
    Resume,
    RotateSecret,
    Upsert,
)
from services.deliveries.domain.decide import AnyCommand, Decision, Outcome, decide
from services.deliveries.domain.destination import Destination, Kind, Secret, State
from services.deliveries.fulfilment_logs import FulfilmentLogs
from services.deliveries.intake import CommandItem, EventItem
from services.deliveries.messages.decode import ReceivedCommand
from services.deliveries.parking_keys import command_candidate, event_candidate
from services.deliveries.receivers import ShopReceivers
from services.deliveries.secret_box import SecretBox
from services.deliveries.store import AskedReplay, Key, Known, Match
from services.runtime.batch.items import Failure, FailureKind, ItemRef
from services.runtime.messages.headers import headers_by_name
from services.runtime.parking.gate import ParkingGate

Faults = Mapping[str, tuple[str, str]]
"""By URL: a reason code and the fact, where the URL of a command cannot be used."""


@dataclass(slots=True)
class UnitOfWork:
    """Decides the commands of a batch and keeps the destinations that changed."""

    now: datetime
    known: Known
    gate: ParkingGate
    box: SecretBox | None
    decided: list[tuple[CommandItem, Decision]] = field(default_factory=list)
    changed: dict[Key, Destination] = field(default_factory=dict)

    def run(self, commands: Sequence[CommandItem], faults: Faults) -> None:
        """Decide every command, unless an earlier one of its shop is parked."""
        for item in commands:
            ref = ItemRef(item.original.coordinates, 0)
            with self.gate.turn(ref, partial(command_candidate, item)) as turn:
                if turn.blocked:
                    continue
                try:
                    decision = self._decide(item, faults)
                except Exception as error:  # noqa: BLE001 - a bug is parked with its traceback
                    turn.fail(Failure.of(FailureKind.DECISION, error))
                else:
                    turn.done(decision.outcome, decision.reason)
                    self.decided.append((item, decision))

    def replays(self) -> list[AskedReplay]:
        """The replays that were asked for."""
        return [
            AskedReplay(
                item.received.item_id,
                (item.received.shop, item.received.name),
                decision.replay,
                item.received.envelope.source or "",
                item.received.reason,
            )
            for item, decision in self.decided
            if decision.replay
        ]

    def _decide(self, item: CommandItem, faults: Faults) -> Decision:
        read = item.received
        key = (read.shop, read.name)
        found = self.known.destinations.get(key)
        command = self._command(item, faults)
        shop = read.shop
        count, feed = self.known.counts.get(shop, 0), self.known.feeds.get(shop)
        decision = decide(found, command, count, self.now, feed)
        if decision.outcome is Outcome.APPLIED and decision.destination:
            self._count(found, decision.destination)
            self.known.destinations[key] = self.changed[key] = decision.destination
        return decision

    def _count(self, before: Destination | None, after: Destination) -> None:
        counts, shop = self.known.counts, after.shop
        was = before is not None and before.state is not State.REMOVED
        counts[shop] = counts.get(shop, 0) + (after.state is not State.REMOVED) - was
        if after.target.kind == Kind.FEED:
            self.known.feeds[shop] = None if after.state is State.REMOVED else after.name

    def _command(self, item: CommandItem, faults: Faults) -> AnyCommand:
        read = item.received
        names = {"item_id": read.item_id, "shop": read.shop, "name": read.name}
        if read.type == DESTINATION_UPSERT and read.target:
            fault = faults.get(read.target.webhook_url or "")
            return Upsert(**names, target=read.target, secret=self._new_secret(read), fault=fault)
        if read.type == DESTINATION_REMOVE:
            return Remove(**names, reason=read.reason)
        if read.type == DESTINATION_PAUSE:
            return Pause(**names, reason=read.reason)
        if read.type == DESTINATION_RESUME:
            return Resume(**names)
        if read.type == DESTINATION_REPLAY and read.selection:
            return Replay(**names, selection=read.selection)
        return RotateSecret(**names, secret=self._new_secret(read))

    def _new_secret(self, read: ReceivedCommand) -> Secret | None:
        return Secret(self.box.new_secret(read.shop, read.name)) if self.box else None


def matched(
    events: Sequence[EventItem],
    gate: ParkingGate,
    receivers: Mapping[str, ShopReceivers],
    known_events: set[str],
    logs: FulfilmentLogs,
) -> list[Match]:
    """The events that destinations get, each once, without those that are parked.

    Extends the fulfilment logs by all events that are not parked.
    """
    found = []
    for each in events:
        ref = ItemRef(each.original.coordinates, 0)
        with gate.turn(ref, partial(event_candidate, each)) as turn:
            if turn.blocked:
                continue
            turn.done("applied")
        event, value = each.received, each.original.value or b""
        fulfilments = logs.extend(event, value)
        shop = receivers.get(event.head.shop)
        ids = shop.of(event.head) if shop else ()
        if ids and event.event_id not in known_events:
            known_events.add(event.event_id)
            topic = each.original.coordinates.topic
            headers = headers_by_name(each.original.headers)
            found.append(Match(event, topic, headers, value, ids, fulfilments))
    return found
