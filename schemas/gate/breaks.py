"""What a break is: which rule, where, whom it breaks, and what to do instead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Direction(StrEnum):
    """Who must read what whom: each direction has its own victims."""

    READ = "read"
    """What others built for a release must stay readable by us."""
    WRITE = "write"
    """What we publish must stay readable by those who were built for a release."""


class Rule(StrEnum):
    """What a change did; one word for the table of ways out below."""

    MESSAGE_REMOVED = "message removed"
    MEMBER_REMOVED = "member removed"
    MEMBER_REQUIRED = "member became required"
    MEMBER_OPTIONAL = "member no longer always there"
    MEMBERS_CLOSED = "unknown members refused"
    TYPE = "type changed"
    WORDS = "list of words changed"
    BOUND = "bound changed"
    PATTERN = "pattern changed"
    FORMAT = "format changed"
    DEFAULT = "meaning of absence changed"
    UNIT = "unit changed"
    FALLBACK = "unknown words read otherwise"
    UNJUDGED = "cannot be judged"
    EXAMPLE = "released message refused"
    READING = "released message read otherwise"
    UNREADABLE = "today's message refused by a released reader"
    TOPIC = "topic changed"
    HEADER = "header changed"
    ID = "ids changed"
    EVENT_NAME = "event name changed"
    REASON = "reason code changed"
    RELEASE = "release changed"


NEW_TYPE = "add a message type of a new name beside it, and go on with this one as it was released"

INSTEAD: Mapping[Rule, str] = {
    Rule.MESSAGE_REMOVED: "keep the type, on its topic, as long as releases with it are held",
    Rule.MEMBER_REMOVED: "keep the member beside the new one, and fill or read both",
    Rule.MEMBER_REQUIRED: "make it optional, and say what its absence means",
    Rule.MEMBER_OPTIONAL: "go on publishing it always; put the exception into a new member",
    Rule.MEMBERS_CLOSED: "go on ignoring members that are not known",
    Rule.TYPE: f"add a member of a new name with the new type, or {NEW_TYPE}",
    Rule.WORDS: "keep every released word; where the list is documented as closed, put new "
    "words into a new member",
    Rule.BOUND: "widen what is read and never what is published; a rule with a reason code can "
    "refuse more without breaking the schema",
    Rule.PATTERN: "keep the released pattern as the first alternative: `released|new`",
    Rule.FORMAT: "add a member of a new name with the new format",
    Rule.DEFAULT: "keep what absence means; ask for the new meaning with a new word or member",
    Rule.UNIT: "add a member of a new name, with the new unit",
    Rule.FALLBACK: "keep what an unknown word is read as",
    Rule.UNJUDGED: "say it with keywords the gate knows, or teach schemas/gate/containment.py",
    Rule.EXAMPLE: "read the released message as before; a new check belongs to a new member, or "
    "to a rule with a reason code",
    Rule.READING: "read the value as it was read; give a new meaning a new member",
    Rule.UNREADABLE: f"publish what the released schema allows, or {NEW_TYPE}",
    Rule.TOPIC: "leave the topic as it is; add a new one beside it and write both for as long as "
    "releases are held",
    Rule.HEADER: "keep the header; new ones may be added, optional in what is read",
    Rule.ID: "keep how the id is made: others compute it, and a replay must give the same one",
    Rule.EVENT_NAME: "keep the name with its phase and group; add a new name beside it",
    Rule.REASON: "keep the code in docs/contract/reasons.md under its heading; add a new code",
    Rule.RELEASE: "take the files of the release back from version control; freeze what is new "
    "with python -m schemas.release",
}


@dataclass(frozen=True, slots=True, order=True)
class Break:
    """One change that breaks readers of a release."""

    release: int
    message: str
    at: str
    rule: Rule
    fact: str
    victims: str


def victims(direction: Direction, release: int, *, incoming: bool) -> str:
    """Whom a change breaks, in words."""
    if direction is Direction.WRITE:
        return (
            f"subscribers of release {release}: what we publish now would no longer be readable "
            "by them"
        )
    if incoming:
        return (
            f"publishers of release {release}: messages they send would no longer be readable by us"
        )
    return (
        f"readers who update: messages published under release {release} and still kept on the "
        "topic would no longer be readable by our services and by new subscribers"
    )


def describe(breaks: Iterable[Break]) -> Iterator[str]:
    """Every break as text; one that many messages share is described once."""
    shared: dict[tuple[int, str, Rule, str, str], list[str]] = {}
    for found in sorted(set(breaks)):
        key = (found.release, found.at, found.rule, found.fact, found.victims)
        shared.setdefault(key, []).append(found.message)
    for (_, at, rule, fact, whom), messages in shared.items():
        more = f" and {len(messages) - 3} more" if len(messages) > 4 else ""
        named = ", ".join(messages[:3] if more else messages) + more
        yield (
            f"{named} {at or '(whole)'}: {rule}: {fact}\n"
            f"    breaks   {whom}\n"
            f"    instead  {INSTEAD[rule]}"
        )
