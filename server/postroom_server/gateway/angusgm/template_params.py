"""`templateParams`: by address and name, or by name alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf.struct_pb2 import Struct, Value

from postroom.v1 import email_service_pb2
from postroom_server.gateway.body import Spelled


def most_names(params: Mapping[str, Any]) -> int:
    """How many addresses are named, or names are given, where those are most."""
    return max(len(params), *map(len, params.values())) if _are_by_address(params) else len(params)


def put(params: Mapping[str, Any], template: email_service_pb2.TemplateBody) -> str:
    """Writes the parameters into a template body. Returns the one address that was named, if it was one.

    They are by address exactly when every value is an object. The values of a single address are everybody's,
    whatever the address says. Names that the template does not know are passed over, as unknown fields are
    everywhere in this dialect.
    """
    template.ignore_unknown_params = True
    if not _are_by_address(params):
        _fill(template.params, params)
        return ""
    if len(params) == 1:
        ((address, values),) = params.items()
        _fill(template.params, values)
        return address
    for address, values in params.items():
        _fill(template.recipient_params[address], values)
    return ""


def _are_by_address(params: Mapping[str, Any]) -> bool:
    return bool(params) and all(isinstance(value, dict) for value in params.values())


def _fill(struct: Struct, params: Mapping[str, Any]) -> None:
    for name, value in params.items():
        _write(value, struct.fields[name], is_scalar=True)


def _write(value: Any, into: Value, *, is_scalar: bool = False) -> None:
    """Scalars travel as their JSON spells them: a Struct knows doubles only, and 1.10 would become 1.1."""
    match value:
        case None:
            into.null_value = 0  # type: ignore[assignment]
        case bool():
            into.bool_value = value
        case str():
            into.string_value = value
        case Spelled() if is_scalar:
            into.string_value = value.text
        case int() if is_scalar:
            into.string_value = str(value)
        case int() | float():
            into.number_value = value
        case list():
            into.list_value.SetInParent()
            for item in value:
                _write(item, into.list_value.values.add())
        case dict():
            into.struct_value.SetInParent()
            for name, item in value.items():
                _write(item, into.struct_value.fields[name])
        case _:
            raise TypeError(f"{type(value).__name__} is no value of JSON")
