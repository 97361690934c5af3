"""Panels, rows and variables of our dashboards, all in one form."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import common as common_parts
from grafana_foundation_sdk.builders import dashboard as parts
from grafana_foundation_sdk.builders import prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    Threshold,
    ThresholdsMode,
    VariableOption,
    VariableRefresh,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

DATASOURCE = DataSourceRef(type_val="prometheus", uid="$datasource")
RUNBOOK = "https://orderflow.example/runbook.html"
"""Default of the variable `runbook`, the address of that page: to be set once, in Grafana."""
GREEN, YELLOW, RED = "green", "yellow", "red"

ELSE_0 = "or on () vector(0)"
"""After an expression: 0 where it has no series, as with counters before their first event."""
_METRIC_OF = {"namespace": "ready", "service": "ready", "topic": "lag_seconds"}

PanelBuilder = stat.Panel | timeseries.Panel | table.Panel


@dataclass(frozen=True, slots=True)
class Query:
    """One expression, and the name of its series in the legend, such as `{{topic}}`.

    In braces, `@` stands for the matchers of the variables namespace and service, `@topic` also for
    that of topic, `@figures` for namespace alone, `@job` for targets of ours.
    """

    expression: str
    legend: str = "__auto"

    def expanded(self) -> str:
        """The expression as Grafana gets it."""
        namespace = 'namespace=~"$namespace"'
        service = f'{namespace}, service=~"$service"'
        matchers = {
            "@topic": f'{service}, topic=~"$topic"',
            "@figures": namespace,
            "@job": f'{namespace}, job=~".*orderflow.*"',
            "@": service,
        }
        text = self.expression
        for name, written in matchers.items():
            text = text.replace(f"{{{name}}}", f"{{{written}}}")
            text = text.replace(f"{{{name}, ", f"{{{written}, ")
        return text


@dataclass(frozen=True, slots=True)
class Limit:
    """The value from which a panel is red (below which, with `is_least`), as that of an alert."""

    red: float
    alert: str | None = None
    is_least: bool = False

    def colours(self) -> parts.ThresholdsConfig:
        """The colours by value."""
        colours = (RED, GREEN) if self.is_least else (GREEN, RED)
        steps = [
            Threshold(value=value, color=colour)
            for value, colour in zip((None, self.red), colours, strict=True)
        ]
        return parts.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under a title; a closed row is opened by a click, and asks nothing before."""

    title: str
    panels: Sequence[PanelBuilder]
    is_open: bool = True

    def add_to(self, page_builder: parts.Dashboard) -> None:
        """Add the row below what is there."""
        row = parts.Row(self.title)
        if not self.is_open:
            for panel in self.panels:
                row.with_panel(panel)
        page_builder.with_row(row)
        if self.is_open:
            for panel in self.panels:
                page_builder.with_panel(panel)


def number(
    title: str, meaning: str, query: str, *, unit: str = "short", limit: Limit | None = None
) -> stat.Panel:
    """One number, coloured by its limit, with a small curve."""
    panel = (
        stat.Panel()
        .graph_mode(common.BigValueGraphMode.AREA)
        .color_mode(
            common.BigValueColorMode.BACKGROUND if limit else common.BigValueColorMode.VALUE
        )
        .reduce_options(common_parts.ReduceDataOptions().calcs(["lastNotNull"]))
        .height(4)
        .span(3)
    )
    _limit(panel.title(title).description(meaning).unit(unit), limit)
    _ask(panel, [Query(query)])
    return panel


def graph(
    title: str,
    meaning: str,
    *queries: Query,
    unit: str = "short",
    limit: Limit | None = None,
    is_stacked: bool = False,
    span: int = 8,
) -> timeseries.Panel:
    """Curves over time, with a line at the limit."""
    panel = (
        timeseries.Panel()
        .line_width(1)
        .fill_opacity(30 if is_stacked else 8)
        .show_points(common.VisibilityMode.NEVER)
        .min(0)
        .legend(
            common_parts.VizLegendOptions()
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
            .show_legend(show_legend=True)
        )
        .tooltip(
            common_parts.VizTooltipOptions()
            .mode(common.TooltipDisplayMode.MULTI)
            .sort(common.SortOrder.DESCENDING)
        )
        .height(7)
        .span(span)
    )
    if is_stacked:
        panel.stacking(common_parts.StackingConfig().mode(common.StackingMode.NORMAL))
    if limit:
        panel.thresholds_style(
            common_parts.GraphThresholdsStyleConfig().mode(common.GraphTresholdsStyleMode.DASHED)
        )
    _limit(panel.title(title).description(meaning).unit(unit), limit)
    _ask(panel, queries)
    return panel


def rows_of_labels(title: str, meaning: str, query: str, *, span: int) -> table.Panel:
    """A table with a row for each series now, by its labels."""
    panel = table.Panel().height(4).span(span).title(title).description(meaning)
    _ask(panel, [Query(query)])
    return panel


def _limit(panel: stat.Panel | timeseries.Panel, limit: Limit | None) -> None:
    if limit:
        panel.thresholds(limit.colours())
    if limit and limit.alert:
        panel.links([_runbook_link(limit.alert)])


def _ask(panel: PanelBuilder, queries: Sequence[Query]) -> None:
    panel.datasource(DATASOURCE)
    for ref, query in zip("ABCDEFGH"[: len(queries)], queries, strict=True):
        target = (
            prometheus.Dataquery()
            .expr(query.expanded())
            .legend_format(query.legend)
            .ref_id(ref)
            .datasource(DATASOURCE)
        )
        is_table = isinstance(panel, table.Panel)
        panel.with_target(
            target.instant().format(PromQueryFormat.TABLE) if is_table else target.range()
        )


def _runbook_link(alert: str) -> parts.DashboardLink:
    return (
        parts.DashboardLink(alert)
        .type(DashboardLinkType.LINK)
        .url(f"${{runbook}}#{alert.lower()}")
        .target_blank(target_blank=True)
    )


def page(
    uid: str, title: str, meaning: str, rows: Sequence[Row], variables: Sequence[str]
) -> dict[str, Any]:
    """A dashboard as the JSON that Grafana imports; `variables` are labels to choose values of."""
    made = (
        parts.Dashboard(title)
        .uid(uid)
        .description(meaning)
        .tags(["orderflow"])
        .time("now-6h", "now")
        .refresh("30s")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(parts.DatasourceVariable("datasource").label("source").type("prometheus"))
    )
    for name in variables:
        made.with_variable(_variable(name))
    made.with_variable(
        parts.TextBoxVariable("runbook").label("address of the runbook").default_value(RUNBOOK)
    )
    made.link(parts.DashboardLink("Runbook").type(DashboardLinkType.LINK).url("${runbook}"))
    for row in rows:
        row.add_to(made)
    whole: dict[str, Any] = json.loads(JSONEncoder(sort_keys=True).encode(made.build()))
    for number_of_panel, panel in enumerate(panels_in(whole), start=1):
        panel["id"] = number_of_panel
    return whole


def panels_in(page_json: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The panels of a page, rows and the panels in closed rows too, from the top."""
    for panel in page_json["panels"]:
        yield panel
        yield from panel.get("panels") or []


def _variable(label: str) -> parts.QueryVariable:
    """A variable with the values of a label, all of them by default; also without that label."""
    return (
        parts.QueryVariable(label)
        .label(label)
        .datasource(DATASOURCE)
        .query(f"label_values(orderflow_{_METRIC_OF[label]}, {label})")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .include_all(include_all=True)
        .all_value(".*")
        .multi(multi=True)
        .current(VariableOption(selected=True, text="All", value="$__all"))
    )
