"""The check of alert rules against our metrics: `python -m tools.alerts [FILE…]`.

Reads files of Prometheus rules (or PrometheusRule objects) and reports each metric, label or value
of a label that services/runtime/observability/metrics.py does not have: a rule on a metric that is
gone never fires, and Prometheus does not say so. Part of `make check`; also for copies of the rules
with other thresholds, and for rules of one's own. Metrics of others are not looked at.
"""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import promql_parser as parser
import yaml

from services.deliveries.domain.schedule import Verdict
from services.runtime.batch.items import FailureKind
from tools.promql import samples

RULES = Path(__file__).resolve().parents[1] / "deploy" / "prometheus" / "orderflow.rules.yaml"
PREFIX = "orderflow_"
TARGET_LABELS = frozenset({"cluster", "namespace", "job", "instance", "process"})
"""Labels that Prometheus or `serve --processes` add to each series of ours."""

VALUES: Mapping[tuple[str, str], frozenset[str]] = {
    ("items_total", "outcome"): frozenset({"applied", "no_change", "rejected", "waiting"}),
    ("parked_total", "kind"): frozenset(kind.value for kind in FailureKind),
    ("webhook_attempts_total", "verdict"): frozenset(verdict.value for verdict in Verdict),
    ("decoded_total", "road"): frozenset({"fast", "contract"}),
}
"""All values of a label of a metric, where these are few and known."""

_SETS = {"and", "unless"}


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: the name of its alert or of the series that it records, and its expression."""

    name: str
    expr: str
    is_alert: bool
    text: str
    """Annotations in one text: templates that may name labels."""


def rules_of(path: Path) -> list[Rule]:
    """The rules of a file in their order.

    Raises:
        ValueError: the file is not YAML with rules in groups.
    """
    try:
        whole = yaml.safe_load(path.read_text(encoding="utf-8"))
        groups = whole.get("spec", whole)["groups"]
        return [_rule(each) for group in groups for each in group["rules"]]
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is no file of Prometheus rules: {error}") from None


def _rule(raw: Mapping[str, Any]) -> Rule:
    name = raw["alert"] if "alert" in raw else raw["record"]
    text = " ".join(str(each) for each in raw.get("annotations", {}).values())
    return Rule(name, str(raw["expr"]), "alert" in raw, text)


def known_metrics() -> dict[str, frozenset[str]]:
    """Series that services serve by name, each with its labels."""
    return {name: labels | TARGET_LABELS for name, labels in samples().items()}


@dataclass(slots=True)
class Reader:
    """Reads expressions: the labels of what they return, and what is wrong with them."""

    metrics: dict[str, frozenset[str]] = field(default_factory=known_metrics)
    flaws: list[str] = field(default_factory=list)

    def read(self, expr: str) -> frozenset[str] | None:
        """Labels of the result of an expression; None where the labels cannot be known."""
        try:
            return self._labels(parser.parse(expr))
        except ValueError as error:
            self.flaws.append(f"the expression cannot be read: {error}")
            return None

    def _labels(self, expr: Any) -> frozenset[str] | None:
        match expr:
            case parser.VectorSelector():
                return self._selector(expr)
            case parser.MatrixSelector():
                return self._selector(expr.vector_selector)
            case parser.AggregateExpr():
                return self._aggregate(expr)
            case parser.BinaryExpr():
                return self._binary(expr)
            case parser.Call():
                return self._call(expr)
            case parser.ParenExpr() | parser.SubqueryExpr() | parser.UnaryExpr():
                return self._labels(expr.expr)
            case _:
                return frozenset()

    def _selector(self, selector: parser.VectorSelector) -> frozenset[str] | None:
        name = selector.name or ""
        labels = self.metrics.get(name)
        if labels is None:
            if name.startswith((PREFIX, "orderflow:")):
                self.flaws.append(f"there is no metric {name}{_nearest(name, self.metrics)}")
            return None
        for matcher in selector.matchers.matchers:
            self._need({matcher.name}, labels, name)
            self._check_value(name, matcher)
        return labels

    def _check_value(self, name: str, matcher: parser.Matcher) -> None:
        known = VALUES.get((name.removeprefix(PREFIX), matcher.name))
        if known is None:
            return
        is_pattern = matcher.op in (parser.MatchOp.Re, parser.MatchOp.NotRe)
        for value in matcher.value.split("|") if is_pattern else [matcher.value]:
            fits = (
                any(re.fullmatch(value, each) for each in known) if is_pattern else value in known
            )
            if not fits:
                self.flaws.append(
                    f"{name} has no {matcher.name} {value!r}; there are {', '.join(sorted(known))}"
                )

    def _aggregate(self, expr: parser.AggregateExpr) -> frozenset[str] | None:
        inner = self._labels(expr.expr)
        if expr.modifier is None:
            return frozenset()
        listed = frozenset(expr.modifier.labels)
        self._need(listed, inner, "what is aggregated")
        if expr.modifier.type == parser.AggModifierType.By:
            return listed
        return None if inner is None else inner - listed

    def _binary(self, expr: parser.BinaryExpr) -> frozenset[str] | None:
        left, right = self._labels(expr.lhs), self._labels(expr.rhs)
        matching = expr.modifier.matching if expr.modifier else None
        if matching is not None:
            for side in (left, right):
                self._need(matching.labels, side, "a side of the operation")
        operation = str(expr.op)
        if operation in _SETS or left is None or right is None or not right:
            return left
        if not left:
            return right
        return left | right if operation == "or" else left

    def _call(self, call: parser.Call) -> frozenset[str] | None:
        found = [self._labels(each) for each in call.args]
        if call.func.name == "histogram_quantile":
            return None if found[1] is None else found[1] - {"le"}
        if call.func.name in ("label_replace", "label_join"):
            return None if found[0] is None else found[0] | {call.args[1].val}
        if any(each is None for each in found):
            return None
        return frozenset().union(*(each for each in found if each is not None))

    def _need(self, wanted: Iterable[str], labels: frozenset[str] | None, of: str) -> None:
        if labels is None:
            return
        self.flaws.extend(
            f"{of} has no label {each}; there are {', '.join(sorted(labels))}"
            for each in wanted
            if each not in labels
        )


def _nearest(name: str, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; the nearest is {near[0]}" if near else ""


def flaws_of(rules: Sequence[Rule]) -> Iterator[str]:
    """What is wrong with rules, a sentence each that begins with the name of the rule."""
    reader = Reader()
    for rule in rules:
        reader.flaws.clear()
        labels = reader.read(rule.expr)
        yield from (f"rule {rule.name}: {flaw}" for flaw in reader.flaws)
        if not rule.is_alert:
            reader.metrics[rule.name] = labels or frozenset()
        for label in re.findall(r"\$labels\.(\w+)", rule.text):
            if labels is not None and label not in labels:
                yield f"rule {rule.name}: annotations name {label}, no label of the expression"


def main() -> int:
    """Print what is wrong with the files, or with our own rules; status 1 if there is anything."""
    arguments = argparse.ArgumentParser(prog="python -m tools.alerts", description=__doc__)
    arguments.add_argument("files", nargs="*", type=Path, default=[RULES], metavar="FILE")
    status = 0
    for path in arguments.parse_args().files:
        try:
            found = list(flaws_of(rules_of(path)))
        except (OSError, ValueError) as error:
            found = [str(error)]
        for flaw in found:
            sys.stderr.write(f"{path.name}: {flaw}\n")
            status = 1
    return status


if __name__ == "__main__":
    raise SystemExit(main())
