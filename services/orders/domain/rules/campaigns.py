"""Campaigns, discounts and tests: decide what a shop says of them, and what time makes of them."""

from __future__ import annotations

from datetime import datetime

from services.orders.domain.campaigns.book import (
    CampaignState,
    Held,
    as_of,
    campaign_in,
    changes,
    entry_in,
    held_by,
    is_newest,
    state_of,
    version_of,
    with_entry,
    with_version,
)
from services.orders.domain.events.recorder import CampaignChanges, Recorder
from services.orders.domain.model.campaigns import (
    BEGINNING,
    Act,
    Book,
    CampaignContent,
    CampaignsEvent,
    Entry,
    Kind,
    Review,
    Version,
)
from services.orders.domain.model.commands import (
    AdvanceCampaign,
    ChangeCampaigns,
    named_entries,
)
from services.orders.domain.model.ids import Uuid, entry_id_of, event_id_of
from services.orders.domain.model.reasons import Reason, Unchanged
from services.orders.domain.rules.campaign_checks import check_allowed, warn_of_doubts
from services.orders.domain.value import Value, replace

_EVENTS = {
    (Kind.CAMPAIGN, Act.UPSERT): "campaign.updated",
    (Kind.CAMPAIGN, Act.PAUSE): "campaign.paused",
    (Kind.CAMPAIGN, Act.REMOVE): "campaign.removed",
    (Kind.DISCOUNT, Act.UPSERT): "discount.updated",
    (Kind.AB_TEST, Act.UPSERT): "ab_test.updated",
}


class _Change(Value, frozen=True, kw_only=True):
    """An entry before and after a version, or before and after a time."""

    book: Book | None
    before: Entry
    after: Entry
    version: Version
    """What was said, or what holds at the time."""
    is_said: bool = True


def change_campaigns(recorder: Recorder, command: ChangeCampaigns) -> None:
    """Add a version to a campaign, discount or test. Nothing said is too old to hold at its time.

    Raises:
        Unchanged: the item was applied before.
        CommandRefused: see `campaign_checks`.
    """
    book = recorder.world.books.get(command.shop)
    before = _entry(recorder, book, command)
    if command.item_digest in _applied(book, before):
        raise Unchanged(Reason.DUPLICATE)
    version = version_of(command)
    after = with_version(before, version)
    change = _Change(book=book, before=before, after=after, version=version)
    check_allowed(book or Book(shop=command.shop), before, after, version)
    warn_of_doubts(recorder, book, before, version)
    if not changes(before, version):
        _keep(recorder, change)
        return
    after = _described(after, command, version)
    if command.kind is Kind.CAMPAIGN:
        after = replace(after, state=state_of(after, recorder.now).value)
    change = replace(change, after=after)
    event = _event(
        recorder,
        change,
        _EVENTS[command.kind, command.act],
        command.item_id,
        at=version.effective_at,
        reason=command.reason,
    )
    if command.act is Act.UPSERT and (said := held_by(before, version)) is not None:
        event = replace(event, content=said.content, properties=command.properties)
    _keep(recorder, change, event, _reviews(recorder, change))


def advance_campaign(recorder: Recorder, command: AdvanceCampaign) -> None:
    """Publish that a campaign began or ended by time, if it did; its entry is written again.

    Raises:
        Unchanged: there is no such campaign.
    """
    book = recorder.world.books.get(command.shop)
    entry = _entry(recorder, book, command)
    if not entry.versions:
        raise Unchanged(Reason.NO_DIFFERENCE)
    state = state_of(entry, recorder.now)
    held = as_of(entry, recorder.now)
    past = [each for each in entry.versions if each.effective_at <= recorder.now]
    change = _Change(
        book=book,
        before=entry,
        after=replace(entry, state=state.value),
        version=(past or entry.versions)[-1],
        is_said=False,
    )
    is_active = state is CampaignState.ACTIVE
    if held is None or is_active is (entry.state == CampaignState.ACTIVE):
        _keep(recorder, change)
        return
    kind = "campaign.activated" if is_active else "campaign.ended"
    cause = f"{_moment(held, state).isoformat()}/{held.version_id}"
    _keep(recorder, change, _event(recorder, change, kind, cause, at=recorder.now))


def _moment(held: Held, state: CampaignState) -> datetime:
    """Since when a campaign is in a state that it is in by time."""
    content = campaign_in(held)
    if state is CampaignState.ACTIVE:
        return max(held.since, held.start)
    if held.act is Act.UPSERT and content.enabled and content.end_date is not None:
        return max(held.since, content.end_date)
    return held.since


def _entry(
    recorder: Recorder, book: Book | None, command: ChangeCampaigns | AdvanceCampaign
) -> Entry:
    name = named_entries(command)[0]
    whole = recorder.world.entries.get(name)
    listed = entry_in(book, name.kind, name.entry_id) if book is not None else None
    return whole or listed or Entry(shop=name.shop, kind=name.kind, entry_id=name.entry_id)


def _applied(book: Book | None, entry: Entry) -> set[int]:
    return {*(book.recalled if book is not None else ()), *(each.item for each in entry.versions)}


def _described(entry: Entry, command: ChangeCampaigns, version: Version) -> Entry:
    """The entry with what is shown of its newest upsert."""
    upserts = [each for each in entry.versions if each.act is Act.UPSERT]
    if not upserts or upserts[-1].item != version.item:
        return entry
    return replace(entry, properties=command.properties)


def _event(
    recorder: Recorder,
    change: _Change,
    kind: str,
    cause: str,
    *,
    at: datetime,
    reason: str | None = None,
) -> CampaignsEvent:
    """An event of an entry as it is at a time; `_keep` numbers it."""
    after = change.after
    held = as_of(after, at)
    return CampaignsEvent(
        type=kind,
        event_id=event_id_of(entry_id_of(*after.name), None, kind, cause),
        shop=after.shop,
        sequence=0,
        kind=after.kind,
        entry_id=after.entry_id,
        version=change.version,
        content=held.content if held is not None else None,
        is_newest=is_newest(after, change.version),
        state=after.state,
        previous_state=change.before.state,
        properties=after.properties,
        reason=reason,
        triggered_at=recorder.now,
        causation_id=recorder.item.causation_id,
    )


def _keep(
    recorder: Recorder,
    change: _Change,
    event: CampaignsEvent | None = None,
    reviews: tuple[Review, ...] = (),
) -> None:
    """Put the entry into the book, with the event as the book's next one.

    An event that was published before a restore is not published again.
    """
    book = change.book or Book(shop=change.after.shop)
    published = recorder.world.published_of_shops.get(book.shop)
    if published is not None:
        book = replace(book, sequence=max(book.sequence, published.sequence))
    is_published = event is not None and published is not None and published.has(event.event_id)
    if event is not None and not is_published:
        book = replace(book, sequence=book.sequence + 1)
        event = replace(event, sequence=book.sequence)
    older = _no_longer_kept(change)
    if older:
        book = replace(book, recalled=(*book.recalled, *(digest for _, digest in older)))
    recorder.campaigns = CampaignChanges(
        books=(with_entry(book, change.after),),
        entries=(change.after,),
        events=(event,) if event is not None and not is_published else (),
        reviews=reviews,
        older_items=older,
        is_applied=is_published,
    )


def _no_longer_kept(change: _Change) -> tuple[tuple[Uuid, int], ...]:
    said = change.before.versions + ((change.version,) if change.is_said else ())
    if len(said) == len(change.after.versions):
        return ()
    kept = {each.item for each in change.after.versions}
    entry_id = entry_id_of(*change.after.name)
    return tuple((entry_id, each.item) for each in said if each.item not in kept)


def _reviews(recorder: Recorder, change: _Change) -> tuple[Review, ...]:
    """Reviews of the orders that the change may concern. No choice depends on a discount."""
    shop, cause = change.after.shop, recorder.item.causation_id
    since = Review(
        shop=shop,
        since=change.version.effective_at,
        only_contacts=change.after.kind is Kind.DISCOUNT,
        causation_id=cause,
    )
    if change.book is not None and _texts(change.after) <= _texts(change.before):
        return (since,)
    return (
        since,
        Review(shop=shop, since=BEGINNING, only_contacts=True, causation_id=cause),
    )


def _texts(entry: Entry) -> set[tuple[str, str]]:
    """What contacts can name the entry by: a version that says a new one may credit any order."""
    if not entry.versions or entry.kind is not Kind.CAMPAIGN:
        return set()
    found = {("id", entry.entry_id)}
    for version in entry.versions:
        if isinstance(version.content, CampaignContent):
            found.add(("name", version.content.name.casefold()))
            if version.content.discount_id is not None:
                found.add(("discount", version.content.discount_id))
    return found
