"""Reading a decoded body by its model's twin, and by the model wherever the twin refuses."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Generic, cast

from msgspec import ValidationError, convert
from pydantic import BaseModel

from services.runtime.messages.json_codec import ModelT, validate
from services.runtime.observability.metrics import Metrics
from services.runtime.twins.deriving import Derivation


class Reader(Generic[ModelT]):
    """Reads messages of one model; counts which of them took the fast road."""

    def __init__(self, model: type[ModelT], telling: Collection[type[BaseModel]] = ()) -> None:
        """Derive the twin; those of `telling` models answer `unsaid`.

        Raises:
            Underivable: no twin can be derived from the model, and the reason.
        """
        derivation = Derivation(telling)
        self._model = model
        self._twin = derivation.twin_of(model)
        self._struct, self._finish = self._twin.struct, self._twin.finish
        self.twins = derivation.twins
        self.left = derivation.left
        self._fast = 0
        self._contract = 0

    def read(self, body: Any, pointer: str = "") -> ModelT:
        """A body that `decode_json` gave, as a twin, which has all members of the model, or as it.

        Lists are tuples in a twin. `pointer` is where the body lies.

        Raises:
            Malformed: `invalid_fields`, one FieldError for each field in the way.
        """
        found = self.fast_or_none(body)
        if found is None:
            self._contract += 1
            return validate(self._model, body, pointer)
        self._fast += 1
        return found

    def counted(self) -> tuple[int, int]:
        """How many bodies the twin and the model have read since this was last asked."""
        found = self._fast, self._contract
        self._fast = self._contract = 0
        return found

    def fast_or_none(self, body: Any) -> ModelT | None:
        """The twin of a body, or None: then the contract's model decides."""
        try:
            found = convert(body, self._struct)
            if self._finish:
                self._finish(found)
        except (ValidationError, ValueError):
            return None
        return cast("ModelT", found)


def count_roads(readers: Mapping[str, Reader[Any]], metrics: Metrics, service: str) -> None:
    """Add what was read since the last call to `decoded_total`; `readers` by their type."""
    for type_, reader in readers.items():
        for road, count in zip(("fast", "contract"), reader.counted(), strict=True):
            if count:
                metrics.decoded_total.labels(service, type_, road).inc(count)
