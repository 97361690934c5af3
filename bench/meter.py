"""The meter: CPU spent between marks, which stand where the service times its own stages."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias, cast

from asyncpg import Connection
from prometheus_client import Histogram

from bench.usage import Usage
from services.runtime.observability.metrics import Metrics
from services.runtime.outbox.delivery import AtLeastOnce
from services.runtime.outbox.record_sender import Producer
from services.runtime.outbox.rows import OutboxRow

OURS = "ours"
# Beside the batch itself: hearing and cutting the poll, the fence, and what follows the commit.
AROUND = "fence"
PARTS = (
    "consume",
    AROUND,
    "decode",
    "read",
    "decide",
    "write",
    "encode",
    "outbox",
    "commit",
    "relay read",
    "relay send",
    "relay delete",
)
"""Of our process, in the order of the path; `commit` also frees what the batch held, and moves the
position.
"""

ToTopic: TypeAlias = Callable[[str], str]


@dataclass(slots=True)
class Meter:
    """CPU of this process by part, from mark to mark; and of the servers, by what we were at."""

    server_pids: Mapping[str, Sequence[int]]
    ns: Counter[str] = field(default_factory=Counter)
    handed_over: int = 0
    """Records that `consume` was for."""
    servers: dict[tuple[str, str], tuple[float, int]] = field(default_factory=dict)
    """CPU seconds and messages by server and phase."""
    _since: int = 0
    _used: Usage | None = None

    def begin(self) -> None:
        """From here on it counts."""
        self._used = Usage.now(self.server_pids)
        self._since = time.process_time_ns()

    def end(self, part: str) -> None:
        """What ran since the last mark was this part."""
        now = time.process_time_ns()
        self.ns[part] += now - self._since
        self._since = now

    def end_phase(self, phase: str, messages: int) -> None:
        """What the servers did since `begin` was for these messages."""
        assert self._used is not None
        used = Usage.now(self.server_pids).since(self._used)
        for server, seconds in used.seconds.items():
            self.servers[server, phase] = (seconds, messages)

    def us_per_message(self, messages: int) -> dict[tuple[str, str], float]:
        """Microseconds by process and part."""
        ours = {
            (OURS, part): self.ns[part]
            / 1e3
            / (messages if part != "consume" else self.handed_over)
            for part in PARTS
        }
        return ours | {key: used / of * 1e6 for key, (used, of) in self.servers.items()}


class Marks(Protocol):
    """What marks stand in."""

    def end(self, part: str) -> None:
        """What ran since the last mark was this part."""


@dataclass(frozen=True, slots=True)
class _Marking:
    """Takes the place of the histogram of stages, whose cost depends on the observed time."""

    marks: Marks

    def labels(self, _service: str, stage: str) -> _Stage:
        """One stage."""
        return _Stage(self.marks, AROUND if stage == "whole" else stage)


@dataclass(frozen=True, slots=True)
class _Stage:
    marks: Marks
    part: str

    def observe(self, _seconds: float, _exemplar: object = None) -> None:
        """The stage has ended."""
        self.marks.end(self.part)


class MarkingDelivery(AtLeastOnce):
    """A delivery whose parts are marked."""

    def __init__(
        self, meter: Meter, producer: Producer, connection: Connection, topic: ToTopic
    ) -> None:
        super().__init__(producer, connection, topic)
        self._meter = meter

    async def _send(self, rows: Sequence[OutboxRow], *, one_by_one: bool) -> None:
        self._meter.end("relay read")
        await super()._send(rows, one_by_one=one_by_one)
        self._meter.end("relay send")

    async def _delete(self, rows: Sequence[OutboxRow]) -> None:
        await super()._delete(rows)
        self._meter.end("relay delete")


@contextmanager
def marked(metrics: Metrics, marks: Marks) -> Iterator[None]:
    """The end of each stage of a batch is a mark."""
    histogram = metrics.batch_stage_seconds
    metrics.batch_stage_seconds = cast("Histogram", _Marking(marks))
    try:
        yield
    finally:
        metrics.batch_stage_seconds = histogram
