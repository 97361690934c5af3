"""Health checks of containers, as an image and a compose file describe them."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from tools.container.compose import ComposeError, seconds
from tools.container.process import Container

_NANOSECONDS = 1_000_000_000
_START_INTERVAL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class HealthRules:
    """When a container counts as healthy."""

    test: tuple[str, ...]
    interval_seconds: float
    timeout_seconds: float
    start_period_seconds: float
    """Failures do not count before."""
    retries: int

    @classmethod
    def of(cls, image: Mapping[str, Any], said: Mapping[str, Any]) -> Self:
        """Those of the image, with what the compose file says instead."""

        def duration(name: str, in_image: str, default: float) -> float:
            if name in said:
                return seconds(said[name])
            return float(image.get(in_image) or default * _NANOSECONDS) / _NANOSECONDS

        return cls(
            test=tuple(said.get("test") or image.get("Test") or ()),
            interval_seconds=duration("interval", "Interval", 30),
            timeout_seconds=duration("timeout", "Timeout", 30),
            start_period_seconds=duration("start_period", "StartPeriod", 0),
            retries=int(said.get("retries") or image.get("Retries") or 3),
        )


class HealthCheck:
    """The checks of one container, begun when it was started."""

    def __init__(self, rules: HealthRules, container: Container) -> None:
        self._rules = rules
        self._container = container
        self._began = time.monotonic()
        self._next = self._began
        self._failures = 0
        self._passed = False

    def passes(self) -> bool:
        """Check when it is time to; whether a check passed.

        Raises ComposeError after too many failures in a row.
        """
        now = time.monotonic()
        if self._passed or now < self._next:
            return self._passed
        rules = self._rules
        self._passed = self._container.check_health(rules.test, rules.timeout_seconds)
        is_starting = now - self._began < rules.start_period_seconds
        self._next = now + (_START_INTERVAL_SECONDS if is_starting else rules.interval_seconds)
        self._failures += 0 if self._passed or is_starting else 1
        if self._failures >= rules.retries:
            raise ComposeError(
                f"{self._container.options.name} is unhealthy:\n{self._container.text()}"
            )
        return self._passed
