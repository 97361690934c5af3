"""karrio's answers to all payloads, from one process of its own environment."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.karrio.answers import Case, cases
from bench.karrio.forms import CONNECTORS, LeftOut

ENVIRONMENT = Path(__file__).parents[2] / ".venv-karrio"
REPORTS = Path(__file__).parents[2] / "reports"
_PROGRAM = Path(__file__).with_name("connectors.py")


@dataclass(frozen=True, slots=True)
class Asked:
    """A payload with karrio's answer, or the form for which it was left out."""

    case: Case
    answer: Mapping[str, Any]
    left_out: str | None = None


def ask() -> Sequence[Asked]:
    """Give karrio every payload of the dialects that it has a connector for.

    Raises:
        FileNotFoundError: karrio is not installed; the text says how it is.
    """
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists():
        raise FileNotFoundError(f"{python} is not there: run `make bench-karrio`, which makes it")
    found = [_asked(case) for dialect in CONNECTORS for case in cases(dialect)]
    given = [each for each in found if each.left_out is None]
    lines = "".join(json.dumps(_request(each.case)) + "\n" for each in given)
    REPORTS.mkdir(exist_ok=True)
    with (REPORTS / "karrio.log").open("w") as log:
        run = subprocess.run(  # -I: neither the folder of the program nor PYTHONPATH is looked into
            [python, "-I", _PROGRAM],
            input=lines,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            check=True,
        )
    answers = {each["id"]: each for each in map(json.loads, run.stdout.splitlines())}
    return [Asked(each.case, answers.get(each.case.path, {}), each.left_out) for each in found]


def _asked(case: Case) -> Asked:
    try:
        CONNECTORS[case.dialect].bodies(case.payload)
    except LeftOut as form:
        return Asked(case, {}, str(form))
    return Asked(case, {})


def _request(case: Case) -> Mapping[str, Any]:
    """A number stands for the one that karrio asked for; of several parcels it is the first."""
    connector = CONNECTORS[case.dialect]
    numbers = [each.get("tracking_number", "") for each in case.answer["parcels"]] or [""]
    bodies = connector.bodies(case.payload)
    asked = numbers if len(bodies) == len(numbers) else [numbers[0]] * len(bodies)
    return {
        "id": case.path,
        "connector": connector.name,
        "shape": connector.shape,
        "inputs": list(zip(asked, bodies, strict=True)),
    }


def version() -> str:
    """The version of karrio in its environment."""
    (found,) = ENVIRONMENT.glob("lib/python3*/site-packages/karrio-[0-9]*.dist-info")
    return found.name.removeprefix("karrio-").removesuffix(".dist-info")
