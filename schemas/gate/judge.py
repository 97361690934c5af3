"""Today's contract against a release: what breaks, in which direction, and whom."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import jsonschema
from pydantic import ValidationError

from schemas.gate import probes, words
from schemas.gate.breaks import Break, Direction, Rule, victims
from schemas.gate.containment import Finding, breaches
from schemas.gate.contract import Contract
from schemas.gate.releases import Release
from schemas.generate import BULK_ITEM, BULK_OWNER
from schemas.model import ContractModel

SHOWN_MAX = 120
Models = Mapping[str, type[ContractModel]]


def judge(release: Release, today: Contract, models: Models) -> list[Break]:
    """Everything in today's contract that breaks readers of the release."""
    found = _Judge(release, today, models)
    return sorted({*found.structure(), *found.old_read(), *found.new_read(), *found.surface()})


@dataclass(frozen=True, slots=True)
class _Judge:
    release: Release
    today: Contract
    models: Models

    def structure(self) -> Iterator[Break]:
        """Schemas against schemas, and headers against headers."""
        released = self.release.contract
        for type_, schema in released.schemas.items():
            incoming = released.incoming(type_)
            if type_ not in self.today.schemas:
                gone = Finding("", Rule.MESSAGE_REMOVED, "the type is gone")
                direction = Direction.READ if incoming else Direction.WRITE
                yield self._break(type_, gone, direction, incoming=incoming)
                continue
            yield from self._both_ways(type_, schema, self.today.schemas[type_], incoming=incoming)
        for name, schema in released.surface["headers"].items():
            incoming = released.surface["topics"][name.split()[0]]["incoming"]
            if name in self.today.surface["headers"]:
                now = self.today.surface["headers"][name]
                for found in self._both_ways(name, schema, now, incoming=incoming):
                    yield replace(found, rule=Rule.HEADER, fact=f"{found.rule}: {found.fact}")

    def _both_ways(self, name: str, old: Any, new: Any, *, incoming: bool) -> Iterator[Break]:
        in_writing: set[Finding] = set()
        if not incoming:
            in_writing = set(breaches(old, new, Direction.WRITE))
            for finding in in_writing:
                yield self._break(name, finding, Direction.WRITE, incoming=False)
        for finding in set(breaches(old, new, Direction.READ)) - in_writing:
            if incoming or finding.rule is not Rule.READING:
                yield self._break(name, finding, Direction.READ, incoming=incoming)

    def old_read(self) -> Iterator[Break]:
        """Released messages, and variations of them, through today's models."""
        examples = {(e.type, e.case): e for e in self.release.contract.examples}
        refused = set()
        for example in examples.values():
            for type_, value in _values(example.type, example.value):
                if type_ in self.models and (why := self._refusal(type_, value)):
                    refused.add((example.type, example.case))
                    fact = f"example {example.case}: {why}"
                    yield self._old(example.type, "", Rule.EXAMPLE, fact)
        for probe in self.release.probes:
            key = (probe.type, probe.case)
            if probe.type in self.models and key not in refused:
                yield from self._probed(probe, probe.applied(examples[key]))

    def _refusal(self, type_: str, value: Any) -> str | None:
        model = self.models[type_]
        try:
            model.model_validate_json(json.dumps(value))
        except ValidationError as error:
            # A bulk example may hold an item that was refused then too.
            schema = self.release.contract.schemas[type_]
            if type_ == BULK_ITEM and next(_validator(schema).iter_errors(value), None):
                return None
            first = error.errors()[0]
            return f"/{'/'.join(map(str, first['loc']))}: {first['msg']}"
        return None

    def _probed(self, probe: probes.Probe, value: Any) -> Iterator[Break]:
        said = f"example {probe.case} with {_short(probe.value)} here"
        try:
            now = probes.reading(self.models[probe.type], value, probe.at)
        except ValidationError as error:
            fact = f"{said}: {error.errors()[0]['msg']}"
            yield self._old(probe.type, probe.pointer, Rule.EXAMPLE, fact)
            return
        if lost := _differing(probe.reading, now):
            was, is_ = map(_short, lost)
            fact = f"{said} was read as {was} and is read as {is_}"
            yield self._old(probe.type, probe.pointer, Rule.READING, fact)

    def new_read(self) -> Iterator[Break]:
        """Today's published examples through the release's JSON Schemas: its frozen readers."""
        for example in self.today.examples:
            schema = self.release.contract.schemas.get(example.type)
            if schema is None or self.today.incoming(example.type):
                continue
            for error in _validator(schema).iter_errors(example.value):
                fact = f"example {example.case}: {_short(error.message)}"
                at = "".join(f"/{step}" for step in error.absolute_path)
                finding = Finding(at, Rule.UNREADABLE, fact)
                yield self._break(example.type, finding, Direction.WRITE, incoming=False)

    def surface(self) -> Iterator[Break]:
        """Topics, ids and words."""
        number = self.release.number
        for change in words.changes(self.release.contract.surface, self.today.surface):
            whom = victims(change.direction, number, incoming=change.direction is Direction.READ)
            yield Break(number, change.subject, "", change.rule, change.fact, whom)

    def _old(self, type_: str, at: str, rule: Rule, fact: str) -> Break:
        incoming = self.release.contract.incoming(type_)
        return self._break(type_, Finding(at, rule, fact), Direction.READ, incoming=incoming)

    def _break(
        self, message: str, finding: Finding, direction: Direction, *, incoming: bool
    ) -> Break:
        number = self.release.number
        whom = victims(direction, number, incoming=incoming)
        return Break(number, message, finding.at, finding.rule, finding.fact, whom)


def _values(type_: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The message, and the values in it that have a schema of their own."""
    yield type_, value
    if type_ == BULK_OWNER[BULK_ITEM]:
        yield from ((BULK_ITEM, item) for item in value["items"])


def _differing(before: Any, now: Any) -> tuple[Any, Any] | None:
    """The first pair of readings that differ; members that are new do not count."""
    if isinstance(before, dict) and isinstance(now, dict):
        pairs = [(value, now.get(name, probes.ABSENT)) for name, value in before.items()]
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        pairs = list(zip(before, now, strict=True))
    else:
        return None if before == now else (before, now)
    return next((found for pair in pairs if (found := _differing(*pair))), None)


def _validator(schema: Any) -> jsonschema.Draft202012Validator:
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    return jsonschema.Draft202012Validator(schema, format_checker=checker)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) and len(value) > 40 else json.dumps(value)
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}…"
