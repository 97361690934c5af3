"""The tables of a run, for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.differences import Records, differences
from bench.lap import Lap
from bench.latency import PERCENTILES, Latency
from bench.parts import Part
from bench.results import Race
from schemas.topics import ORDERS_EVENTS

KNOWN_CEILING_PER_S = 8_400
SERVERS = ("process", "kafka", "postgres")


def race_table(race: Race) -> Table:
    """Rates with their spread, what they are of the ceilings, and CPU by who used it; `seconds` is
    the span of the shortest lap.
    """
    ceilings = race.rate("ceiling"), race.rate("ceiling-strengthened")
    fastest = max(lap.load_per_s for lap in race.laps)
    caption = f"before the clock runs, the generator put up to {fastest:,.0f} messages/s on topics"
    table = Table(title=race.title, title_justify="left", caption=caption)
    table.add_column("contender", no_wrap=True)
    for name in (
        "stored",
        "replicas",
        "messages",
        "laps",
        "seconds",
        "items/s",
        "least",
        "most",
        "of ceiling",
        "of strength.",
    ):
        table.add_column(name, justify="right")
    for name in SERVERS:
        table.add_column(f"{name} µs", justify="right")
    table.add_column("MB", justify="right")
    for figure in race.figures:
        table.add_row(
            figure.contender,
            f"{figure.stored:,}" if figure.stored else "",
            str(figure.replicas),
            f"{figure.messages:,}",
            str(figure.laps),
            f"{figure.seconds:.1f}",
            f"{figure.items_per_s:,.0f}",
            f"{figure.least:,.0f}",
            f"{figure.most:,.0f}",
            *(f"{figure.items_per_s / each:.2f}" if each else "" for each in ceilings),
            *(f"{figure.cpu_us[name]:,.0f}" if name in figure.cpu_us else "" for name in SERVERS),
            f"{figure.rss_mb:.0f}",
        )
    return table


def ceiling_line(race: Race, cores: int) -> str | None:
    """The ceiling's absolute rate, and where it is below the known one, what its time went into."""
    figure = next((each for each in race.figures if each.contender == "ceiling"), None)
    if figure is None:
        return None
    rate = figure.items_per_s
    stated = f"ceiling: {rate:,.0f} {race.title}/s"
    if rate >= KNOWN_CEILING_PER_S:
        return stated
    busy = {name: rate * used / 1e6 for name, used in figure.cpu_us.items()}
    used = ", ".join(f"{name} {each:.2f}" for name, each in busy.items())
    rest = max(0.0, cores - sum(busy.values()))
    return (
        f"{stated}, where {KNOWN_CEILING_PER_S:,}/s were measured on a machine like this: "
        f"of {cores} cores it kept busy {used}; {rest:.2f} went into waiting for disk and network, "
        "the measuring itself, and other work on the machine. It publishes all that the "
        "service does: an event with the whole order, and an outcome, for each message."
    )


def latency_table(latencies: list[tuple[float | None, Latency]]) -> Table:
    """Milliseconds from when a command was due to its event read, by load."""
    title = "latency in ms, from the moment a command was due"
    table = Table(title=title, title_justify="left")
    names = [f"p{each:g}" for each in PERCENTILES]
    for name in ("load", "commands/s", "commands", *names, "generator p99"):
        table.add_column(name, justify="right")
    for share, latency in latencies:
        table.add_row(
            "fixed" if share is None else f"{share:.0%}",
            f"{latency.per_s:,.0f}",
            f"{latency.messages:,}",
            *(f"{latency.ms[name]:,.1f}" for name in names),
            f"{latency.generator_late_ms['p99']:,.1f}",
        )
    return table


def header(machine: Mapping[str, Any], seconds: float) -> str:
    """The machine, the interpreter with how it was built, and how long laps last."""
    built = ", ".join(
        f"{'with' if there else 'without'} {name.upper()}"
        for name, there in machine["build"].items()
    )
    return (
        f"{machine['cores']} cores ({machine['architecture']}), {machine['memory_gib']} GiB, "
        f"{machine['system']}; load before: {machine['load_before'][0]}\n"
        f"Python {machine['python']} built {built} ({machine['compiler']}): "
        f"{machine['interpreter']}\n"
        f"laps have messages for {seconds:g} s and more, from when all replicas have their "
        "partitions and a tenth is answered;\nbeside the headline and the replicas, ceilings get "
        "as many as ours and are done before; `seconds` is the shortest lap"
    )


def interpreters_line(interpreters: Mapping[str, set[str]]) -> str:
    """Which program ran the contenders, by the operating system while they ran."""
    programs = {program for each in interpreters.values() for program in each}
    if len(programs) == 1:
        return f"all contenders ran on {programs.pop()}, as the operating system says"
    return "contenders ran on different interpreters: " + "; ".join(
        f"{contender} on {', '.join(sorted(each))}" for contender, each in interpreters.items()
    )


def records_table(records: Sequence[Records]) -> Table:
    """What contenders published for the same commands: how many records, and how large."""
    commands = records[0].commands
    title = f"what was published for the same {commands:,} commands, by topic, means"
    table = Table(title=title, title_justify="left")
    table.add_column("contender")
    table.add_column("topic")
    names = ("records a command", "bytes", "of headers", "headers", "fields in use", "empty fields")
    for name in names:
        table.add_column(name, justify="right")
    for each in records:
        for topic, count in each.records.items():
            is_event = topic == ORDERS_EVENTS
            table.add_row(
                each.contender,
                topic,
                f"{count:.2f}",
                f"{each.value_bytes[topic]:,.0f}",
                f"{each.header_bytes[topic]:,.0f}",
                str(len(each.headers[topic])),
                str(len(each.fields)) if is_event else "",
                f"{each.empty_fields:.0f}" if is_event else "",
            )
    return table


def difference_lines(records: Sequence[Records]) -> list[str]:
    """A line for each contender: what its records lack and have against ours."""
    ours = next(each for each in records if each.contender == "ours")
    lines = []
    for each in records:
        if each is not ours:
            found = "; ".join(differences(ours, each)) or "the same fields and headers as ours"
            lines.append(f"{each.contender}: {found}")
    return lines


def counts_table(counted: Mapping[str, Mapping[str, float]]) -> Table:
    """What ours executes for a message, the same in every run of the same code."""
    title = "bytecode instructions and calls into C a message of ours, as the guard counts them"
    caption = (
        "instructions of the processor are not counted: virtual machines rarely let perf count them"
    )
    table = Table(title=title, title_justify="left", caption=caption)
    table.add_column("mix")
    for name in ("instructions", "calls into C"):
        table.add_column(name, justify="right")
    for mix, counts in counted.items():
        table.add_row(mix, f"{counts['instructions']:,.0f}", f"{counts['c_calls']:,.0f}")
    return table


def memory_table(rss_mb_by_mix: Mapping[str, float]) -> Table:
    """Most resident memory of one process of ours, by race."""
    table = Table(title="resident memory of one process of ours, most", title_justify="left")
    table.add_column("race")
    table.add_column("MB", justify="right")
    for title, rss_mb in rss_mb_by_mix.items():
        table.add_row(title, f"{rss_mb:.0f}")
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


def print_lap(console: Console, lap: Lap) -> None:
    """One line a lap, while the run goes on."""
    used = ", ".join(f"{name} {used:,.0f}" for name, used in lap.cpu_us.items())
    console.print(
        f"{lap.mix:14} {lap.contender:20} {lap.replicas} × {lap.messages:>7,} messages "
        f"{lap.seconds:>5.1f} s {lap.items_per_s:>7,.0f} items/s; "
        f"µs CPU a message: {used}; {lap.rss_mb:.0f} MB; "
        f"loaded at {lap.load_per_s:,.0f}/s",
        highlight=False,
    )
