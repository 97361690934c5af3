"""The version of the packages, which follows from the releases of the contract.

`1.<release>.0` while the contract is as it was released; `1.<next release>.0` before that release,
marked as a version of development in the way of each registry. The 1 is that of the file names: an
incompatible schema has another.
"""

from __future__ import annotations

from dataclasses import dataclass

from schemas.gate import contract, releases

MAJOR = 1


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the contract: the number of its release, and whether it was released."""

    release: int
    is_released: bool

    @property
    def number(self) -> str:
        """Major, minor and patch."""
        return f"{MAJOR}.{self.release}.0"

    @property
    def python(self) -> str:
        """As PyPI and pip write it (PEP 440)."""
        return self.number if self.is_released else f"{self.number}.dev0"

    @property
    def npm(self) -> str:
        """As npm writes it (semantic versioning)."""
        return self.number if self.is_released else f"{self.number}-dev.0"

    @property
    def maven(self) -> str:
        """As Maven writes it."""
        return self.number if self.is_released else f"{self.number}-SNAPSHOT"


def of_checkout() -> Version:
    """The version of the contract as this checkout has it."""
    newest = releases.load()[-1]
    is_released = newest.contract == contract.today()
    return Version(newest.number if is_released else newest.number + 1, is_released)
