"""The demo as a user runs it: a process of its own, its last line, and nothing left behind."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from demo.replicas import SERVICES

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(180)]

# A run in the background ignores Ctrl-C, and its children inherit that.
LISTENING = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
SMALL = LISTENING + "import sys; from pathlib import Path; from demo.main import run; "
LAST_LINE = re.compile(
    r"demo: orders=\d+ shipments=\d+ scans=\d+ order_events=\d+ shipment_events=\d+ claims=\d+ "
    r"lost=0 duplicated=0 reordered=0 seconds=\d+"
)
WEBHOOK_LINE = re.compile(
    r"webhook: events=(?P<events>\d+) received=(?P<received>\d+) missing=0 repeated=0 reordered=0 "
    r"foreign=0 wrong_signature=0"
)
INTERRUPTED = 130


@pytest.fixture
def demo(tmp_path: Path, project_folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """A small shop's demo on servers of its own, as a process that can be interrupted."""
    call = f"sys.exit(run(scale=0.05, svg='screen.svg', work_folder=Path({str(tmp_path)!r})))"
    kept = {name: text for name, text in os.environ.items() if not name.startswith("KAFKA_")}
    kept.pop("DATABASE_URL", None)
    with subprocess.Popen(
        [sys.executable, "-c", SMALL + call],
        cwd=tmp_path,
        env={**kept, "PYTHONPATH": str(project_folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        yield process
        process.kill()


def test_demo_ends_in_one_line_for_scripts(demo: "subprocess.Popen[str]", tmp_path: Path) -> None:
    output, _ = demo.communicate()

    assert demo.returncode == 0, output
    assert LAST_LINE.fullmatch(output.splitlines()[-1]), output
    webhook = WEBHOOK_LINE.fullmatch(output.splitlines()[-2])
    assert webhook, output
    assert 0 < int(webhook["events"]) == int(webhook["received"])
    assert "</svg>" in (tmp_path / "screen.svg").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["screen.svg"]


@pytest.mark.long
def test_demo_leaves_no_process_after_ctrl_c(demo: "subprocess.Popen[str]", tmp_path: Path) -> None:
    family: list[psutil.Process] = []
    while not _services_started(tmp_path):
        assert demo.poll() is None, "the demo ended before its services started"
        family = psutil.Process(demo.pid).children(recursive=True)
    family = psutil.Process(demo.pid).children(recursive=True)
    assert len(family) >= len(SERVICES)

    demo.send_signal(signal.SIGINT)
    output, _ = demo.communicate()

    assert demo.returncode == INTERRUPTED, output
    assert "Traceback" not in output
    gone, alive = psutil.wait_procs(family, timeout=5)
    assert not alive
    assert len(gone) == len(family)


def _services_started(folder: Path) -> bool:
    logs = list(folder.glob("demo-*/logs/*.log"))
    return len(logs) == len(SERVICES) and all("service_started" in log.read_text() for log in logs)
