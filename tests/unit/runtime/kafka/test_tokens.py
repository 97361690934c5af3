"""The token of a process: fetched once, renewed in time, used on while no new one can be had."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from services.runtime.config.settings import Settings
from services.runtime.kafka.tokens.cache import (
    PAUSE_SECONDS,
    REJECTED_SECONDS,
    RENEW_AT_SHARE,
    TokenCache,
)
from services.runtime.kafka.tokens.client_credentials import (
    ANSWER_MAX_BYTES,
    DEFAULT_LIFETIME_SECONDS,
    ClientCredentials,
)
from services.runtime.kafka.tokens.token import Token, TokenUnavailable
from tests.integration.wire.token_server import TokenServer, token_server

LIFETIME = 100.0
SECRET = "the-secret + of/orders"


@dataclass(eq=False)
class Source:
    """Tokens with numbers, or an error; `gate` holds a fetch back."""

    fetched: int = 0
    error: str = ""
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def fetch(self) -> Token:
        self.fetched += 1
        await self.gate.wait()
        if self.error:
            raise TokenUnavailable(self.error)
        return Token(f"token-{self.fetched}", LIFETIME)


class Clock:
    """Seconds that a test moves on."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def source() -> Source:
    source = Source()
    source.gate.set()
    return source


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(source: Source, clock: Clock) -> TokenCache:
    return TokenCache(source, clock)


async def test_token_is_fetched_once_for_connections_that_open_together(
    cache: TokenCache, source: Source
) -> None:
    source.gate.clear()
    asked = [asyncio.ensure_future(cache.token()) for _ in range(5)]
    await asyncio.sleep(0)
    source.gate.set()

    assert await asyncio.gather(*asked) == ["token-1"] * 5
    assert source.fetched == 1


async def test_token_fetch_goes_on_when_the_connection_that_began_it_is_cancelled(
    cache: TokenCache, source: Source
) -> None:
    source.gate.clear()
    first, second = (asyncio.ensure_future(cache.token()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    source.gate.set()

    assert await second == "token-1"


async def test_token_is_renewed_before_it_expires(cache: TokenCache, clock: Clock) -> None:
    await cache.token()
    clock.now = LIFETIME * RENEW_AT_SHARE - 1
    before = await cache.token()
    clock.now = LIFETIME * RENEW_AT_SHARE

    assert (before, await cache.token()) == ("token-1", "token-2")


async def test_token_is_used_until_it_expires_while_no_new_one_can_be_had(
    cache: TokenCache, source: Source, clock: Clock
) -> None:
    await cache.token()
    source.error = "the token server is away"
    clock.now = LIFETIME - 1

    assert await cache.token() == "token-1"
    assert cache.trouble == source.error
    clock.now = LIFETIME + PAUSE_SECONDS
    with pytest.raises(TokenUnavailable, match=source.error):
        await cache.token()


async def test_token_error_is_repeated_without_a_fetch_for_a_while(
    cache: TokenCache, source: Source, clock: Clock
) -> None:
    source.error = "the token server is away"
    for _ in range(10):
        with pytest.raises(TokenUnavailable, match="away"):
            await cache.token()
    assert source.fetched == 1

    source.error, clock.now = "", PAUSE_SECONDS

    assert await cache.token() == "token-2"
    assert cache.trouble == ""


async def test_token_that_the_broker_rejects_is_replaced_unless_it_is_new(
    cache: TokenCache, clock: Clock
) -> None:
    await cache.token()
    cache.reject()
    kept = await cache.token()
    clock.now = REJECTED_SECONDS + 1
    cache.reject()

    assert (kept, await cache.token()) == ("token-1", "token-2")


def test_token_cache_serves_one_event_loop_after_the_other(source: Source, clock: Clock) -> None:
    cache = TokenCache(source, clock)
    source.error = "away"
    with pytest.raises(TokenUnavailable):
        asyncio.run(cache.token())
    source.error, clock.now = "", PAUSE_SECONDS

    assert asyncio.run(cache.token()) == "token-2"


def _client(server: TokenServer, **changed: object) -> ClientCredentials:
    settings: dict[str, object] = {
        "kafka_security_protocol": "SASL_SSL",
        "kafka_sasl_mechanism": "OAUTHBEARER",
        "kafka_oauth_token_url": server.url,
        "kafka_oauth_client_id": "orders:eu",
        "kafka_oauth_client_secret": SECRET,
    }
    return ClientCredentials.of(Settings(**{**settings, **changed}))


@pytest.fixture(scope="module")
def listening() -> TokenServer:
    with token_server({"orders:eu": SECRET}) as server:
        yield server


@pytest.fixture
def server(listening: TokenServer) -> TokenServer:
    listening.reset()
    return listening


@pytest.mark.parametrize("way", ["basic", "post"])
async def test_client_credentials_give_a_token(server: TokenServer, way: str) -> None:
    server.lifetime_seconds = 3600

    token = await _client(server, kafka_oauth_client_auth=way).fetch()

    assert (token.value.count("."), token.lifetime_seconds) == (2, 3600)
    assert server.given == ["orders:eu"]
    assert ("client_secret" in server.asked[0]) == (way == "post")


async def test_client_credentials_ask_for_scope_and_audience(server: TokenServer) -> None:
    await _client(server, kafka_oauth_scope="a b", kafka_oauth_audience="kafka").fetch()

    form = {"grant_type": "client_credentials", "scope": "a b", "audience": "kafka"}
    assert server.asked == [form]


@pytest.mark.parametrize(
    ("expires", "seconds"),
    [("", DEFAULT_LIFETIME_SECONDS), (', "expires_in": "60"', 60), (', "expires_in": 1.5', 1.5)],
    ids=["absent", "text", "number"],
)
async def test_client_credentials_read_the_lifetime(
    server: TokenServer, expires: str, seconds: float
) -> None:
    server.answer = (200, {}, f'{{"access_token": "a.b-c_d=="{expires}}}'.encode())

    assert await _client(server).fetch() == Token("a.b-c_d==", seconds)


REDIRECT: Mapping[str, str] = {"Location": "http://127.0.0.1:1/"}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param((401, {}, b'{"error": "invalid_client"}'), "KAFKA_OAUTH_CLIENT_ID", id="401"),
        pytest.param(
            (400, {}, b'{"error": "invalid_scope", "error_description": "No such\\nscope."}'),
            "(invalid_scope: No suchscope.): check KAFKA_OAUTH_SCOPE",
            id="scope",
        ),
        pytest.param((404, {}, b"<html>"), "status 404: check KAFKA_OAUTH_TOKEN_URL", id="404"),
        pytest.param((302, REDIRECT, b""), "status 302: check KAFKA_OAUTH_TOKEN_URL", id="moved"),
        pytest.param((200, {}, b"[" * 50_000), "sends no access_token", id="no JSON"),
        pytest.param((200, {}, b'{"access_token": 1}'), "sends no access_token", id="number"),
        pytest.param(
            (200, {}, b'{"access_token": "a\\u0001auth=x"}'), "sends no access_token", id="control"
        ),
        pytest.param(
            (200, {}, b'{"access_token": "a", "token_type": "mac"}'), "than Bearer", id="type"
        ),
        pytest.param(
            (200, {}, b'{"access_token": "a", "expires_in": -1}'), "no number", id="negative"
        ),
        pytest.param(
            (200, {}, b'{"access_token": "a", "expires_in": true}'), "no number", id="boolean"
        ),
        pytest.param(
            (200, {}, b'{"access_token": "a", "expires_in": 0}'), "has expired", id="zero"
        ),
        pytest.param((200, {}, b" " * (ANSWER_MAX_BYTES + 1)), "more than 65,536", id="large"),
        pytest.param(
            (400, {}, b'{"error": "e", "error_description": "' + SECRET.encode() + b'"}'),
            "refuses client orders:eu (e)",
            id="secret repeated",
        ),
    ],
)
async def test_client_credentials_refused_answer_says_what_to_check(
    server: TokenServer, answer: tuple[int, Mapping[str, str], bytes], said: str
) -> None:
    server.answer = answer

    with pytest.raises(TokenUnavailable) as raised:
        await _client(server).fetch()

    assert said in str(raised.value)
    assert str(raised.value).startswith(f"the token server {server.url} ")
    assert SECRET not in str(raised.value)


def test_client_credentials_and_tokens_hide_their_secrets(server: TokenServer) -> None:
    shown = repr(_client(server)) + repr(Token("the-token", 1))

    assert SECRET not in shown
    assert "the-token" not in shown
