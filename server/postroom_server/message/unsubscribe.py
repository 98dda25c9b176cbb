"""How the reader of one mail may unsubscribe: the link, and the header lines that mail programs act on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence

LINK_HEADER = "List-Unsubscribe"
POST_HEADER = "List-Unsubscribe-Post"
ONE_CLICK = "List-Unsubscribe=One-Click"

# The gateway's first path segment for these links.
_SEGMENT = "u"
# What previews show in a token's place: no token reads like it, so it opens nothing.
SAMPLE_TOKEN = "preview"  # noqa: S105 - as public as a word can be


@dataclasses.dataclass(frozen=True, slots=True)
class Offer:
    """A link for one message. `one_click`: a mail program may use it without asking (RFC 8058)."""

    link: str
    one_click: bool

    def headers(self, given: Iterable[str]) -> tuple[tuple[str, str], ...]:
        """The header lines to add to those with the names `given`, of which none may come twice.

        RFC 2369 §3 has the angle brackets, RFC 8058 §3.1 the second line. A caller who names a way of their
        own knows better, and ours would contradict it.
        """
        taken = {name.lower() for name in given}
        if LINK_HEADER.lower() in taken:
            return ()
        link = (LINK_HEADER, f"<{self.link}>")
        if not self.one_click or POST_HEADER.lower() in taken:
            return (link,)
        return (link, (POST_HEADER, ONE_CLICK))


@dataclasses.dataclass(frozen=True, slots=True)
class UnsubscribeBase:
    """Where the links lead: a base URL without a slash at its end, such as `https://mail.example.com`."""

    url: str

    def link(self, token: str) -> str:
        return f"{self.url}/{_SEGMENT}/{token}"

    @property
    def sample(self) -> str:
        """What stands for the link in previews. It opens nothing."""
        return self.link(SAMPLE_TOKEN)

    def offer(
        self, to: Sequence[str], token_of: Callable[[str], str], *, goes_to_others: bool
    ) -> Offer | None:
        """The offer of a message, None where it has not exactly one To: a link unsubscribes one address.

        `goes_to_others`: somebody besides gets it as Cc or Bcc. Their mail program, too, would post a
        one-click link, and end the mail of another; the page behind the link says whose mail it ends.
        """
        if len(to) != 1:
            return None
        return Offer(self.link(token_of(to[0])), one_click=not goes_to_others)
