"""More ways into the embedded broker than the plain one: TLS, client certificates, logins, rules.

The plain listener stays: the broker talks to itself there, and whoever comes in that way may do
everything (it is on the loopback address). The others are for what a real installation has.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

PLAIN = "PLAIN"
SCRAMS = ("SCRAM-SHA-256", "SCRAM-SHA-512")
_MODULES = {PLAIN: "plain.PlainLoginModule"} | dict.fromkeys(SCRAMS, "scram.ScramLoginModule")


@dataclass(frozen=True, slots=True)
class Listener:
    """One more port: how it is talked to, and how one logs in there."""

    name: str
    """Capital letters; what `Kafka.address` is asked by."""
    protocol: str
    """SSL, SASL_SSL, SASL_PLAINTEXT or PLAINTEXT."""
    mechanisms: tuple[str, ...] = ()
    """PLAIN, SCRAM-SHA-256, SCRAM-SHA-512."""
    wants_certificate: bool = False
    """Whether a client without a certificate is turned away."""
    advertised_port: int | None = None
    """Where clients are told to come back to, when it is another port: that of a proxy."""


@dataclass(frozen=True, slots=True)
class Entrances:
    """All further listeners, and whom they let in to do what."""

    listeners: tuple[Listener, ...] = ()
    certificate: Path | None = None
    """PEM file: the broker's key (PKCS #8) and its certificate."""
    authorities: Path | None = None
    """PEM file: who may sign the certificates of clients."""
    users: Mapping[str, str] = field(default_factory=dict)
    """Passwords by name, for PLAIN and both SCRAMs; SCRAM users are made when the folder is new."""
    has_rules: bool = False
    """Whether what is not allowed by a rule (ACL) is forbidden to all but the plain listener."""

    def addresses(self, host: str, ports: Mapping[str, int]) -> str:
        """The listeners as Kafka lists them, after the plain ones."""
        return "".join(f",{each.name}://{host}:{ports[each.name]}" for each in self.listeners)

    def advertised(self, host: str, ports: Mapping[str, int]) -> str:
        """The same, as clients are told."""
        told = {each.name: each.advertised_port or ports[each.name] for each in self.listeners}
        return self.addresses(host, told)

    @property
    def protocols(self) -> str:
        """Which protocol each listener speaks, after the plain ones."""
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

    def scram_options(self) -> Iterator[str]:
        """Arguments that let the storage tool make the users of SCRAM."""
        wanted = {name for listener in self.listeners for name in listener.mechanisms}
        for mechanism in SCRAMS:
            for name, password in self.users.items() if mechanism in wanted else ():
                yield "--add-scram"
                yield f"{mechanism}=[name={name},password={password}]"

    def _of(self, listener: Listener) -> Iterator[str]:
        prefix = f"listener.name.{listener.name.lower()}"
        if listener.protocol.endswith("SSL"):
            # A listener for logins asks for no certificate unless told to.
            wanted = "required" if listener.wants_certificate else "none"
            yield f"{prefix}.ssl.client.auth={wanted}"
        if listener.mechanisms:
            yield f"{prefix}.sasl.enabled.mechanisms={','.join(listener.mechanisms)}"
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
    # A client is called by the common name of its certificate.
    yield r"ssl.principal.mapping.rules=RULE:^.*?CN=([^,]*).*$/$1/,DEFAULT"
