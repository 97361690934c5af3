"""One campaign from start to report."""

from __future__ import annotations

import json
import logging
import os
import platform
import random
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from chaos import plan, planted, points
from chaos.checker.findings import Findings
from chaos.checker.ledger import Ledger
from chaos.checker.reader import Reader
from chaos.checker.tables import Tables
from chaos.checker.webhooks import WebhookLedger
from chaos.gateway import GatewayClient
from chaos.operators import Operators
from chaos.plan import Fault
from chaos.publishing import Publisher
from chaos.rounds import Campaign, Round, as_json
from chaos.stage import Ground, grounded, staged
from chaos.traffic import Traffic
from chaos.webhooks.attendant import Attendant, attended
from chaos.webhooks.destinations import HOOKS
from chaos.webhooks.receivers import receiving
from demo.journal import Entry

FINDINGS_SHOWN = 20
FINDINGS_KEPT = 500
LAST_WORDS_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for."""

    seed: int
    rounds: int
    reports: Path
    publication: str = "at_least_once"
    plants: tuple[str, ...] = ()
    faults: Sequence[Sequence[Fault]] | None = None
    """By round; None for those that the seed draws."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Settings of the services beside the usual."""
    flags: tuple[str, ...] = ()
    """What the command line says of plants and faults."""

    @property
    def is_exact(self) -> bool:
        """Whether readers of committed records must see nothing twice."""
        return self.publication == "exactly_once"

    def faults_of(self, number: int) -> Sequence[Fault]:
        """What strikes in round `number`."""
        if self.faults is not None:
            return self.faults[number - 1]
        publishing = points.PUBLISHING_ONCE if self.is_exact else points.PUBLISHING
        return plan.draw(self.seed, number, publishing)


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it."""

    wanted: Wanted
    campaign: Campaign
    attendant: Attendant
    seconds: float
    last_words: Mapping[str, list[str]]
    """The ends of the replicas' logs."""
    never_called: Sequence[str] = ()
    """Patched functions of planted bugs that no replica called: what is found is not theirs."""

    @property
    def findings(self) -> Findings:
        """All that is wrong."""
        return self.campaign.findings

    @property
    def is_clean(self) -> bool:
        """Nothing wrong; and with exactly-once publication nothing published twice."""
        return self.campaign.is_clean

    @property
    def last_line(self) -> str:
        """For scripts."""
        rounds = min(len(self.campaign.played), self.wanted.rounds)
        return (
            f"chaos: seed={self.wanted.seed} rounds={rounds} kills={self.campaign.kills} "
            f"messages={self.campaign.publisher.sent} {_counts(self.findings.counts)} "
            f"deliveries={self.campaign.webhooks.taken}"
        )


async def run(wanted: Wanted, show: Callable[[str], None]) -> Result:
    """Run a campaign and write its report; logs are kept when something is wrong."""
    folder = wanted.reports / f"chaos-{wanted.seed}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # Clients of Kafka log a lot while it is being killed.
    logging.basicConfig(filename=folder / "campaign.log", force=True)
    structlog.configure(logger_factory=structlog.stdlib.LoggerFactory())
    async with grounded(folder) as ground:
        result = await play(ground, folder, wanted, show)
    _write(result)
    if result.is_clean:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        shutil.rmtree(folder / "servers" / "kafka" / "data", ignore_errors=True)
        _explain(result, folder, show)
    return result


async def play(ground: Ground, folder: Path, wanted: Wanted, show: Callable[[str], None]) -> Result:
    """Run a campaign on an installation of its own, whose logs are kept in `folder`."""
    began = time.monotonic()
    environment = {**wanted.environment, "ORDERFLOW_PUBLICATION": wanted.publication}
    webhooks = WebhookLedger(Ledger(Findings()), HOOKS)
    async with (
        receiving(webhooks, wanted.seed) as receivers,
        staged(ground, folder, environment, receivers, wanted.plants) as stage,
    ):
        show(f"everything runs after {time.monotonic() - began:.0f} s; logs: {folder}")
        attendant = Attendant(stage, webhooks, random.Random(f"attendant/{wanted.seed}"))
        campaign = await _campaign(attendant, wanted, show)
        last_words = {name: ward.last_words() for name, ward in stage.wards.items()}
        never_called = planted.never_called(ward.log for ward in stage.wards.values())
    for place in never_called:
        show(f"planted, but never called by a replica: {place}")
    seconds = time.monotonic() - began
    return Result(wanted, campaign, attendant, seconds, last_words, never_called)


async def _campaign(attendant: Attendant, wanted: Wanted, show: Callable[[str], None]) -> Campaign:
    stage, webhooks = attendant.stage, attendant.log
    installation, ledger = stage.installation, webhooks.ledger

    def take(entry: Entry) -> None:
        ledger.take(entry)
        webhooks.take(entry)

    async with (
        Reader(installation.options, installation.prefix, take) as reader,
        GatewayClient(stage.gateway_port, installation.settings) as gateway,
        Publisher(installation.options, installation.prefix, gateway) as publisher,
    ):
        campaign = Campaign(
            stage=stage,
            traffic=Traffic(wanted.seed, wanted.rounds),
            reader=reader,
            ledger=ledger,
            webhooks=webhooks,
            tables=Tables(installation.database_url, installation.prefix),
            publisher=publisher,
            operators=Operators(stage),
            show=lambda round_: show(_line(round_)),
            faults_of=wanted.faults_of,
            is_exact=wanted.is_exact,
            is_hasty=bool(wanted.plants),
        )
        await attendant.make(publisher)
        async with attended(attendant):
            await campaign.run()
    return campaign


def _line(round_: Round) -> str:
    faults = "; ".join(fault.partition(" ")[2] for fault in round_.faults) or "no faults"
    return (
        f"round {round_.number:3} {round_.seconds:5.1f} s {round_.messages:4} messages "
        f"{round_.kills} kills {_counts(round_.counts)} | {faults}{_not_reached(round_.missed)}"
    )


def _not_reached(missed: Mapping[str, int]) -> str:
    points_ = ", ".join(f"{point} ({count})" for point, count in missed.items())
    return f" | not reached: {points_}" if points_ else ""


def _counts(counts: dict[str, int]) -> str:
    return " ".join(f"{name}={count}" for name, count in counts.items())


def _write(result: Result) -> None:
    campaign, wanted = result.campaign, result.wanted
    report: dict[str, Any] = {
        "seed": wanted.seed,
        "publication": wanted.publication,
        "plants": wanted.plants,
        "is_clean": result.is_clean,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {os.cpu_count()} processors",
        "seconds": round(result.seconds),
        "rounds": len(campaign.played),
        "kills": campaign.kills,
        "messages": campaign.publisher.sent,
        "accepted_by_gateway": len(campaign.publisher.gateway.accepted),
        "answers_of_gateway": dict(campaign.publisher.gateway.answers),
        "records_read": campaign.ledger.records,
        "counts": result.findings.counts,
        "faults": dict(campaign.points.most_common()),
        "never_called": list(result.never_called),
        "operators": dict(campaign.operators.acts),
        "webhooks": {
            "requests": campaign.webhooks.requests,
            "taken": campaign.webhooks.taken,
            "repeats": campaign.webhooks.repeats,
            "late": campaign.webhooks.late,
            "resumed": result.attendant.resumed,
            "answers": result.attendant.stage.receivers.answers,
        },
        "played": [as_json(round_) for round_ in campaign.played],
        "findings": [str(finding) for finding in result.findings.all[:FINDINGS_KEPT]],
        "repeats": result.findings.repeats_examples,
        "last_words": {} if result.is_clean else result.last_words,
    }
    path = wanted.reports / f"chaos-{wanted.seed}.json"
    path.write_text(json.dumps(report, indent=1, ensure_ascii=False), encoding="utf-8")


def _explain(result: Result, folder: Path, show: Callable[[str], None]) -> None:
    show(f"--- something is wrong; again with: {_command(result.wanted)}")
    for finding in result.findings.all[:FINDINGS_SHOWN]:
        show(f"  {finding}")
    if len(result.findings.all) > FINDINGS_SHOWN:
        show(f"  and {len(result.findings.all) - FINDINGS_SHOWN} more")
    for name, lines in result.last_words.items():
        show(f"--- {name}")
        for line in lines[-LAST_WORDS_SHOWN:]:
            show(f"  {line[:300]}")
    report = folder.parent / f"chaos-{result.wanted.seed}.json"
    show(f"--- all findings: {report}; logs of replicas and servers: {folder}")


def _command(wanted: Wanted) -> str:
    return (
        f"python -m chaos --seed {wanted.seed} --rounds {wanted.rounds} "
        f"--publication {wanted.publication} {' '.join(wanted.flags)}".rstrip()
    )
