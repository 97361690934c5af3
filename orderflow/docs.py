"""The generated tables of docs/: `python -m orderflow.docs`, with --check in CI.

In docs/operating.md settings come from the descriptions in services/runtime/config/settings.py,
and rights in Kafka (ACLs) from orderflow/access_rules.py. In docs/metrics.md metrics come from
services/runtime/observability/metrics.py. In docs/carriers.md all comes from the
folders of the carriers. Everything outside the markers is written by hand.
"""

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic.fields import FieldInfo

from orderflow import access_rules, carrier_tables
from orderflow.capacity import pages as capacity_pages
from services.runtime.config.environment import allowed, is_secret, variable
from services.runtime.config.settings import Settings
from services.runtime.observability.metrics import COUNTERS, GAUGES, HISTOGRAMS

DOCS = Path(__file__).resolve().parents[1] / "docs"


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


PAGES: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "operating.md": {"acls": access_rules.table, "settings": settings_table},
    "metrics.md": {"metrics": metrics_table},
    "carriers.md": {
        "total": carrier_tables.total_line,
        "dialects": carrier_tables.dialect_table,
        "code-sets": carrier_tables.code_set_table,
        "keys": carrier_tables.key_table,
    },
    "scale.md": {
        "costs": capacity_pages.cost_table,
        "race": capacity_pages.race_table,
        "weights": capacity_pages.weight_table,
        "stores": capacity_pages.store_table,
        "sources": capacity_pages.source_line,
    },
}
"""What makes the text between the markers of each page."""


def filled(name: str, page: str) -> str:
    """The named page with its tables as they should be.

    Raises:
        ValueError: a marker is missing.
    """
    for table, make in PAGES[name].items():
        begin, end = f"<!-- {table}:begin -->", f"<!-- {table}:end -->"
        if not 0 <= page.find(begin) < page.find(end):
            raise ValueError(f"{name} lacks the markers {begin} and {end}")
        before, rest = page.split(begin, 1)
        after = rest.split(end, 1)[1]
        page = f"{before}{begin}\n{make()}\n{end}{after}"
    return page


def main() -> int:
    """Write the tables, or with --check only say whether they are as they should be."""
    parser = argparse.ArgumentParser(prog="python -m orderflow.docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, fail if outdated")
    is_check = parser.parse_args().check
    outdated = 0
    for name in PAGES:
        present = (DOCS / name).read_text(encoding="utf-8")
        wanted = filled(name, present)
        if not is_check:
            (DOCS / name).write_text(wanted, encoding="utf-8")
        elif present != wanted:
            sys.stderr.write(f"docs/{name} is outdated: run `python -m orderflow.docs`\n")
            outdated += 1
    return min(1, outdated)


if __name__ == "__main__":
    raise SystemExit(main())
