"""The path of a command is traced on real servers, within the budget of bench/trace/budget.json."""

import json
import os
import subprocess
import sys

from bench.trace.figures import load_budget


def figures_of(last_line):
    """The figures of the program's last line, by name."""
    program, *figures = last_line.split()
    assert program == "trace:"
    return {name: int(count) for name, count in (each.split("=") for each in figures)}


def test_trace_of_an_upsert_is_within_its_budget(stack, project_folder, tmp_path):
    written = tmp_path / "figures.json"

    run = subprocess.run(
        [sys.executable, "-m", "bench.trace", "--list", "--json", str(written)],
        check=False,
        cwd=project_folder,
        env={**os.environ, **stack.environment()},
        capture_output=True,
        text=True,
    )

    assert run.returncode == 0, run.stdout + run.stderr
    found = figures_of(run.stdout.splitlines()[-1])
    budget = load_budget()
    assert found.keys() == budget.keys()
    assert all(0 < found[name] <= budget[name] for name in budget)
    counted = json.loads(written.read_text())
    assert all(found[f"{path}_files"] == counted[path]["files"] for path in ("batch", "relay"))
    listed = {line.partition(": ")[0] for line in run.stdout.splitlines() if ".py: " in line}
    assert all((project_folder / file).is_file() for file in listed)
    assert any(file.startswith("services/orders/") for file in listed)
