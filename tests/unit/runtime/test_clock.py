"""Business time from the machine and from a file."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from services.runtime.clock import ClockError, FileClock, SystemClock, clock_of, set_clock
from services.runtime.config.settings import Settings

NOON_IN_SAO_PAULO = datetime(2018, 5, 4, 12, tzinfo=timezone(timedelta(hours=-3)))


def test_file_clock_follows_its_file(tmp_path: Path) -> None:
    clock = clock_of(Settings(clock_file=tmp_path / "now"))

    set_clock(tmp_path / "now", NOON_IN_SAO_PAULO)
    first = clock.now()
    set_clock(tmp_path / "now", NOON_IN_SAO_PAULO + timedelta(days=1))

    assert first == datetime(2018, 5, 4, 15, tzinfo=UTC)
    assert clock.now() - first == timedelta(days=1)


def test_file_clock_reads_an_instant_written_by_hand(tmp_path: Path) -> None:
    (tmp_path / "now").write_text("2026-05-04T09:30:00Z\n")

    assert FileClock(tmp_path / "now").now() == datetime(2026, 5, 4, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(None, "No such file"), ("noon", "noon"), ("2026-05-04T09:30:00", "no time zone")],
)
def test_file_clock_without_an_instant_says_what_to_write(
    tmp_path: Path, content: str | None, complaint: str
) -> None:
    if content is not None:
        (tmp_path / "now").write_text(content)

    with pytest.raises(ClockError, match=f"{complaint}.*write an instant"):
        FileClock(tmp_path / "now").now()


def test_clock_cannot_be_set_without_a_time_zone(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        set_clock(tmp_path / "now", NOON_IN_SAO_PAULO.replace(tzinfo=None))


def test_system_clock_has_a_time_zone() -> None:
    assert clock_of(Settings()).now().tzinfo is UTC
    assert SystemClock().now() <= SystemClock().now()
