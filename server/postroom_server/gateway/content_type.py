"""What a body says it is."""

from __future__ import annotations

import dataclasses
from typing import Self

from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers


@dataclasses.dataclass(frozen=True, slots=True)
class ContentType:
    """A media type in lower case. `charset` is passed over: fields are UTF-8 or they are refused."""

    media_type: str
    boundary: bytes = b""

    @classmethod
    def of(cls, headers: Headers) -> Self:
        if headers.get("content-encoding", "identity").strip().lower() != "identity":
            return cls("compressed")
        media_type, options = parse_options_header(headers.get("content-type"))
        return cls(media_type.decode("latin-1").strip(), options.get(b"boundary", b""))

    @property
    def is_form(self) -> bool:
        """Whether it is urlencoded, as bodies without a type are, too."""
        return self.media_type in ("", "application/x-www-form-urlencoded")

    @property
    def is_multipart(self) -> bool:
        return self.media_type == "multipart/form-data"

    @property
    def is_json(self) -> bool:
        return self.media_type in ("application/json", "text/json") or self.media_type.endswith("+json")
