"""Fast readers of the contract's messages, derived from its pydantic models by a program.

A twin is a `msgspec.Struct` with the members of a model, under the same names and with equal
values. It accepts a subset of what the model accepts; the model reads all else, and only the model
says what is wrong with a message.
"""

from services.runtime.twins.reader import Reader, count_roads
from services.runtime.twins.unsaid import unsaid
from services.runtime.twins.values import Underivable

__all__ = ["Reader", "Underivable", "count_roads", "unsaid"]
