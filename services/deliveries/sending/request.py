"""The request of one attempt: URL, headers, body, by what is stored of its destination."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version

from yarl import URL

from schemas.schema_ids import schema_id
from schemas.topics import FEED
from services.deliveries.domain.destination import Form, Secret
from services.deliveries.messages.encode import body_of, request_headers
from services.deliveries.network.urls import UrlFault, checked_url, rules_of
from services.deliveries.secret_box import VARIABLE, SecretUnreadable, read_box
from services.deliveries.sending.rows import StoredBody, StoredTarget
from services.deliveries.sending.window import Row
from services.runtime.clock import SystemClock
from services.runtime.config.settings import Settings

USER_AGENT = f"Orderflow/{version('orderflow')} (webhooks)"

REPLAY_HEADER = "orderflow-replay"


class Unsendable(Exception):
    """No request can be made; the text says why, and counts as the answer of the attempt.

    `is_receivers`: the reason is the destination's, as a URL that is not allowed any more.
    """

    def __init__(self, why: str, *, is_receivers: bool = False) -> None:
        super().__init__(why)
        self.is_receivers = is_receivers


@dataclass(frozen=True, slots=True)
class Request:
    """What is posted."""

    url: URL
    headers: dict[str, str]
    body: bytes


class Requests:
    """Makes requests, with the keys and rules of the settings."""

    def __init__(self, settings: Settings) -> None:
        self._box = read_box(settings.deliveries_key)
        self._rules = rules_of(settings)

    def make(
        self, row: Row, target: StoredTarget, body: StoredBody | None, at: datetime
    ) -> Request:
        """The request of a delivery.

        Raises:
            Unsendable: its body is not there, or is another shop's; or the URL or secret cannot be
                used.
        """
        event = kept(body, target)
        if self._box is None:
            raise Unsendable(f"requests cannot be signed: set {VARIABLE}")
        try:
            url = checked_url(target.target.url or "", self._rules)
            secrets = [
                self._box.decrypt(each, target.shop, target.name)
                for each in _valid(target.secret, at, row.failures)
            ]
        except UrlFault as error:
            raise Unsendable(str(error), is_receivers=True) from None
        except SecretUnreadable as error:
            raise Unsendable(str(error)) from None
        is_ucp = target.target.form is Form.UCP
        headers, data = request_headers(
            secrets,
            row.event_id,
            body_of(event.value, target.target, event.log() if is_ucp else None),
            int(SystemClock().now().timestamp()),  # Receivers compare it with their own clocks.
            _said(row, event, target.target.form),
            is_gzip=target.target.gzip,
        )
        return Request(url, headers, data)


def kept(body: StoredBody | None, target: StoredTarget) -> StoredBody:
    """The body of a delivery.

    Raises:
        Unsendable: it is not there, or is another shop's.
    """
    if body is None:
        raise Unsendable("the event is not kept any more")
    if body.shop != target.shop:
        raise Unsendable("the event is of another shop")
    return body


def _valid(secret: Secret | None, at: datetime, failures: int) -> list[bytes]:
    """The secrets that sign: the former one too, for as long as it is valid.

    The former one is the last, in every second attempt the current one: receivers that read only
    the last signature, as Karla's plugin for Shopware does, accept the event with either secret.
    """
    if secret is None:
        raise Unsendable("the destination has no secret")
    if not (secret.former and secret.former_until and at < secret.former_until):
        return [secret.current]
    found = [secret.current, secret.former]
    return found[::-1] if failures % 2 else found


def _said(row: Row, body: StoredBody, form: Form) -> dict[str, str]:
    """The headers that say which event it is, which schema its body has, and which attempt it is.

    The schemas are those of whole events: other forms of a body, and tests, have none.
    """
    said = {
        "User-Agent": USER_AGENT,
        "orderflow-event-type": body.type,
        "orderflow-sequence": str(body.sequence),
        "orderflow-attempt": str(row.failures + 1),
    }
    if form is Form.FULL and body.type in FEED.models:
        said["orderflow-data-schema"] = schema_id(body.type)
    if body.order_version is not None:
        said["orderflow-order-version"] = str(body.order_version)
    if traceparent := body.handed_on():
        said["traceparent"] = traceparent
    if row.skipped:
        said["orderflow-skipped"] = str(row.skipped)
    if row.replay:
        said[REPLAY_HEADER] = row.replay
    return said
