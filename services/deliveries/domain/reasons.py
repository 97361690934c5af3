"""The reasons for which commands of destinations change nothing or are rejected."""

from __future__ import annotations

from enum import StrEnum


class NoChangeReason(StrEnum):
    """Reason codes of commands that changed nothing, as those of the orders service."""

    DUPLICATE = "duplicate"
    NO_DIFFERENCE = "no_difference"


class RejectionReason(StrEnum):
    """Reason codes of refused commands. A published code never changes its meaning."""

    DESTINATION_NOT_FOUND = "destination_not_found"
    TOO_MANY_DESTINATIONS = "too_many_destinations"
    UNKNOWN_FILTER = "unknown_filter"
    URL_MISSING = "url_missing"
    NOT_FOR_FEEDS = "not_for_feeds"
    FEED_EXISTS = "feed_exists"
    KIND_DIFFERS = "kind_differs"
    URL_NOT_ALLOWED = "url_not_allowed"
    URL_HAS_SECRET = "url_has_secret"  # noqa: S105 - the name of a reason
    ADDRESS_NOT_ALLOWED = "address_not_allowed"
    NAME_NOT_RESOLVED = "name_not_resolved"
    WEBHOOKS_NOT_SET_UP = "webhooks_not_set_up"
    NOTHING_SELECTED = "nothing_selected"
    SELECTION_NOT_POSSIBLE = "selection_not_possible"
    TOO_MANY_REPLAYS = "too_many_replays"
    SOURCE_NOT_ALLOWED = "source_not_allowed"
