"""multipart/form-data (RFC 7578): the names and the bytes of its parts."""

from __future__ import annotations

import logging

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

# It warns of every odd byte, and anybody may send those: the answer says enough.
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)

# RFC 7578 §4.7 forbids the encodings that change a part's bytes.
_PLAIN_ENCODINGS = (b"", b"7bit", b"8bit", b"binary")


class MalformedMultipart(ValueError):  # noqa: N818 - the same name as its code
    """The body is no multipart/form-data, is cut short, or has too many parts."""


def parts_of(raw: bytes, boundary: bytes, *, most: int) -> list[tuple[bytes, bytes]]:
    """Name and value of each part in order; a part with a filename is a value like any other."""
    if not boundary:
        raise MalformedMultipart("the content type names no boundary")
    collected = _Parts(most)
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": collected.begin,
                "on_header_field": collected.add_header_name,
                "on_header_value": collected.add_header_value,
                "on_header_end": collected.end_header,
                "on_part_data": collected.add_data,
                "on_part_end": collected.end,
                "on_end": collected.end_all,
            },
        )
        parser.write(raw)
    except FormParserError as error:
        raise MalformedMultipart(str(error)) from None
    if not collected.is_whole:
        raise MalformedMultipart("the last boundary is missing")
    return collected.parts


class _Parts:
    """What the parser has told so far."""

    def __init__(self, most: int) -> None:
        self.parts: list[tuple[bytes, bytes]] = []
        self.is_whole = False
        self._most = most
        self._headers: dict[bytes, bytes] = {}
        self._header_name = bytearray()
        self._header_value = bytearray()
        self._data = bytearray()

    def begin(self) -> None:
        if len(self.parts) == self._most:
            raise MalformedMultipart("too many parts")
        self._headers = {}
        self._data = bytearray()

    def add_header_name(self, buffer: bytes, start: int, end: int) -> None:
        self._header_name += buffer[start:end]

    def add_header_value(self, buffer: bytes, start: int, end: int) -> None:
        self._header_value += buffer[start:end]

    def end_header(self) -> None:
        self._headers[bytes(self._header_name).lower()] = bytes(self._header_value)
        self._header_name.clear()
        self._header_value.clear()

    def add_data(self, buffer: bytes, start: int, end: int) -> None:
        self._data += buffer[start:end]

    def end(self) -> None:
        encoding = self._headers.get(b"content-transfer-encoding", b"")
        if encoding.strip().lower() not in _PLAIN_ENCODINGS:
            raise MalformedMultipart("a part has a content-transfer-encoding")
        disposition = self._headers.get(b"content-disposition", b"")
        _, options = parse_options_header(disposition)
        self.parts.append((options.get(b"name", b""), bytes(self._data)))

    def end_all(self) -> None:
        self.is_whole = True
