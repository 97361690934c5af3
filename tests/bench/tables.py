"""The tables of a run, for a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from tests.bench.lap import Lap
from tests.bench.latency import PERCENTILES, Latency
from tests.bench.parts import Part
from tests.bench.results import Race

KNOWN_CEILING_PER_S = 8_400
SERVERS = ("process", "kafka", "postgres")


def race_table(race: Race) -> Table:
    """Rates with their spread, what they are of the ceiling, and CPU by who used it."""
    ceiling = race.rate("ceiling")
    fastest = max(lap.load_per_s for lap in race.laps)
    caption = f"before the clock runs, the generator put up to {fastest:,.0f} messages/s on topics"
    table = Table(title=race.title, title_justify="left", caption=caption)
    table.add_column("contender")
    table.add_column("mix")
    for name in (
        "stored",
        "replicas",
        "messages",
        "laps",
        "items/s",
        "least",
        "most",
        "of ceiling",
    ):
        table.add_column(name, justify="right")
    for name in SERVERS:
        table.add_column(f"{name} µs", justify="right")
    table.add_column("MB", justify="right")
    for figure in race.figures:
        table.add_row(
            figure.contender,
            figure.mix,
            f"{figure.stored:,}" if figure.stored else "",
            str(figure.replicas),
            f"{figure.messages:,}",
            str(figure.laps),
            f"{figure.items_per_s:,.0f}",
            f"{figure.least:,.0f}",
            f"{figure.most:,.0f}",
            f"{figure.items_per_s / ceiling:.2f}" if ceiling else "",
            *(f"{figure.cpu_us[name]:,.0f}" if name in figure.cpu_us else "" for name in SERVERS),
            f"{figure.rss_mb:.0f}",
        )
    return table


def ceiling_told(race: Race, cores: int) -> str | None:
    """The ceiling's absolute rate, and where it is below the known one, what its time went into."""
    figure = next((each for each in race.figures if each.contender == "ceiling"), None)
    if figure is None:
        return None
    rate = figure.items_per_s
    told = f"ceiling: {rate:,.0f} {race.title}/s"
    if rate >= KNOWN_CEILING_PER_S:
        return told
    busy = {name: rate * used / 1e6 for name, used in figure.cpu_us.items()}
    used = ", ".join(f"{name} {each:.2f}" for name, each in busy.items())
    rest = max(0.0, cores - sum(busy.values()))
    return (
        f"{told}, where {KNOWN_CEILING_PER_S:,}/s were measured on a machine like this (design 5): "
        f"of {cores} cores it kept busy {used}; {rest:.2f} went into waiting for disk and network, "
        "the measuring itself, and whoever else was on the machine. It publishes all that the "
        "service does: an event with the whole order, and an outcome, for each message."
    )


def latency_table(latencies: list[tuple[float, Latency]]) -> Table:
    """Milliseconds from when a command was due to its event read, by load."""
    title = "latency in ms, from the moment a command was due"
    table = Table(title=title, title_justify="left")
    names = [f"p{each:g}" for each in PERCENTILES]
    for name in ("load", "commands/s", "commands", *names, "generator p99"):
        table.add_column(name, justify="right")
    for share, latency in latencies:
        table.add_row(
            f"{share:.0%}",
            f"{latency.per_s:,.0f}",
            f"{latency.messages:,}",
            *(f"{latency.ms[name]:,.1f}" for name in names),
            f"{latency.generator_late_ms['p99']:,.1f}",
        )
    return table


def parts_table(mix: str, parts: list[Part]) -> Table:
    """Microseconds of CPU a message, part by part, and their sum."""
    title = f"{mix}: µs of CPU a message, by part"
    table = Table(title=title, title_justify="left", show_footer=True)
    table.add_column("process", footer="all")
    table.add_column("part")
    whole = sum(part.us_per_message for part in parts)
    table.add_column("µs", justify="right", footer=f"{whole:,.0f}")
    table.add_column("spread", justify="right")
    for part in parts:
        table.add_row(part.process, part.name, f"{part.us_per_message:,.1f}", f"{part.spread:.0%}")
    return table


def tell_lap(console: Console, lap: Lap) -> None:
    """One line a lap, while the run goes on."""
    used = ", ".join(f"{name} {used:,.0f}" for name, used in lap.cpu_us.items())
    console.print(
        f"{lap.mix:16} {lap.contender:18} {lap.replicas} × {lap.messages:>7,} messages "
        f"{lap.items_per_s:>9,.0f} items/s; µs CPU a message: {used}; {lap.rss_mb:.0f} MB; "
        f"loaded at {lap.load_per_s:,.0f}/s",
        highlight=False,
    )
