"""A JSON Schema of an object as a Java record for Jackson."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass

from tools.contract.definitions import Definitions, Json

IMPORTS = """import com.fasterxml.jackson.annotation.JsonAnyGetter;
import com.fasterxml.jackson.annotation.JsonAnySetter;
import com.fasterxml.jackson.annotation.JsonFormat;
import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.JsonNode;
import java.math.BigDecimal;
import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.util.List;
import java.util.Map;
import java.util.UUID;
"""
TAKEN = {"default", "class", "package", "import", "notify", "wait", "clone"}
"""Words of Java, and methods of every object: no component of a record can have such a name."""
STRINGS = {"uuid": "UUID", "date-time": "OffsetDateTime", "date": "LocalDate"}
PLAIN = {"integer": "Long", "number": "BigDecimal", "boolean": "Boolean"}
AMOUNT = {"string", "number"}
AS_TEXT = "@JsonFormat(shape = JsonFormat.Shape.STRING) "


@dataclass(frozen=True, slots=True)
class Component:
    """One member of an object as a component of a record."""

    member: str
    type: str
    about: str
    annotations: str

    @property
    def name(self) -> str:
        """The member's name in Java: `event_name` is `eventName`, `notify` is `notify_`."""
        first, *others = self.member.split("_")
        found = first + "".join(each.capitalize() for each in others)
        return f"{found}_" if found in TAKEN else found


def record(name: str, schema: Json, definitions: Definitions, *, is_event: bool) -> str:
    """The source of the record of an object, without its package."""
    components = list(_components(schema, definitions))
    return "\n".join([
        IMPORTS,
        *_comment(schema, components),
        "@JsonIgnoreProperties(ignoreUnknown = true)",
        "@JsonInclude(JsonInclude.Include.NON_NULL)",
        f"public record {name}(",
        ",\n".join(f"    {each.annotations}{each.type} {each.name}" for each in components),
        f"){' implements Event' if is_event else ''} {{",
        *_without_null_nodes(name, components),
        *_builder(name, components),
        "}\n",
    ])  # fmt: skip


def _components(schema: Json, definitions: Definitions) -> Iterator[Component]:
    for member, value in schema["properties"].items():
        annotations = f'@JsonProperty("{member}") '
        if {each.get("type") for each in value.get("anyOf", [])} >= AMOUNT:
            annotations += AS_TEXT
        about = value.get("description", "")
        yield Component(member, _type(value, definitions), about, annotations)
    if schema.get("additionalProperties") is True:
        yield Component(
            "other_members",
            "Map<String, JsonNode>",
            "Members of your own",
            "@JsonAnySetter @JsonAnyGetter ",
        )


def _type(schema: Json, definitions: Definitions) -> str:
    """The Java type of a value; null where the member is absent."""
    if "$ref" in schema:
        is_object = "properties" in definitions.schemas[schema["$ref"]]
        return str(schema["$ref"]) if is_object else "String"
    if "anyOf" in schema:
        forms = [each for each in schema["anyOf"] if each.get("type") != "null"]
        if len(forms) == 1:
            return _type(forms[0], definitions)
        return "BigDecimal" if {each["type"] for each in forms} == AMOUNT else "String"
    kind = schema.get("type")
    if kind == "string":
        return STRINGS.get(schema.get("format", ""), "String")
    if kind == "array":
        item = schema.get("items", {"type": "string"} if "prefixItems" in schema else {})
        return f"List<{_type(item, definitions)}>"
    return PLAIN.get(str(kind), "JsonNode")


def _comment(schema: Json, components: list[Component]) -> Iterator[str]:
    about = " ".join(schema.get("description", "").split())
    yield f"/** {_escaped(about)}"
    yield " *"
    yield from (f" * @param {each.name} {_escaped(each.about)}" for each in components)
    yield " */"


def _escaped(text: str) -> str:
    return html.escape(" ".join(text.split()), quote=False).replace("@", "&#64;").replace("*/", "")


def _without_null_nodes(name: str, components: list[Component]) -> Iterator[str]:
    """A constructor: Jackson reads null as a node where the type is a node, and absent is null."""
    if nodes := [each.name for each in components if each.type == "JsonNode"]:
        yield f"  public {name} {{"
        yield from (
            f"    {node} = {node} == null || {node}.isNull() ? null : {node};" for node in nodes
        )
        yield "  }\n"


def _builder(name: str, components: list[Component]) -> Iterator[str]:
    yield f"  /** Makes a {name} member by member; what is not set is absent. */"
    yield "  public static Builder builder() {\n    return new Builder();\n  }\n"
    yield f"  /** Makes a {name}. */"
    yield "  public static final class Builder {"
    yield "    private Builder() {}"
    for each in components:
        yield f"    private {each.type} {each.name};"
    for each in components:
        yield f"    public Builder {each.name}({each.type} value) {{"
        yield f"      {each.name} = value;\n      return this;\n    }}"
    yield f"    public {name} build() {{"
    yield f"      return new {name}({', '.join(each.name for each in components)});\n    }}"
    yield "  }"
