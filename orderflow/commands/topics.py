"""`orderflow topics`: make, compare and change the Kafka topics."""

from typing import Annotated

import typer
from rich.table import Table

from orderflow.console.environment import load_settings
from orderflow.console.terminal import Commands, Json, err, out, print_json, run
from schemas.topics import CATALOGUE, Topic
from services.runtime.config.settings import Settings
from services.runtime.kafka.topic_settings import SettingChange
from services.runtime.kafka.topics import (
    INSTALLED,
    PARTITIONS_ADVICE,
    configured,
    short_retention,
)
from services.runtime.kafka.topics import apply as change
from services.runtime.kafka.topics import check as compare
from services.runtime.kafka.topics import create as make

app = typer.Typer(
    cls=Commands, help="Make, compare and change the Kafka topics.", no_args_is_help=True
)


@app.command()
def create(json: Json = False) -> None:
    """Make the topics that are missing; leave those that are there alone.

    Topics that are there with other settings than they should have are named; `orderflow topics
    apply` changes them. `carrier.tracking` is kept for ORDERFLOW_TRACKING_RETENTION_DAYS.

    The number of partitions (KAFKA_PARTITIONS) is fixed from then on: growing it would send an
    order's next messages to another partition, where they may overtake the ones before.

    Example: `KAFKA_PARTITIONS=24 KAFKA_REPLICATION_FACTOR=3 orderflow topics create`
    """
    settings = _settings()
    made = run(make(settings))
    different = [] if len(made) == len(INSTALLED) else run(compare(settings))
    if json:
        notes = [str(difference) for difference in different]
        print_json({"created": made, "partitions": settings.kafka_partitions, "different": notes})
        return
    for name in made:
        out.print(f"created  {name}", markup=False)
    for difference in different:
        out.print(f"note     {difference}", markup=False)
    out.print(f"topics: created={len(made)} present={len(INSTALLED) - len(made)}")


@app.command()
def check(json: Json = False) -> None:
    """Compare the topics with what is wanted; status 1 when a service cannot rely on one.

    Example: `orderflow topics check --json`
    """
    differences = run(compare(_settings()))
    if json:
        print_json(
            [{"topic": d.topic, "difference": d.text, "fatal": d.is_fatal} for d in differences]
        )
    else:
        for difference in differences:
            out.print(f"{'FAIL' if difference.is_fatal else 'note'} {difference}", markup=False)
        if any("KAFKA_PARTITIONS" in difference.text for difference in differences):
            out.print(PARTITIONS_ADVICE)
        out.print(f"topics: checked={len(INSTALLED)} different={len(differences)}")
    if any(difference.is_fatal for difference in differences):
        raise typer.Exit(1)


@app.command()
def apply(
    shorten: Annotated[
        bool,
        typer.Option(
            "--shorten",
            help="Also change what takes something away: Kafka deletes records that are older than "
            "a shorter retention, and refuses messages above a smaller maximum.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the changes, and make none.")
    ] = False,
    json: Json = False,
) -> None:
    """Set retention, cleanup and size of existing topics as catalogue and settings have them.

    Other settings, and the number of partitions, stay as they are. Status 1 when settings are left
    as they are for want of `--shorten`.

    Example: `orderflow topics apply --dry-run`
    """
    made, left = run(change(_settings(), may_take_away=shorten, is_dry_run=dry_run))
    if json:
        print_json(
            {"changed": list(map(_change, made)), "left": list(map(_change, left)), "dry": dry_run}
        )
    else:
        for each in made:
            word = "to set" if dry_run else "set   "
            out.print(f"{word} {each.topic}: {each}", markup=False)
        for each in left:
            advice = "this takes something away; --shorten sets it"
            out.print(f"left   {each.topic}: {each}; {advice}", markup=False)
        out.print(f"topics: changed={0 if dry_run else len(made)} left={len(left)}")
    if left:
        raise typer.Exit(1)


def _settings() -> Settings:
    """The settings; a retention of tracking that is short is said on stderr."""
    settings = load_settings()
    if warning := short_retention(settings):
        err.print(f"warning: {warning}", markup=False)
    return settings


def _change(made: SettingChange) -> dict[str, object]:
    return {
        "topic": made.topic,
        "setting": made.setting,
        "present": made.present,
        "wanted": made.wanted,
    }


@app.command("list")
def list_(json: Json = False) -> None:
    """Show the catalogue: each topic, its key, who writes and reads it, how long it is kept.

    Example: `orderflow topics list --json`
    """
    topics = configured(load_settings(), CATALOGUE)
    if json:
        for topic in topics:
            print_json(_as_json(topic))
        return
    table = Table("topic", "key", "written by", "read by", "kept", "what")
    for topic in topics:
        table.add_row(
            topic.name,
            topic.key,
            ", ".join(topic.writers),
            ", ".join(topic.readers),
            f"{topic.retention_days} days",
            topic.meaning,
        )
    out.print(table)


def _as_json(topic: Topic) -> dict[str, object]:
    return {
        "topic": topic.name,
        "key": topic.key,
        "writers": topic.writers,
        "readers": topic.readers,
        "retention_days": topic.retention_days,
        "partitions": topic.partitions,
        "personal_data": topic.personal_data,
        "meaning": topic.meaning,
    }
