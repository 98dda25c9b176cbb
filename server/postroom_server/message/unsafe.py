"""Characters that may not stand in a message, and the error that names the field they stood in."""

from __future__ import annotations

import re

# security.md A1: C0, DEL, C1, and the two Unicode line ends that some readers take for CRLF. Lone surrogates
# are no characters at all: they cannot be written as UTF-8.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_UNSENDABLE = re.compile("[\x00\ud800-\udfff]")


class UnsafeContent(ValueError):  # noqa: N818 - named after what was found
    """Content that would break out of its place. `field` says where it stood, `problem` what is wrong."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


def check_text(value: str) -> str | None:
    """Says what keeps `value` out of headers (subjects, names, file names, addresses, values), or None.

    Tabs count as control characters here: nobody means one in a subject.
    """
    if value.isprintable():
        return None
    found = _CONTROL.search(value)
    return _describe(found) if found else None


def check_body(value: str) -> str | None:
    """Says what keeps `value` from being a text or HTML body, or None.

    Bodies are transfer-encoded, so that control characters arrive unharmed; but NUL cannot be stored by
    PostgreSQL, and lone surrogates cannot be encoded at all.
    """
    found = _UNSENDABLE.search(value)
    return _describe(found) if found else None


def _describe(found: re.Match[str]) -> str:
    code = ord(found[0])
    kind = "half of a character" if 0xD800 <= code <= 0xDFFF else "a control character"
    return f"has {kind} (U+{code:04X}) at position {found.start()}"
