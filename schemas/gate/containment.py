"""Whether all that one JSON Schema allows is allowed by another: the structural half of the gate.

Sound, not complete: what cannot be shown to be allowed is reported. A member that is new is
allowed although a released reader knew it as anything: releases ignore what they do not know.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.gate.breaks import Direction, Rule

Json = Mapping[str, Any]

UPPER = ("maxLength", "maxItems", "maximum", "exclusiveMaximum")
LOWER = ("minLength", "minItems", "minimum", "exclusiveMinimum")
TEXT = {"title", "description", "examples", "$schema", "$id", "$defs"}
JUDGED = {
    "type", "enum", "const", "pattern", "format", "properties", "required", "items", "prefixItems",
    "additionalProperties", "anyOf", "default", "unit", "x-known-values", "x-unknown-becomes",
    *UPPER, *LOWER,
}  # fmt: skip
NULL: Json = {"type": "null"}


@dataclass(frozen=True, slots=True)
class Finding:
    """A place where a change breaks the direction that was asked about."""

    at: str
    rule: Rule
    fact: str


@dataclass(frozen=True, slots=True)
class Pair:
    """A released schema and today's at the same place of a message."""

    released: Json
    today: Json
    released_root: Json
    today_root: Json
    at: str = ""
    through: frozenset[tuple[str, str]] = frozenset()

    def down(self, released: Json, today: Json, step: str) -> Pair:
        """The pair of a member, an item or an alternative."""
        at = f"{self.at}/{step}" if step else self.at
        return Pair(released, today, self.released_root, self.today_root, at, self.through)

    def resolved(self) -> Pair | None:
        """The pair with references followed; None when this pair is being judged already."""
        names = (self.released.get("$ref", ""), self.today.get("$ref", ""))
        if names == ("", ""):
            return self
        if names in self.through and all(names):
            return None
        return Pair(
            _followed(self.released, self.released_root),
            _followed(self.today, self.today_root),
            self.released_root,
            self.today_root,
            self.at,
            self.through | {names},
        )


def breaches(released: Json, today: Json, direction: Direction) -> Iterator[Finding]:
    """Where today's schema breaks readers of the released one in this direction."""
    yield from _compare(Pair(released, today, released, today), direction)


def _compare(pair: Pair, direction: Direction) -> Iterator[Finding]:
    found = pair.resolved()
    if found is None:
        return
    yield from _meaning(found)
    if "anyOf" in found.released or "anyOf" in found.today:
        yield from _alternatives(found, direction)
        return
    kinds = list(_kinds(found, direction))
    yield from kinds
    if kinds:
        return  # Bounds of another type say nothing.
    for judge in (_words, _bounds, _texts, _members, _items, _unknown):
        yield from judge(found, direction)


def _followed(schema: Json, root: Json) -> Json:
    beside = {name: value for name, value in schema.items() if name != "$ref"}
    if "$ref" not in schema:
        return schema
    target: Any = root
    for step in schema["$ref"].removeprefix("#/").split("/"):
        target = target[step]
    return _followed({**target, **beside}, root)


def _ordered(pair: Pair, direction: Direction) -> tuple[Json, Json]:
    """Who must allow, and all of what: today the released, or the released today's."""
    if direction is Direction.READ:
        return pair.today, pair.released
    return pair.released, pair.today


def _meaning(pair: Pair) -> Iterator[Finding]:
    """Changes that no schema refuses and every reader gets wrong."""
    old, new = pair.released, pair.today
    if "default" in old and "default" in new and old["default"] != new["default"]:
        yield _changed(pair, Rule.DEFAULT, "the default", "default")
    if old.get("unit") != new.get("unit") and "unit" in old:
        yield _changed(pair, Rule.UNIT, "the unit", "unit")
    if lost := _missing(old.get("x-known-values", ()), new.get("x-known-values", ())):
        yield Finding(pair.at, Rule.WORDS, f"{_list(lost)} became unknown")
    if old.get("x-unknown-becomes") != new.get("x-unknown-becomes"):
        yield _changed(pair, Rule.FALLBACK, "an unknown word", "x-unknown-becomes")


def _alternatives(pair: Pair, direction: Direction) -> Iterator[Finding]:
    olds, news = _branches(pair.released), _branches(pair.today)
    reads = direction is Direction.READ
    for branch in olds if reads else news:
        if branch == NULL and reads and not pair.at.endswith("/*"):
            continue  # A member that is null is absent: a matter of `required`.
        if branch == NULL and not reads and NULL not in olds:
            yield Finding(pair.at, Rule.MEMBER_OPTIONAL, "may now be null")
            continue
        pairs = [(branch, new) for new in news] if reads else [(old, branch) for old in olds]
        tried = [list(_compare(pair.down(old, new, ""), direction)) for old, new in pairs]
        if not tried or min(map(len, tried)):
            near = [found for found in tried if all(f.rule is not Rule.TYPE for f in found)]
            yield from min(near or tried, key=len)


def _branches(schema: Json) -> list[Json]:
    if "anyOf" not in schema:
        return [{k: v for k, v in schema.items() if k not in {"default", "unit"}}]
    return list(schema["anyOf"])


def _kinds(pair: Pair, direction: Direction) -> Iterator[Finding]:
    outer, inner = _ordered(pair, direction)
    allowed, wanted = _types(outer), _types(inner)
    if allowed is not None and (wanted is None or not wanted <= allowed):
        old, new = (_types(schema) for schema in (pair.released, pair.today))
        yield Finding(pair.at, Rule.TYPE, f"{_type_words(old)} became {_type_words(new)}")


def _types(schema: Json) -> set[str] | None:
    if "type" not in schema:
        return None
    named = schema["type"]
    found = {named} if isinstance(named, str) else set(named)
    return found | {"integer"} if "number" in found else found


def _type_words(types: set[str] | None) -> str:
    return "anything" if types is None else " or ".join(sorted(types))


def _words(pair: Pair, direction: Direction) -> Iterator[Finding]:
    outer, inner = (_enum(schema) for schema in _ordered(pair, direction))
    if outer is None:
        return
    if inner is None:
        yield Finding(pair.at, Rule.WORDS, f"any value and only {_list(outer)} are not the same")
    elif extra := _missing(inner, outer):
        verb = "removed" if direction is Direction.READ else "added to a closed list"
        yield Finding(pair.at, Rule.WORDS, f"{_list(extra)} {verb}")


def _enum(schema: Json) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _bounds(pair: Pair, direction: Direction) -> Iterator[Finding]:
    outer, inner = _ordered(pair, direction)
    for name in (*UPPER, *LOWER):
        if name not in outer:
            continue
        sign = 1 if name in UPPER else -1
        if name not in inner or sign * inner[name] > sign * outer[name]:
            yield _changed(pair, Rule.BOUND, name, name)


def _texts(pair: Pair, direction: Direction) -> Iterator[Finding]:
    outer, inner = _ordered(pair, direction)
    if "pattern" in outer and not _covers(outer["pattern"], inner.get("pattern")):
        yield _changed(pair, Rule.PATTERN, "the pattern", "pattern")
    if "format" in outer and outer["format"] != inner.get("format"):
        yield _changed(pair, Rule.FORMAT, "the format", "format")


def _covers(wider: str, narrower: str | None) -> bool:
    """An alternation takes all that one of its ends takes, whatever stands on the other side."""
    if narrower is None:
        return False
    ends = (f"{narrower}|", f"|{narrower}")
    return wider == narrower or wider.startswith(ends[0]) or wider.endswith(ends[1])


_NEED = {
    Direction.READ: "may no longer be left out",
    Direction.WRITE: "was always there and may now be left out",
}


def _members(pair: Pair, direction: Direction) -> Iterator[Finding]:
    outer, inner = _ordered(pair, direction)
    old, new = pair.released.get("properties", {}), pair.today.get("properties", {})
    rule = Rule.MEMBER_REQUIRED if direction is Direction.READ else Rule.MEMBER_OPTIONAL
    gone = [name for name in old if name not in new]
    added = [name for name in new if name not in old]
    for name in _missing(outer.get("required", ()), inner.get("required", ())):
        if name not in gone:
            fact = _NEED[direction] if name in old else "is new and needed"
            yield Finding(f"{pair.at}/{name}", rule, f"`{name}` {fact}")
    for name in gone:
        hint = f"; if it was renamed to {_list(added)}, both names are needed" if added else ""
        yield Finding(f"{pair.at}/{name}", Rule.MEMBER_REMOVED, f"`{name}` is gone{hint}")
    for name in old:
        if name in new:
            yield from _compare(pair.down(old[name], new[name], name), direction)
    yield from _others(pair, direction)


def _others(pair: Pair, direction: Direction) -> Iterator[Finding]:
    kept = pair.released.get("additionalProperties") is True
    if direction is Direction.READ and kept and "additionalProperties" not in pair.today:
        yield Finding(pair.at, Rule.READING, "members of the sender's own were kept, now ignored")
    outer, inner = (s.get("additionalProperties", True) for s in _ordered(pair, direction))
    if outer is True:
        return
    if outer is False and inner is not False:
        yield Finding(pair.at, Rule.MEMBERS_CLOSED, "members that are not named are refused")
    elif isinstance(outer, Mapping):
        found = {} if isinstance(inner, bool) else inner
        old, new = (found, outer) if direction is Direction.READ else (outer, found)
        yield from _compare(pair.down(old, new, "*"), direction)


def _items(pair: Pair, direction: Direction) -> Iterator[Finding]:
    old, new = pair.released, pair.today
    if "items" in _ordered(pair, direction)[0]:
        yield from _compare(pair.down(old.get("items", {}), new.get("items", {}), "*"), direction)
    firsts, lasts = old.get("prefixItems", []), new.get("prefixItems", [])
    if len(firsts) != len(lasts):
        yield Finding(pair.at, Rule.TYPE, f"{len(firsts)} places became {len(lasts)}")
    for index, (first, last) in enumerate(zip(firsts, lasts, strict=False)):
        yield from _compare(pair.down(first, last, str(index)), direction)


def _unknown(pair: Pair, _: Direction) -> Iterator[Finding]:
    for name in sorted({*pair.released, *pair.today} - JUDGED - TEXT):
        if pair.released.get(name) != pair.today.get(name):
            yield _changed(pair, Rule.UNJUDGED, f"the keyword `{name}`", name)


def _changed(pair: Pair, rule: Rule, what: str, keyword: str) -> Finding:
    old, new = (schema.get(keyword, "none") for schema in (pair.released, pair.today))
    return Finding(pair.at, rule, f"{what}: {old!r} became {new!r}")


def _missing(wanted: Iterable[Any], there: Iterable[Any]) -> list[Any]:
    known = list(there)
    return [value for value in wanted if value not in known]


def _list(values: Iterable[Any]) -> str:
    return ", ".join(f"`{value}`" for value in values)
