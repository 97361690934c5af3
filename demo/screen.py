"""The live screen: what goes through the topics, and what orders and parcels have come to."""

from __future__ import annotations

import io
import re
import time
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.columns import Columns
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from demo.player import Player
from demo.receiver import Receiver
from demo.watcher import Watcher

BAR_WIDTH = 20
EVENTS_LEAST = 2
"""Latest events that are shown on the smallest screen."""
RATE_SECONDS = 3.0
BORDER = 2
REASONS_SHOWN = 4
# A picture in a page must not fetch fonts from strangers.
PICTURE_FORMAT = re.sub(r"@font-face {{.*?}}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
PICTURE_WIDTH, PICTURE_HEIGHT = 112, 34
STATUS_COLOURS = {
    "placed": "yellow",
    "partially_fulfilled": "cyan",
    "fulfilled": "green",
    "cancelled": "red",
}
PHASE_COLOURS = {
    "order_created": "grey62",
    "order_processed": "yellow",
    "in_transit": "cyan",
    "in_delivery": "blue",
    "delivery_failed": "red",
    "collect": "magenta",
    "delivered": "green",
    "return_created": "dark_orange",
    "return_transit": "dark_orange",
    "return_failed": "red",
    "return_received": "dark_orange",
    "returned": "dark_orange",
}


@dataclass(slots=True)
class Screen:
    """Draws one run. `lags` is filled by the task that measures them."""

    title: str
    watcher: Watcher
    player: Player
    receiver: Receiver
    lags: dict[str, int] = field(default_factory=dict)
    picture: str | None = None
    """A picture taken while it played, as SVG."""
    started: float = field(default_factory=time.monotonic)
    _past: deque[tuple[float, Counter[str]]] = field(default_factory=deque)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The screen as it is now: as many of the latest events as its height has room for."""
        above = (self._head(), self._figures())
        free = options.update(height=None)
        used = sum(len(console.render_lines(each, free)) for each in above)
        yield from above
        yield self._latest(max(EVENTS_LEAST, options.max_height - used - BORDER))

    def _figures(self) -> Table:
        left = Group(self._topics(), self._outcomes(), self._webhook())
        middle = Group(
            _bars("orders by status", Counter(self.watcher.statuses.values()), STATUS_COLOURS),
            _bars("parcels by phase", Counter(self.watcher.phases.values()), PHASE_COLOURS),
        )
        grid = Table.grid(padding=(0, 1), expand=True)
        grid.add_column(ratio=1)
        grid.add_column(ratio=1)
        grid.add_row(left, middle)
        return grid

    def as_svg(self) -> str:
        """The screen as it is now, as a picture."""
        console = Console(
            record=True,
            width=PICTURE_WIDTH,
            height=PICTURE_HEIGHT,
            file=io.StringIO(),
            force_terminal=True,
        )
        console.print(self)
        return console.export_svg(title="orderflow demo", code_format=PICTURE_FORMAT)

    def _head(self) -> Panel:
        seconds = time.monotonic() - self.started
        clock = f"{self.player.now:%Y-%m-%d %H:%M} UTC" if self.player.now else "not started"
        text = Text.assemble(
            ("Orderflow ", "bold"),
            (self.title, "cyan"),
            f"   business time {clock}   {self.player.sent:,} messages in   {seconds:.0f} s",
        )
        return Panel(text, style="bold", border_style="cyan")

    def _topics(self) -> Panel:
        table = Table.grid(padding=(0, 2), expand=True)
        table.add_column()
        table.add_column(justify="right")
        table.add_column(justify="right")
        table.add_row(Text("topic", "dim"), Text("records", "dim"), Text("per s", "dim"))
        counts, rates = _by_row(self.watcher.counts), _by_row(self._rates())
        for row in sorted(counts):
            table.add_row(row, f"{counts[row]:,.0f}", f"{rates[row]:,.0f}")
        return Panel(table, title="written by the services", border_style="grey50")

    def sample(self) -> None:
        """Note the counts of this moment: rates are shown over the last few seconds."""
        now = time.monotonic()
        self._past.append((now, Counter(self.watcher.counts)))
        while len(self._past) > 1 and now - self._past[1][0] > RATE_SECONDS:
            self._past.popleft()

    def _rates(self) -> Mapping[str, float]:
        if not self._past:
            return Counter()
        then, before = self._past[0]
        span = max(time.monotonic() - then, 0.1)
        counts = self.watcher.counts
        return Counter({topic: (counts[topic] - before[topic]) / span for topic in counts})

    def _outcomes(self) -> Panel:
        outcomes = Counter(each["outcome"] for each in self.watcher.outcomes.values())
        reasons = Counter(each["reason"] for each in self.watcher.refused.values())
        lines = [Text.assemble(("unread  ", "dim"), _counts(self.lags))]
        lines.append(Text.assemble(("commands  ", "dim"), _counts(outcomes)))
        lines.append(Text.assemble(("numbers  ", "dim"), _counts(self._numbers())))
        refused = dict(reasons.most_common(REASONS_SHOWN))
        lines.append(Text.assemble(("refused  ", "dim"), (_counts(refused), "red")))
        return Panel(Group(*lines), title="answers", border_style="grey50")

    def _webhook(self) -> Panel:
        """What the shop's receiver got so far; the audit compares it with the topics at the end."""
        receiver = self.receiver
        wrong = {"repeated": receiver.repeated, "wrong signature": receiver.wrongly_signed}
        text = Text.assemble(
            f"received {len(receiver.requests):,}  ",
            (f"in order {receiver.in_order:,}  ", "green"),
            (_counts(wrong), "red" if any(wrong.values()) else ""),
        )
        return Panel(text, title="webhook of the shop", border_style="cyan")

    def _numbers(self) -> Mapping[str, int]:
        """Tracking numbers that several orders have had, and those that were taken off."""
        released = self.watcher.released
        shared = sum(len(orders) > 1 for orders in self.watcher.holders.values())
        return {
            "on 2 orders": shared,
            "replaced": released["replace"],
            "voided": released["void"],
        }

    def _latest(self, count: int) -> Panel:
        rows = [
            Text.assemble((f"{at[:16].replace('T', ' ')}  ", "dim"), (f"{order:<8.8}", "bold"), ref)
            for order, ref, at in list(self.watcher.latest)[-count:]
        ]
        columns = Columns(rows, expand=True, equal=True, column_first=True)
        return Panel(columns, title="latest events", border_style="grey50")


def _by_row(counts: Mapping[str, float]) -> Mapping[str, float]:
    """Counts of topics by their row on the screen; topics of refused messages share one."""
    found: defaultdict[str, float] = defaultdict(float)
    for topic, count in counts.items():
        found["*.rejected" if topic.endswith(".rejected") else topic] += count
    return found


def _counts(counts: Mapping[str, int]) -> str:
    return "  ".join(f"{name} {count:,}" for name, count in sorted(counts.items())) or "none yet"


def _bars(title: str, counts: Counter[str], colours: Mapping[str, str]) -> Panel:
    table = Table.grid(padding=(0, 1))
    most = max(counts.values(), default=1)
    for name, colour in colours.items():
        count = counts[name]
        if count or len(colours) <= len(STATUS_COLOURS):
            bar = "█" * max(1 if count else 0, round(BAR_WIDTH * count / most))
            table.add_row(name.replace("_", " "), f"{count:>5,}", Text(bar, colour))
    return Panel(table, title=title, border_style="grey50")
