"""`python -m tools.dashboards`: write the dashboards; `--check` compares; `--draw` draws them.

python -m tools.dashboards --draw http://127.0.0.1:9090 --minutes 30 --folder docs
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tools.dashboards.business import business
from tools.dashboards.operators import operators

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "grafana"
PAGES: Mapping[str, Callable[[], dict[str, Any]]] = {"operators": operators, "business": business}


def files() -> dict[Path, str]:
    """The text of each file."""
    return {
        FOLDER / f"{name}.json": json.dumps(make(), indent=1, ensure_ascii=False) + "\n"
        for name, make in PAGES.items()
    }


def check() -> list[str]:
    """Sentences about files that are not as the code makes them."""
    return [
        f"{path.name} is not as tools/dashboards makes it: run `python -m tools.dashboards`"
        for path, text in files().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]


def main() -> int:
    """Write or compare the files, or draw their panels from a Prometheus; 1 where they differ."""
    arguments = argparse.ArgumentParser(prog="python -m tools.dashboards", description=__doc__)
    arguments.add_argument("--check", action="store_true", help="compare, and write nothing")
    arguments.add_argument("--draw", metavar="URL", help="address of a Prometheus to draw from")
    arguments.add_argument("--minutes", type=float, default=60, help="time to draw, up to now")
    arguments.add_argument("--folder", type=Path, default=Path(), help="where pictures are written")
    chosen = arguments.parse_args()
    if chosen.check:
        wrong = check()
        sys.stderr.writelines(f"{line}\n" for line in wrong)
        return 1 if wrong else 0
    if chosen.draw:
        from tools.dashboards.pictures import draw_last_minutes

        for name, make in PAGES.items():
            path = chosen.folder / f"dashboards-{name}.png"
            draw_last_minutes(make(), chosen.draw, chosen.minutes, path)
        return 0
    for path, text in files().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
