"""Makes certificates for local servers and their clients."""

from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority and the folder of its files."""

    folder: Path
    name: str
    ca: trustme.CA

    @classmethod
    def found(cls, folder: Path, name: str) -> "Authority":
        """Make an authority; its certificate is in `name`.pem."""
        ca = trustme.CA(organization_name=name)
        ca.cert_pem.write_to_path(str(folder / f"{name}.pem"))
        return cls(folder, name, ca)

    @property
    def file(self) -> Path:
        """The file with the authority's certificate."""
        return self.folder / f"{self.name}.pem"

    def for_server(self, *hosts: str) -> Path:
        """Make a PEM file with key (in the form that Java reads) and certificate for `hosts`."""
        leaf = self.ca.issue_cert(*hosts)
        file = self.folder / f"{self.name}-server-{hosts[0]}.pem"
        file.write_bytes(_key(leaf) + leaf.cert_chain_pems[0].bytes())
        return file

    def for_client(self, name: str, password: str | None = None) -> tuple[Path, Path]:
        """Make a client's certificate and its key, encrypted with `password` if given."""
        leaf = self.ca.issue_cert("client.test", common_name=name)
        certificate, key = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        certificate.write_bytes(leaf.cert_chain_pems[0].bytes())
        key.write_bytes(_key(leaf, password))
        key.chmod(0o600)
        return certificate, key


def _key(leaf: trustme.LeafCert, password: str | None = None) -> bytes:
    key = load_pem_private_key(leaf.private_key_pem.bytes(), password=None)
    lock = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)
