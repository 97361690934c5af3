"""`python -m bench.tracing`: what traces cost the orders service, in CPU of its process a message.

The same commands are applied with traces off, of 1 % and of all messages, in interleaved rounds.
The collector is a server of this program that reads what is posted and does no more. The last line
is for scripts.
"""

from __future__ import annotations

import logging
import statistics
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Annotated

import structlog
import typer
import uvloop
from rich.console import Console
from rich.table import Table

from bench.contenders import OURS, Contender
from bench.lap import Lap
from bench.race import Participant, Track, Traffic
from bench.tables import print_lap
from bench.traffic import MIXES
from deploy.stack import stack_for

SHARES = {"off": None, "1 %": 0.01, "100 %": 1.0}


@contextmanager
def taking_spans() -> Iterator[str]:
    """A collector that takes everything; its OTEL_EXPORTER_OTLP_ENDPOINT."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            """Read a request and accept it."""
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def contenders(endpoint: str) -> list[Contender]:
    """Ours without traces, and with traces of each share."""
    found = []
    for name, share in SHARES.items():
        traced = {}
        if share is not None:
            traced = {
                "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
                "OTEL_TRACES_SAMPLER_ARG": str(share),
            }
        environment = {**OURS.environment, **traced}
        found.append(replace(OURS, name=name, environment=environment))
    return found


def ratios(laps: Sequence[Lap], name: str) -> list[float]:
    """CPU a message against that without traces, in each round."""
    cpu = {
        each: [lap.cpu_us["process"] for lap in laps if lap.contender == each] for each in SHARES
    }
    return [traced / off for traced, off in zip(cpu[name], cpu["off"], strict=True)]


def table(laps: Sequence[Lap]) -> Table:
    """Medians of all rounds, and the ratio in each of them."""
    shown = Table("traces", "CPU a message, µs", "messages/s", "memory, MB", "CPU against off")
    for name in SHARES:
        of_it = [lap for lap in laps if lap.contender == name]
        shown.add_row(
            name,
            f"{statistics.median(lap.cpu_us['process'] for lap in of_it):.1f}",
            f"{statistics.median(lap.messages_per_s for lap in of_it):,.0f}",
            f"{max(lap.rss_mb for lap in of_it):.0f}",
            "  ".join(f"{ratio:.3f}" for ratio in ratios(laps, name)),
        )
    return shown


def main(
    rounds: Annotated[int, typer.Option(min=1, help="How often each is measured.")] = 5,
    messages: Annotated[int, typer.Option(min=2_000, help="Messages of a lap.")] = 30_000,
    mix: Annotated[str, typer.Option(help=f"One of {', '.join(MIXES)}.")] = "upserts",
) -> None:
    """Measure on real servers and print a table; the last line is one."""
    console = Console(width=140)
    logging.disable(logging.WARNING)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory(prefix="orderflow-tracing-") as name, taking_spans() as to:
        folder = Path(name)
        folder.chmod(0o755)  # Postgres may run as another user.
        with stack_for(folder / "stack") as stack:
            track = Track(stack.start(), {}, folder, lambda lap: print_lap(console, lap))
            participants = [Participant(each, messages) for each in contenders(to)]
            laps = uvloop.run(track.race(Traffic(mix), participants, rounds))
    console.print(table(laps))
    found = {name: statistics.median(ratios(laps, name)) for name in SHARES}
    typer.echo(f"tracing: cpu_at_1={found['1 %']:.3f} cpu_at_100={found['100 %']:.3f}")


if __name__ == "__main__":
    typer.run(main)
