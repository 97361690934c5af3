"""Origins whose pages may send from a browser, and what browsers are answered."""

import pytest
from pydantic import ValidationError
from starlette.requests import Request

from services.gateway.refusal import Refused
from services.gateway.web.origins import Origins
from services.runtime.config.settings import Settings

LISTED = "https://a.example,https://track.shop.example:8443"


def request_of(origin=None):
    """A request of a page of an origin; None: of no browser."""
    headers = [] if origin is None else [(b"origin", origin.encode())]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": headers})


def refusal(said, origin):
    """Status and code by which a page is refused; None where it may send."""
    try:
        Origins(said).check(request_of(origin))
    except Refused as refused:
        return refused.status, refused.reason
    return None


@pytest.mark.parametrize(
    ("said", "origin", "allowed"),
    [
        (LISTED, "https://a.example", True),
        (LISTED, "HTTPS://A.example", True),
        (LISTED, "https://track.shop.example:8443", True),
        (LISTED, "https://track.shop.example", False),
        (LISTED, "http://a.example", False),
        (LISTED, "https://b.a.example", False),
        (LISTED, "null", False),
        (LISTED, "", False),
        (LISTED, None, True),
        (None, "https://a.example", False),
        (None, None, True),
        ("*", "https://any.example", True),
        ("*", "null", True),
    ],
)
def test_origin_is_allowed_by_the_setting(said, origin, allowed):
    assert refusal(said, origin) == (None if allowed else (403, "origin_not_allowed"))


@pytest.mark.parametrize(
    ("origin", "named"), [("https://a.example", True), ("https://b.example", False)]
)
def test_preflight_names_methods_and_headers_to_allowed_origins_alone(origin, named):
    answer = Origins(LISTED).preflight(request_of(origin))

    cors = {name for name in answer.headers if name.startswith("access-control-")}
    assert answer.status_code == 204
    assert answer.headers["vary"] == "Origin"
    assert ("access-control-allow-methods" in cors) == named == bool(cors)
    assert "access-control-allow-credentials" not in cors


@pytest.mark.parametrize(
    "said", ["https://a.example/", "a.example", "https://*.example", "", "a b"]
)
def test_setting_that_holds_no_origin_is_refused(said):
    with pytest.raises(ValidationError, match="ORDERFLOW_GATEWAY_ACTIVITY_ORIGINS"):
        Settings(ORDERFLOW_GATEWAY_ACTIVITY_ORIGINS=said)
