"""Fast decoders of messages, derived at import from the pydantic models of the contract.

A twin is a `msgspec.Struct` derived from a pydantic model: it has the model's members under the
same names and equal values. It accepts a subset of the bodies that the model accepts.
All other bodies are read by the model (the fallback), which also makes all errors (decision 0098).
"""

from services.runtime.twins.reader import Reader, count_decoded
from services.runtime.twins.source import omitted
from services.runtime.twins.values import Underivable

__all__ = ["Reader", "Underivable", "count_decoded", "omitted"]
