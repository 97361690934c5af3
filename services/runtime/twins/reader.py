"""Reads a decoded body by the twin of its model, and by the model if the twin refuses it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Generic, cast

from msgspec import ValidationError, convert
from pydantic import BaseModel

from services.runtime.messages.json_codec import ModelT, validate
from services.runtime.messages.repair import RepairWarning, validate_repaired
from services.runtime.observability.metrics import Metrics
from services.runtime.twins.deriving import Derivation


class Reader(Generic[ModelT]):
    """Reads messages of one model, and counts how many the twin and the model have read."""

    def __init__(
        self,
        model: type[ModelT],
        omitted_of: Collection[type[BaseModel]] = (),
        *,
        is_repairing: bool = False,
    ) -> None:
        """Derive the twins of a model and its nested models.

        Twins of the models `omitted_of` store which members the sender left out, for `omitted`.
        Where `is_repairing`, the twins refuse what `read_repaired` may read otherwise than the
        model does, and every message is to be read by `read_repaired`.

        Raises:
            Underivable: no twin can be derived from the model; the text says why.
        """
        derivation = Derivation(omitted_of, is_repairing=is_repairing)
        self._model = model
        self._twin = derivation.twin_of(model)
        self._struct, self._finish = self._twin.struct, self._twin.finish
        self.twins = derivation.twins
        self.left = derivation.left
        self._fast = 0
        self._contract = 0

    def read(self, body: Any, pointer: str = "") -> ModelT:
        """Read a body of `decode_json` as a twin, or as the model if the twin refuses it.

        A twin has all members of the model; its lists are tuples. `pointer` is the place of the
        body in the message.

        Raises:
            Malformed: `invalid_fields`, with a FieldError for each wrong field.
        """
        found = self.fast_or_none(body)
        if found is None:
            self._contract += 1
            return validate(self._model, body, pointer)
        self._fast += 1
        return found

    def read_repaired(self, body: Any) -> tuple[ModelT, Sequence[RepairWarning]]:
        """Read a body as a twin; if the twin refuses it, repair it before the model reads it.

        Returns the message and what was repaired or left out.

        Raises:
            Malformed: `invalid_fields`, with a FieldError for each wrong field that is no
                describing one, at its place in the body as it was sent.
        """
        found = self.fast_or_none(body)
        if found is not None:
            self._fast += 1
            return found, ()
        self._contract += 1
        return validate_repaired(self._model, body)

    def counted(self) -> tuple[int, int]:
        """Return and reset how many bodies the twin and the model have read."""
        found = self._fast, self._contract
        self._fast = self._contract = 0
        return found

    def fast_or_none(self, body: Any) -> ModelT | None:
        """Read a body as a twin; None if the twin refuses it and the model decides."""
        try:
            found = convert(body, self._struct)
            if self._finish:
                self._finish(found)
        except (ValidationError, ValueError):
            return None
        return cast("ModelT", found)


def count_decoded(readers: Mapping[str, Reader[Any]], metrics: Metrics, service: str) -> None:
    """Add the bodies read since the last call to the metric `decoded_total`; `readers` by type."""
    for type_, reader in readers.items():
        for decoder, count in zip(("fast", "contract"), reader.counted(), strict=True):
            if count:
                metrics.decoded_total.labels(service, type_, decoder).inc(count)
