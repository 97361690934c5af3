"""What the pages of orders report: impressions and clicks, with repeats, bots and no consent."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from demo.campaigns.orders import Visit
from demo.campaigns.said import PageActivity
from demo.messages import cloud_headers, encode
from demo.script import ScriptMessage
from schemas.activity import PORTAL_ACTIVITY_TYPE
from schemas.topics import PORTAL_ACTIVITY

BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0"
BOTS = ("Mozilla/5.0 (compatible; Googlebot/2.1)", "curl/8.5.0", "facebookexternalhit/1.1")


@dataclass(slots=True)
class Pages:
    """Writes what the pages of one shop report. `shown` is the campaign by order number."""

    shop: str
    rng: random.Random
    shown: Mapping[str, str | None]
    messages: list[ScriptMessage] = field(default_factory=list)
    activities: list[PageActivity] = field(default_factory=list)

    def open(self, visits: Sequence[Visit]) -> None:
        """Report all visits; some reports are sent twice."""
        for visit in visits:
            for report in self._reports(visit):
                self._send(visit, report, is_repeat=False)
                if self.rng.random() < 0.2:
                    self._send(visit, report, is_repeat=True)

    def _reports(self, visit: Visit) -> Iterator[dict[str, Any]]:
        """The status is seen always, the campaign where there is one, clicked by some.

        No two reports of a visit have the same second.
        """
        common = {"user_agent": self.rng.choice(BOTS) if visit.is_bot else BROWSER}
        yield self._report(visit, 0, "impression", {**common, "widget": "status"})
        campaign = self.shown.get(visit.order)
        if campaign:
            common |= {"widget": "basic", "campaign_id": campaign}
            yield self._report(visit, 2, "impression", common)
            if self.rng.random() < 0.4:
                yield self._report(visit, 9, "click", common)

    def _report(
        self, visit: Visit, after_seconds: int, kind: str, what: Mapping[str, Any]
    ) -> dict[str, Any]:
        report = {
            "shop_slug": self.shop,
            "id": visit.order,
            "kind": kind,
            "session_id": visit.session_id,
            "consent": visit.consent,
            "occurred_at": (visit.at + timedelta(seconds=after_seconds)).isoformat(),
            **what,
        }
        if self.rng.random() < 0.7:
            report["activity_id"] = f"act-{visit.session_id}-{after_seconds}"
        return report

    def _send(self, visit: Visit, report: dict[str, Any], *, is_repeat: bool) -> None:
        name = f"{self.shop}/page#{len(self.messages) + 1}"
        at = datetime.fromisoformat(report["occurred_at"]) + timedelta(minutes=5 * is_repeat)
        key = f"{self.shop}/{visit.order}"
        self.messages.append(
            ScriptMessage(
                topic=PORTAL_ACTIVITY,
                key=key.encode(),
                value=encode(report),
                at=at,
                headers=cloud_headers(PORTAL_ACTIVITY_TYPE, f"shops/{self.shop}", name, at, key),
            )
        )
        self.activities.append(
            PageActivity(
                identity=report.get("activity_id") or f"{visit.session_id} {report['occurred_at']}",
                shop=self.shop,
                order=visit.order,
                kind=report["kind"],
                campaign_id=report.get("campaign_id"),
                session_id=visit.session_id,
                consent=visit.consent,
                is_bot=visit.is_bot,
            )
        )
