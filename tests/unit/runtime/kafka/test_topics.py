"""Topics as the catalogue and the settings want them."""

import pytest
from pydantic import ValidationError

from schemas.topics import CARRIER_TRACKING, CATALOGUE
from services.runtime.config.settings import Settings
from services.runtime.kafka.topics import INSTALLED, configured, short_retention

DAY_SECONDS = 86_400.0


def test_topics_by_default_are_those_of_the_catalogue() -> None:
    assert configured(Settings()) == INSTALLED
    assert configured(Settings(), CATALOGUE) == CATALOGUE


def test_topics_take_the_retention_of_tracking_from_the_settings() -> None:
    found = configured(Settings(tracking_retention_days=90))

    changed = [after for before, after in zip(INSTALLED, found, strict=True) if before != after]
    assert [(topic.name, topic.retention_days) for topic in changed] == [(CARRIER_TRACKING, 90)]


@pytest.mark.parametrize("days", [0, 3_651])
def test_retention_of_tracking_has_limits(days: int) -> None:
    with pytest.raises(ValidationError, match="tracking_retention_days"):
        Settings(tracking_retention_days=days)


@pytest.mark.parametrize(
    ("kept", "waits", "is_short"),
    [(60, 60, False), (59, 60, True), (60, 60.5, True), (1, 0, False), (90, 60, False)],
)
def test_retention_is_short_if_tracking_waits_longer(
    kept: int, waits: float, is_short: bool
) -> None:
    settings = Settings(
        tracking_retention_days=kept,
        tracking_wait_seconds=waits * DAY_SECONDS,
        kafka_topic_prefix="test.",
    )

    warning = short_retention(settings)

    assert (warning is not None) == is_short
    if warning:
        assert f"ORDERFLOW_TRACKING_RETENTION_DAYS={kept} keeps test.carrier.tracking" in warning
        assert f"ORDERFLOW_TRACKING_WAIT_SECONDS, {waits:g} days" in warning
