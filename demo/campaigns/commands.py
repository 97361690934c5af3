"""Commands of campaigns, discounts and tests, as a shop writes them, beside what they say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from demo.campaigns.said import AbTest, Campaign, Content, Discount, Saying
from demo.messages import cloud_headers, encode
from demo.script import ScriptMessage
from schemas.topics import ORDERS_COMMANDS

Body = dict[str, Any]
ID_OF = {Campaign: "campaign_id", Discount: "discount_id", AbTest: "test_id"}
TYPE_OF = {Campaign: "campaign.upsert", Discount: "discount.upsert", AbTest: "ab_test.upsert"}


@dataclass(slots=True)
class BookMaker:
    """Writes the campaign commands of one shop and keeps what they say.

    `time` gives the moment of a day. Messages of one `group` keep their order in every play: what
    the rules on the shop's commands (overlaps, pauses, changes of a test) make depend on it.
    """

    shop: str
    time: Callable[[float], datetime]
    messages: list[ScriptMessage] = field(default_factory=list)
    sayings: list[Saying] = field(default_factory=list)
    refusals: dict[str, str] = field(default_factory=dict)
    """The reason by `ce_id` of each command that must be refused."""

    def upsert(self, day: float, id_: str, content: Content, **how: Any) -> None:
        """Say what a campaign, a discount or a test is; `how` as in `_say`."""
        body = {ID_OF[type(content)]: id_, **body_of(content)}
        self._say(day, TYPE_OF[type(content)], id_, body, content, **how)

    def pause(self, day: float, id_: str, **how: Any) -> None:
        """Pause a campaign."""
        self._say(day, "campaign.pause", id_, {"campaign_id": id_, "reason": "sold out"}, **how)

    def remove(self, day: float, id_: str, **how: Any) -> None:
        """Remove a campaign."""
        self._say(day, "campaign.remove", id_, {"campaign_id": id_}, **how)

    def _say(
        self,
        day: float,
        type_: str,
        id_: str,
        body: Body,
        content: Content | None = None,
        *,
        since: float | None = None,
        by_updated_at: bool = False,
        refused: str | None = None,
        group: str | None = None,
    ) -> None:
        """Write one command at a day. It holds since `since`, else since the day itself."""
        at = self.time(day)
        effective_at = at if since is None else self.time(since)
        body = {"shop_slug": self.shop, **body}
        if by_updated_at:
            body["updated_at"] = effective_at.isoformat()
        elif since is not None:
            body["effective_at"] = effective_at.isoformat()
        name = f"{self.shop}/book#{len(self.messages) + 1}"
        self.messages.append(
            ScriptMessage(
                topic=ORDERS_COMMANDS,
                key=self.shop.encode(),
                value=encode(body),
                at=at,
                headers=cloud_headers(type_, f"shops/{self.shop}", name, at, self.shop),
                order_key=f"{self.shop} {group or name}",
            )
        )
        if refused:
            self.refusals[name] = refused
        else:
            act = type_.rpartition(".")[2]
            self.sayings.append(Saying(id_, act, effective_at, content))


def body_of(content: Content) -> Body:
    """The members of a command that say what an entry is; what is None is not said."""
    if isinstance(content, Campaign):
        said = _campaign(content)
    elif isinstance(content, Discount):
        said = _discount(content)
    else:
        said = _ab_test(content)
    return {name: value for name, value in said.items() if value is not None}


def _campaign(content: Campaign) -> Body:
    return {
        "name": content.name,
        "segment": content.segment,
        "enabled": content.enabled,
        "start_date": text_of(content.start),
        "end_date": text_of(content.end),
        "priority": content.priority,
        "promotion_type": "basic",
        "promotion_properties": {"title": content.name},
        "discount_id": content.discount_id,
    }


def _discount(content: Discount) -> Body:
    return {
        "code": content.code,
        "type": "order",
        "value_type": "percentage",
        "value": "10",
        "starts_at": text_of(content.start),
        "ends_at": text_of(content.end),
        "enabled": content.enabled,
    }


def _ab_test(content: AbTest) -> Body:
    held_out = 100 - sum(share for _, share in content.shares)
    return {
        "name": content.name,
        "segment": content.segment,
        "campaigns": [{"campaign_id": id_, "allocation": share} for id_, share in content.shares],
        "has_holdout": held_out > 0,
        "holdout_percentage": max(held_out, 0),
        "start_date": text_of(content.start),
        "end_date": text_of(content.end),
        "enabled": content.enabled,
    }


def text_of(at: datetime | None) -> str | None:
    """A time as a message has it."""
    return at.isoformat() if at else None
