"""`orderflow demo`: everything set up, played, shown, counted from outside and taken down again."""

from __future__ import annotations

import asyncio
import logging
import shutil
import signal
import tempfile
from dataclasses import fields
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.table import Table

from demo.counts import NumberCounts, found_counts, wanted_counts
from demo.expectation import Totals
from demo.installation import Installation, installation_of
from demo.olist import read_script
from demo.purchases import DataError
from demo.replicas import NotReady
from demo.run import Finding, perform, totals_in
from demo.screen import Screen
from demo.script import Script
from demo.synthetic import synthetic_script
from demo.watcher import Unanswered
from deploy.stack import LocalStack, StackError, Terminal, stack_for

WORK_FOLDER = Path(".orderflow")
DIFFERENCES_SHOWN = 20
WRONG, INTERRUPTED = 1, 130


def run(
    data: Path | str | None = None,
    seed: int = 7,
    svg: Path | str | None = None,
    scale: float = 1.0,
    work_folder: Path = WORK_FOLDER,
) -> int:
    """Play the synthetic shop of `seed`, or the CSV files in `data`; `svg` saves the screen.

    `scale` 1 is a shop of about 320 orders.

    Returns the exit code: 0 when nothing was lost, doubled or reordered, at the webhook either, and
    every figure is right.
    """
    console = Console()
    logging.getLogger("aiokafka").setLevel(
        logging.CRITICAL
    )  # It retries; the demo reports what failed.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        script = read_script(Path(data)) if data else synthetic_script(seed, scale=scale)
        return _run(script, console, Path(svg) if svg else None, work_folder)
    except KeyboardInterrupt:
        console.print("[yellow]stopped; nothing is left running[/yellow]")
        return INTERRUPTED
    except (DataError, StackError, NotReady, Unanswered) as error:
        console.print(f"[red]demo failed:[/red] {error}", soft_wrap=True, highlight=False)
        return WRONG


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """SIGTERM ends a run as Ctrl-C does."""
    raise KeyboardInterrupt


def _run(script: Script, console: Console, svg: Path | None, work_folder: Path) -> int:
    work_folder.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="demo-", dir=work_folder.resolve()))
    is_right = False
    try:
        with stack_for(folder / "stack") as stack:
            installation = installation_of(stack.start(Terminal()), folder)
            is_ours = isinstance(stack, LocalStack)
            finding, screen = asyncio.run(_perform(script, installation, console, is_ours))
        is_right = finding.is_right
        if svg:
            svg.write_text(screen.picture or screen.as_svg(), encoding="utf-8")
        show(finding, script, console)
    finally:
        _clear(folder, console, keep_logs=not is_right)
    return 0 if is_right else WRONG


async def _perform(
    script: Script, installation: Installation, console: Console, is_ours: bool
) -> tuple[Finding, Screen]:
    try:
        with console.status("Creating the database and the topics"):
            await installation.create()
        return await perform(script, installation, console)
    finally:
        if not is_ours:
            await installation.drop()


def show(finding: Finding, script: Script, console: Console) -> None:
    """Print the figures against the right answer, what is wrong, and the last lines."""
    console.print()
    wanted = script.expectation
    console.print(_figures(wanted.totals, totals_in(finding.figures), "report"))
    console.print(_figures(wanted_counts(wanted), found_counts(finding.audit), "topics"))
    if not finding.audit.is_clean:
        console.print(finding.audit.summary(), style="red", highlight=False)
    for text in finding.differences[:DIFFERENCES_SHOWN]:
        console.print(text, style="red", highlight=False, soft_wrap=True)
    if len(finding.differences) > DIFFERENCES_SHOWN:
        console.print(f"… {len(finding.differences)} differences in all", style="red")
    for text in finding.webhook.problems:
        console.print(text, style="red", highlight=False, soft_wrap=True)
    for line in (*script.notes, finding.webhook.line(), finding.last_line()):
        print(line, flush=True)  # noqa: T201 - lines that scripts read


def _figures(wanted: Totals | NumberCounts, found: Totals | NumberCounts, where: str) -> Table:
    table = Table(title=f"What came of it, by the {where}", title_justify="left")
    table.add_column("figure")
    table.add_column("right answer", justify="right")
    table.add_column(where, justify="right")
    for each in fields(wanted):
        right, counted = getattr(wanted, each.name), getattr(found, each.name)
        colour = "green" if right == counted else "red"
        name = each.name.replace("_", " ")
        table.add_row(name, _shown(right), f"[{colour}]{_shown(counted)}[/{colour}]")
    return table


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "  ".join(f"{code} {amount:,.2f}" for code, amount in sorted(value.items()))
    return f"{value:,}"


def _clear(folder: Path, console: Console, *, keep_logs: bool) -> None:
    """Remove what the run wrote; the services' logs stay when something is wrong."""
    logs = folder / "logs"
    if keep_logs and logs.is_dir() and any(logs.iterdir()):
        shutil.rmtree(folder / "stack", ignore_errors=True)
        console.print(f"the services' logs are in {logs}", soft_wrap=True, highlight=False)
    else:
        shutil.rmtree(folder, ignore_errors=True)
