"""What every message model shares: how fields are described, and what null and the unknown mean."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError


def about(description: str, example: Any, *, unit: str | None = None) -> Any:
    """Describe a field of the contract: its meaning, one example, and its unit if it has one."""
    extra: JsonDict | None = {"unit": unit} if unit else None
    return Field(description=description, examples=[example], json_schema_extra=extra)


def refused(message: str) -> PydanticCustomError:
    """A field error in our own words: what must hold, and what a right value looks like."""
    return PydanticCustomError("refused", message)


class ContractModel(BaseModel):
    """A value of the contract. Unknown members are ignored; null means the same as absent."""

    model_config = ConfigDict(extra="ignore", frozen=True, str_strip_whitespace=False)

    @model_validator(mode="before")
    @classmethod
    def null_is_absent(cls, data: Any) -> Any:
        """A decoded object without the members that are null."""
        if isinstance(data, dict) and None in data.values():
            return {name: value for name, value in data.items() if value is not None}
        return data
