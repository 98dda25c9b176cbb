"""Pages as answers of List methods, below 4 MiB each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from google.protobuf.message import Message

from postroom_server.mail.pages import Page
from postroom_server.rpc.convert.email_out import PAGE_BYTES

T = TypeVar("T")
Response = TypeVar("Response", bound=Message)
_ROW_OVERHEAD = 6  # tag and length


def filled(response: Response, rows: str, page: Page[T], write: Callable[[T], Message]) -> Response:
    """Puts a page into the response's field `rows`: as many as fit, at least one, and where to go on."""
    answer: Any = response
    room = PAGE_BYTES
    messages: list[Message] = []
    for item in page.items:
        message = write(item)
        room -= message.ByteSize() + _ROW_OVERHEAD
        if room < 0 and messages:
            break
        messages.append(message)
    getattr(answer, rows).extend(messages)
    if messages and (page.has_more or len(messages) < len(page.items)):
        answer.next_page_token = page.token_after(len(messages) - 1)
    answer.total_size = page.total_size
    answer.total_is_lower_bound = page.total_is_lower_bound
    return response
