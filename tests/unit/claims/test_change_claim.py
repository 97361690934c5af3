"""Updating and withdrawing: every status with every command."""

from itertools import product

import pytest
from msgspec.structs import replace

from services.claims.domain.claim import (
    APPLIED_MAX,
    HISTORY_MAX,
    ClaimItem,
    ClaimReason,
    Evidence,
    Status,
)
from services.claims.domain.commands import UpdateClaim
from services.claims.domain.decide import decide
from services.claims.domain.decision import Action, Outcome
from services.claims.domain.ids import digest
from services.claims.domain.reasons import RejectionReason
from services.claims.domain.references import claim_key
from tests.unit.claims.builders import (
    LATER,
    NOON,
    a_claim,
    a_state,
    a_withdrawal,
    an_id,
    an_update,
    items,
)

ALLOWED = {
    (Status.PENDING, Status.ACCEPTED),
    (Status.PENDING, Status.REJECTED),
    (Status.PENDING, Status.CLOSED),
    (Status.ACCEPTED, Status.CLOSED),
    (Status.REJECTED, Status.CLOSED),
    (Status.CLOSED, Status.PENDING),
}


@pytest.mark.parametrize(("before", "wanted"), list(product(Status, Status)))
def test_status_follows_only_where_it_may(before, wanted):
    claim = a_claim(status=before)
    command = an_update(status=wanted, reason_for_change="because")

    decision = decide(a_state(claim, sequence=2), command, LATER)

    if before is wanted:
        assert (decision.outcome, decision.event) == (Outcome.NO_CHANGE, None)
    elif (before, wanted) in ALLOWED:
        assert (decision.outcome, decision.claim.status) == (Outcome.APPLIED, wanted)
        assert decision.claim.history[-1].reason == "because"
        assert decision.event.previous_status is before
        assert (decision.event.sequence, decision.event.action) == (3, Action.UPDATED)
    else:
        assert (decision.outcome, decision.claim) == (Outcome.REJECTED, None)
        assert decision.reason == RejectionReason.STATUS_NOT_ALLOWED


@pytest.mark.parametrize("why", [None, "", "  "])
def test_closed_claim_is_reopened_only_with_a_reason(why):
    command = an_update(status=Status.PENDING, reason_for_change=why)

    decision = decide(a_state(a_claim(status=Status.CLOSED)), command, LATER)

    assert decision.reason == RejectionReason.REOPENING_NEEDS_REASON


@pytest.mark.parametrize("status", list(Status))
def test_claim_can_be_changed_until_it_is_closed(status):
    command = an_update(description="It is worse", image_urls=("https://a.example/2",))

    decision = decide(a_state(a_claim(status=status)), command, LATER)

    if status is Status.CLOSED:
        assert decision.reason == RejectionReason.CLAIM_CLOSED
    else:
        assert decision.event.changed_fields == ("description", "image_urls")
        assert decision.claim.updated_at == LATER
        assert decision.claim.evidence == Evidence(image_urls=("https://a.example/2",))


def test_claim_cannot_grow_beyond_the_size_of_an_event():
    links = tuple(f"https://a.example/{n}/{'é' * 2000}" for n in range(20))
    longest = ClaimItem(sku="MUG-BLUE", title="\x01" * 1024, quantity=1)
    claim = a_claim(selected_items=(longest,) * 75)

    decision = decide(a_state(claim), an_update(image_urls=links), LATER)

    assert (decision.outcome, decision.reason) == (
        Outcome.REJECTED,
        RejectionReason.CLAIM_TOO_LARGE,
    )


@pytest.mark.parametrize("status", list(Status))
def test_claim_can_be_withdrawn_until_it_is_closed(status):
    state = a_state(a_claim(status=status))

    decision = decide(state, a_withdrawal(reason="turned up"), LATER)

    if status is Status.CLOSED:
        assert (decision.outcome, decision.reason) == (
            Outcome.REJECTED,
            RejectionReason.CLAIM_CLOSED,
        )
    else:
        assert decision.claim.deleted_at == LATER
        assert decision.claim.status is status
        assert decision.event.action is Action.WITHDRAWN


def test_withdrawn_claim_stays_withdrawn():
    gone = a_state(a_claim(deleted_at=NOON))

    updated = decide(gone, an_update(status=Status.ACCEPTED), LATER)
    withdrawn = decide(gone, a_withdrawal(), LATER)

    assert (updated.outcome, updated.reason) == (Outcome.REJECTED, RejectionReason.CLAIM_WITHDRAWN)
    assert (withdrawn.outcome, withdrawn.event) == (Outcome.NO_CHANGE, None)


@pytest.mark.parametrize("command", [an_update(status=Status.ACCEPTED), a_withdrawal()])
def test_change_of_an_unknown_claim_waits(command):
    for state in (None, a_state()):
        decision = decide(state, command, NOON)

        assert (decision.outcome, decision.waits_for) == (
            Outcome.WAITING,
            claim_key(an_id("claim")),
        )


@pytest.mark.parametrize("command", [an_update(shop="other"), a_withdrawal(shop="other")])
def test_claim_of_another_shop_is_rejected_as_not_found(command):
    decision = decide(a_state(a_claim()), command, NOON)

    assert (decision.outcome, decision.reason) == (
        Outcome.REJECTED,
        RejectionReason.CLAIM_NOT_FOUND,
    )


def test_repeated_item_changes_nothing_even_much_later():
    command = an_update(status=Status.ACCEPTED)
    accepted = decide(a_state(a_claim()), command, NOON)
    closed = replace(accepted.claim, status=Status.CLOSED)

    again = decide(a_state(closed), command, LATER)

    assert (again.outcome, again.reason, again.claim) == (Outcome.NO_CHANGE, "duplicate", None)


def test_item_that_changed_nothing_is_kept_as_applied():
    command = an_update(description="Broken")
    first = decide(a_state(a_claim(description="Broken")), command, NOON)
    changed = replace(first.claim, description="Worse")

    assert first.event is None
    assert decide(a_state(changed), command, LATER).reason == "duplicate"


def test_stored_applied_items_and_history_are_bounded():
    state = a_state(a_claim())
    for number in range(60):
        for status in (Status.CLOSED, Status.PENDING):
            command = an_update((number, status), status=status, reason_for_change="again")
            state = state.after(decide(state, command, LATER))

    claim = state.claims[an_id("claim")]
    assert len(claim.newest_applied) == APPLIED_MAX
    assert claim.newest_applied[-1] == digest(an_id((59, Status.PENDING)))
    assert claim.older_applied + claim.newest_applied == claim.applied
    assert len(claim.history) == HISTORY_MAX
    assert state.sequence == 120


def test_item_that_is_stored_apart_from_its_claim_changes_nothing():
    command = an_update(description="Worse")
    state = replace(a_state(a_claim()), older=frozenset({digest(command.item_id)}))

    assert decide(state, command, LATER).reason == "duplicate"


def test_reopening_is_rejected_if_the_goods_were_claimed():
    closed = a_claim(status=Status.CLOSED)
    other = a_claim("other", reason=ClaimReason.RETURN)

    decision = decide(
        a_state(closed, other), an_update(status=Status.PENDING, reason_for_change="x"), LATER
    )

    assert decision.reason == RejectionReason.QUANTITY_ABOVE_SHIPPED


def test_reopening_is_rejected_if_a_duplicate_is_open():
    state = a_state(a_claim(status=Status.CLOSED, is_granted=True), a_claim("twin"))

    decision = decide(state, an_update(status=Status.PENDING, reason_for_change="x"), LATER)

    assert decision.reason == RejectionReason.CLAIM_ALREADY_OPEN


def test_evidence_of_an_update_is_checked_as_in_an_opening():
    command = an_update(image_urls=("http://a.example/1",))

    assert decide(a_state(a_claim()), command, NOON).reason == RejectionReason.EVIDENCE_NOT_HTTPS


def test_evidence_is_removed_by_an_empty_list():
    claim = a_claim(evidence=Evidence(image_urls=("https://a.example/1",)))

    decision = decide(a_state(claim), an_update(image_urls=()), NOON)

    assert decision.claim.evidence == Evidence()


def test_granted_claim_holds_its_goods_when_it_is_closed():
    state = a_state(a_claim(status=Status.ACCEPTED))

    closed = decide(state, an_update(status=Status.CLOSED), LATER).claim

    assert closed.is_holding
    assert not a_claim(status=Status.CLOSED, selected_items=items(TEE_M=1)).is_holding


def test_update_changes_only_the_members_it_has():
    decision = decide(
        a_state(a_claim()),
        UpdateClaim(item_id=an_id("u"), shop="demo-shop", claim_id=an_id("claim")),
        LATER,
    )

    assert (decision.outcome, decision.reason) == (Outcome.NO_CHANGE, "no_difference")
