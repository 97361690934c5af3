"""Options that several commands take, declared once as the fields of a dataclass."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from functools import wraps
from inspect import Parameter
from typing import Any, TypeVar, get_type_hints

T = TypeVar("T")


def expand_options(command: Callable[..., T]) -> Callable[..., T]:
    """The command with each parameter that is a dataclass replaced by that dataclass's fields.

    A field is annotated as a parameter of the command line is: `Annotated[str | None,
    typer.Option(help="…")]`. The command gets one instance of the dataclass.
    """
    parameters = inspect.signature(command).parameters
    groups = {name: each.annotation for name, each in parameters.items() if _is_group(each)}

    @wraps(command)
    def run(**given: Any) -> T:
        made = {
            name: group(**{field.name: given.pop(field.name) for field in fields(group)})
            for name, group in groups.items()
        }
        return command(**given, **made)

    expanded = [each for name in parameters for each in _expanded(parameters[name])]
    run.__signature__ = inspect.Signature(expanded)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in expanded}
    return run


def _is_group(parameter: Parameter) -> bool:
    return isinstance(parameter.annotation, type) and is_dataclass(parameter.annotation)


def _expanded(parameter: Parameter) -> Iterator[Parameter]:
    if not _is_group(parameter):
        yield parameter.replace(kind=Parameter.KEYWORD_ONLY)
        return
    types = get_type_hints(parameter.annotation, include_extras=True)
    for field in fields(parameter.annotation):
        default = Parameter.empty if field.default is MISSING else field.default
        yield Parameter(
            field.name, Parameter.KEYWORD_ONLY, default=default, annotation=types[field.name]
        )
