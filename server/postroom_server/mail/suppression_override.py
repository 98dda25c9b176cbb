"""Which mails may be sent although the suppression list names a recipient."""

from __future__ import annotations

from postroom_server.mail.draft import Draft
from postroom_server.refusals import Violation

_ASKED_FOR = "its reader has just asked for it and waits for it"
_PROTECTS = "its reader must learn what was done to the account, whoever listed the address"

# By business key: why such a mail goes out all the same. A list that a stranger, or a server that was wrong
# for an hour, can put an address on must not lock people out of their accounts.
SECURITY_KEYS = {
    "BIND_EMAIL": _ASKED_FOR,
    "MODIFY_EMAIL": _ASKED_FOR,
    "PASSWORD_UPDATE": _PROTECTS,
    "PASSWORD_FORGET": _ASKED_FOR,
    "PAY_PASSWORD_UPDATE": _PROTECTS,
    "SIGNIN": _ASKED_FOR,
    "SIGNUP": _ASKED_FOR,
    "SIGN_CANCEL": _PROTECTS,
    "SYS_SECURITY_NOTICE": _PROTECTS,
}


def check_override(draft: Draft, found: list[Violation]) -> None:
    """Refuses `ignore_suppression` to a mail that carries no code and is no security mail."""
    if draft.ignore_suppression and not draft.has_verification and draft.biz_key not in SECURITY_KEYS:
        found.append(
            Violation(
                "ignore_suppression",
                f"is for verification mails and those of the business keys {', '.join(SECURITY_KEYS)}",
            )
        )
