"""One fact for each command: what its outcomes and those of its repeats say, and its event."""

from __future__ import annotations

from chaos.checker.findings import DUPLICATED, LOST, TORN
from chaos.checker.ledger import Ledger, Place
from schemas.outcomes import APPLIED, NO_CHANGE
from schemas.topics import CLAIMS_COMMANDS


def check_repeats(ledger: Ledger) -> None:
    """Of a command and its repeats one is applied; the others changed nothing, as duplicates.

    What was refused is decided again when it is repeated.
    """
    places: dict[tuple[str, str, str, int], list[Place]] = {}
    for place, (source, id_) in ledger.names.items():
        if id_ and place in ledger.outcomes:
            places.setdefault((place[0], source, id_, place[3]), []).append(place)
    for (_, _, id_, _), same in places.items():
        applied = [place for place in same if ledger.outcomes[place][0] == APPLIED]
        if len(applied) > 1:
            ledger.findings.add(DUPLICATED, id_, f"was applied at each of {applied}")
        for place in same if applied else ():
            reason = ledger.reasons[place]
            if ledger.outcomes[place][0] == NO_CHANGE and reason != "duplicate":
                text = f"was applied, and repeated at {place} changed nothing as {reason}"
                ledger.findings.add(DUPLICATED, id_, text)


def check_claims(ledger: Ledger) -> None:
    """A claim command is applied where it has an event, and only there."""
    applied = {
        id_
        for place, (_, id_) in ledger.names.items()
        if place[0] == CLAIMS_COMMANDS and ledger.outcomes.get(place, ("",))[0] == APPLIED
    }
    for id_ in applied - ledger.causes.keys() - {""}:
        ledger.findings.add(LOST, id_, "is an applied claim command, and has no event")
    for id_ in ledger.causes.keys() - applied:
        ledger.findings.add(TORN, id_, "has an event of a claim, and no outcome says applied")
