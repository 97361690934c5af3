"""The generated tables of docs/operating.md: `python -m orderflow.docs`, with --check in CI.

Settings come from the descriptions in services/runtime/config/settings.py, metrics from
services/runtime/observability/metrics.py. Everything outside the markers is written by hand.
"""

import argparse
import sys
from pathlib import Path

from pydantic.fields import FieldInfo

from services.runtime.config.environment import allowed, is_secret, variable
from services.runtime.config.settings import Settings
from services.runtime.observability.metrics import COUNTERS, GAUGES, HISTOGRAMS

PAGE = Path(__file__).resolve().parents[1] / "docs" / "operating.md"


def settings_table() -> str:
    """Every setting as a row: variable, default, what is allowed, meaning."""
    rows = ["| variable | default | allowed | meaning |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        key = f"`{variable(name, field)}`" + (" (or `…_FILE`)" if is_secret(field) else "")
        cells = (key, _default(field), _cell(allowed(field)), field.description or "")
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)


def metrics_table() -> str:
    """Every metric as a row: name, kind, labels, meaning."""
    rows = ["| metric | kind | labels | meaning |", "|---|---|---|---|"]
    for kind, specs in (("gauge", GAUGES), ("counter", COUNTERS), ("histogram", HISTOGRAMS)):
        for spec in specs:
            labels = ", ".join(spec.labels)
            rows.append(f"| `orderflow_{spec.name}` | {kind} | {labels} | {spec.meaning} |")
    return "\n".join(rows)


def _default(field: FieldInfo) -> str:
    if field.default is None:
        return "none"
    if isinstance(field.default, float):
        return f"`{field.default:.10g}`"
    return f"`{field.default}`" if field.default != "" else "empty"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def filled(page: str) -> str:
    """The page with its tables as they should be; ValueError when a marker is missing."""
    for name, table in (("settings", settings_table()), ("metrics", metrics_table())):
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        if not 0 <= page.find(begin) < page.find(end):
            raise ValueError(f"{PAGE.name} lacks the markers {begin} and {end}")
        before, rest = page.split(begin, 1)
        after = rest.split(end, 1)[1]
        page = f"{before}{begin}\n{table}\n{end}{after}"
    return page


def main() -> int:
    """Write the tables, or with --check only say whether they are as they should be."""
    parser = argparse.ArgumentParser(prog="python -m orderflow.docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, fail if outdated")
    is_check = parser.parse_args().check
    present = PAGE.read_text(encoding="utf-8")
    wanted = filled(present)
    if is_check and present != wanted:
        sys.stderr.write(f"docs/{PAGE.name} is outdated: run `python -m orderflow.docs`\n")
        return 1
    if not is_check:
        PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
