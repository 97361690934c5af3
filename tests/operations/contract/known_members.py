"""Messages without the members that the contract does not name: readers drop those."""

from typing import Any

from tools.contract.definitions import Definitions, Json, load

DEFINITIONS = load()


def known(type_: str, value: Any) -> Any:
    """A value of a message type without unknown members, at any depth."""
    return _known(value, {"$ref": DEFINITIONS.by_type[type_]}, DEFINITIONS)


def _known(value: Any, schema: Json, definitions: Definitions) -> Any:
    if "$ref" in schema:
        return _known(value, definitions.schemas[schema["$ref"]], definitions)
    if "anyOf" in schema:
        kind = "array" if isinstance(value, list) else "object"
        forms = [each for each in schema["anyOf"] if "$ref" in each or each.get("type") == kind]
        is_nested = isinstance(value, list | dict)
        return _known(value, forms[0], definitions) if is_nested and forms else value
    if isinstance(value, list) and schema.get("items"):
        return [_known(each, schema["items"], definitions) for each in value]
    if isinstance(value, dict) and "properties" in schema:
        members = schema["properties"]
        others = value if schema.get("additionalProperties") is True else {}
        return others | {
            name: _known(value[name], members[name], definitions)
            for name in value
            if name in members
        }
    return value
