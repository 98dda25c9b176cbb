"""Struct parameters as plain values and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf.struct_pb2 import ListValue, Struct, Value


def params_of(struct: Struct) -> dict[str, Any]:
    """The values by name, in the order of names: that of the message is another in every process."""
    return {name: value_of(value) for name, value in sorted(struct.fields.items())}


def value_of(value: Value) -> Any:
    """A plain value. Struct knows only doubles; message/values.py prints integral ones without `.0`."""
    match value.WhichOneof("kind"):
        case "string_value":
            return value.string_value
        case "number_value":
            return value.number_value
        case "bool_value":
            return value.bool_value
        case "struct_value":
            return params_of(value.struct_value)
        case "list_value":
            return [value_of(item) for item in value.list_value.values]
        case _:
            return None


def struct_of(params: Mapping[str, Any]) -> Struct:
    return Struct(fields={name: message_of(value) for name, value in params.items()})


def message_of(value: Any) -> Value:
    match value:
        case None:
            return Value(null_value=0)  # type: ignore[arg-type]
        case bool():
            return Value(bool_value=value)
        case int() | float():
            return Value(number_value=value)
        case str():
            return Value(string_value=value)
        case list() | tuple():
            return Value(list_value=ListValue(values=[message_of(item) for item in value]))
        case _:
            return Value(struct_value=struct_of(value))
