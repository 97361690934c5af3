"""Further listeners of the embedded broker: TLS, client certificates, logins and access rules.

The plain listener stays, on the loopback address: the broker uses it for itself, and its clients
may do everything. The further listeners are like those of a real installation.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

PLAIN = "PLAIN"
SCRAMS = ("SCRAM-SHA-256", "SCRAM-SHA-512")
OAUTH = "OAUTHBEARER"
_VALIDATOR = "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler"
_SIGNATURE_CHECK = "org.apache.kafka.common.security.oauthbearer.BrokerJwtValidator"
_MODULES = {PLAIN: "plain.PlainLoginModule"} | dict.fromkeys(SCRAMS, "scram.ScramLoginModule")
_MODULES |= {OAUTH: "oauthbearer.OAuthBearerLoginModule"}


@dataclass(frozen=True, slots=True)
class Listener:
    """A further port of the broker, with its protocol and its ways to log in."""

    name: str
    """In capital letters; the argument of `Kafka.address`."""
    protocol: str
    """SSL, SASL_SSL, SASL_PLAINTEXT or PLAINTEXT."""
    mechanisms: tuple[str, ...] = ()
    """PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER."""
    wants_certificate: bool = False
    """Whether a client without a certificate is refused."""
    advertised_port: int | None = None
    """The port that the broker names to clients, when it is another one: that of a proxy."""
    longest_session_ms: int = 0
    """How long a client stays logged in (`connections.max.reauth.ms`); 0: without end."""


@dataclass(frozen=True, slots=True)
class TokenIssuer:
    """Who signs the tokens that the broker accepts, and for whom."""

    keys_url: str
    """Address of the public keys (JSON Web Key Set)."""
    issuer: str
    audience: str


@dataclass(frozen=True, slots=True)
class Entrances:
    """All further listeners, with the users and rules of the broker."""

    listeners: tuple[Listener, ...] = ()
    certificate: Path | None = None
    """PEM file: the broker's key (PKCS #8) and its certificate."""
    authorities: Path | None = None
    """PEM file: the authorities that may sign certificates of clients."""
    users: Mapping[str, str] = field(default_factory=dict)
    """Passwords by user name. SCRAM users are created only when the folder is new."""
    tokens: TokenIssuer | None = None
    """Whose tokens log in, where a listener has OAUTHBEARER."""
    has_rules: bool = False
    """Whether clients, but for those of the plain listener, need a rule (ACL) for what they do."""

    def addresses(self, host: str, ports: Mapping[str, int]) -> str:
        """The listeners in the form of the property `listeners`, to append to the plain ones."""
        return "".join(f",{each.name}://{host}:{ports[each.name]}" for each in self.listeners)

    def advertised(self, host: str, ports: Mapping[str, int]) -> str:
        """The listeners in the form of `advertised.listeners`, to append to the plain ones."""
        named = {each.name: each.advertised_port or ports[each.name] for each in self.listeners}
        return self.addresses(host, named)

    @property
    def protocols(self) -> str:
        """The protocol of each listener, to append to `listener.security.protocol.map`."""
        return "".join(f",{each.name}:{each.protocol}" for each in self.listeners)

    def properties(self) -> Iterator[str]:
        """Lines for server.properties."""
        if self.certificate and self.authorities:
            yield from _of_certificates(self.certificate, self.authorities)
        for listener in self.listeners:
            yield from self._of(listener)
        if self.has_rules:
            yield "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer"
            yield "super.users=User:ANONYMOUS"

    def system_properties(self) -> Mapping[str, str]:
        """Properties of the broker's Java process: it fetches keys only from a named address."""
        if self.tokens is None:
            return {}
        return {"org.apache.kafka.sasl.oauthbearer.allowed.urls": self.tokens.keys_url}

    def scram_options(self) -> Iterator[str]:
        """Arguments with which the storage tool creates the users of SCRAM."""
        wanted = {name for listener in self.listeners for name in listener.mechanisms}
        for mechanism in SCRAMS:
            for name, password in self.users.items() if mechanism in wanted else ():
                yield "--add-scram"
                yield f"{mechanism}=[name={name},password={password}]"

    def _of(self, listener: Listener) -> Iterator[str]:
        prefix = f"listener.name.{listener.name.lower()}"
        if listener.protocol.endswith("SSL"):
            # On a SASL_SSL listener Kafka reads this setting only with the listener's prefix.
            wanted = "required" if listener.wants_certificate else "none"
            yield f"{prefix}.ssl.client.auth={wanted}"
        if listener.mechanisms:
            yield f"{prefix}.sasl.enabled.mechanisms={','.join(listener.mechanisms)}"
        if listener.longest_session_ms:
            yield f"{prefix}.connections.max.reauth.ms={listener.longest_session_ms}"
        if OAUTH in listener.mechanisms and self.tokens:
            yield from _of_tokens(prefix, self.tokens)
        for mechanism in listener.mechanisms:
            module = f"org.apache.kafka.common.security.{_MODULES[mechanism]} required"
            users = self.users.items() if mechanism == PLAIN else ()
            known = "".join(f' user_{name}="{password}"' for name, password in users)
            yield f"{prefix}.{mechanism.lower()}.sasl.jaas.config={module}{known};"


def _of_certificates(certificate: Path, authorities: Path) -> Iterator[str]:
    yield "ssl.keystore.type=PEM"
    yield f"ssl.keystore.location={certificate}"
    yield "ssl.truststore.type=PEM"
    yield f"ssl.truststore.location={authorities}"
    # The name of a client is the common name of its certificate.
    yield r"ssl.principal.mapping.rules=RULE:^.*?CN=([^,]*).*$/$1/,DEFAULT"


def _of_tokens(prefix: str, tokens: TokenIssuer) -> Iterator[str]:
    yield f"{prefix}.{OAUTH.lower()}.sasl.server.callback.handler.class={_VALIDATOR}"
    # With its default a listener of Kafka 4.1 takes a token of any audience.
    yield f"{prefix}.sasl.oauthbearer.jwt.validator.class={_SIGNATURE_CHECK}"
    yield f"{prefix}.sasl.oauthbearer.jwks.endpoint.url={tokens.keys_url}"
    yield f"{prefix}.sasl.oauthbearer.expected.issuer={tokens.issuer}"
    yield f"{prefix}.sasl.oauthbearer.expected.audience={tokens.audience}"
