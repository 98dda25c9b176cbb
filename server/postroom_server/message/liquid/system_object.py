"""The system's own values in LIQUID: `{{ system.unsubscribe_link }}`."""

from __future__ import annotations

from collections.abc import Mapping

ROOT = "system"
# By the names that PERCENT and the rest of the product have for them.
_NAMES = {"user_defined_unsubscribe_link": "unsubscribe_link"}
FIELDS = frozenset(_NAMES.values())


def data(values: Mapping[str, str], absent: object) -> dict[str, object]:
    """The object `system`. A value that is empty, or not there, is `absent`: nothing, and no error."""
    return {field: values.get(name) or absent for name, field in _NAMES.items()}
