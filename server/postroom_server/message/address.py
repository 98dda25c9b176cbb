"""Mail addresses: one bare addr-spec (RFC 5321 §4.1.2, RFC 6531), validated and brought to one spelling.

The stored form keeps the case of the local part and has the domain in lower case, always as A-labels
(`xn--…`), so that a domain has one spelling wherever it is compared, and so that only the local part decides
whether SMTPUTF8 is needed. Local parts beyond ASCII are stored in NFC.
"""

from __future__ import annotations

import re
import unicodedata

from email_validator import EmailNotValidError, validate_email

MAX_OCTETS = 254
MAX_LOCAL_OCTETS = 64

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
# Labels with "--" in third place are A-labels or reserved: they go to the library, which knows IDNA.
_LABEL = r"(?!..--)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_TOP_LABEL = r"(?!..--)(?:[A-Za-z0-9][A-Za-z0-9-]{0,61})?[A-Za-z]"
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+{_TOP_LABEL}")
_PLAIN = re.compile(rf"{_LOCAL.pattern}@{_DOMAIN.pattern}")


class InvalidAddress(ValueError):  # noqa: N818 - named after what was found
    """Text that is not one bare mail address. The message says why."""


def parse(text: str) -> str:
    """Validates one address and returns the form that is stored, compared and sent.

    Refuses what is not exactly one addr-spec: display names, comments, brackets, lists, quoted local parts,
    domain literals, ESMTP parameters. Special-use domains (`.test`, `.local`, `.invalid`) are accepted:
    internal services use them. A domain needs a dot. Raises InvalidAddress.
    """
    if len(text) > MAX_OCTETS:
        raise InvalidAddress(f"is longer than {MAX_OCTETS} octets")
    # "=?" is legal in a local part, but mail readers may take it for an encoded-word and show, or obey, what
    # it decodes to (security.md A2). An address cannot be encoded away, so it is refused.
    if "=?" in text:
        raise InvalidAddress('contains "=?", which mail readers take for encoded text')
    local, at, host = text.rpartition("@")
    if not at:
        raise InvalidAddress("is not a mail address: it has no @")
    if _PLAIN.fullmatch(text):
        address = f"{local}@{host.lower()}"
    else:
        address = f"{_local_part(local)}@{_domain_part(host)}"
        if len(address.encode()) > MAX_OCTETS:
            raise InvalidAddress(f"is longer than {MAX_OCTETS} octets")
    if len(local.encode()) > MAX_LOCAL_OCTETS:
        raise InvalidAddress(f"has more than {MAX_LOCAL_OCTETS} octets before the @")
    return address


def needs_smtputf8(address: str) -> bool:
    """Tells whether a parsed address can only be sent to servers that offer SMTPUTF8."""
    return not address.isascii()


def key(address: str) -> str:
    """The form that suppressions and codes compare: a parsed address without regard to case.

    Lower case, not case folding: folding maps letters onto others (ſ to s, ß to ss), and a code sent to one
    mailbox must never be valid for another.
    """
    if address.isascii():
        return address.lower()
    return unicodedata.normalize("NFC", address.lower())


def domain(address: str) -> str:
    """The domain of a parsed address, in lower case, as A-labels."""
    return address.rpartition("@")[2]


def _local_part(local: str) -> str:
    if _LOCAL.fullmatch(local):
        return local
    _ask_library(f"{local}@example.com")
    # Not the library's own normal form: that changes the case of `INFO@` and the like.
    return unicodedata.normalize("NFC", local)


def _domain_part(host: str) -> str:
    if _DOMAIN.fullmatch(host):
        return host.lower()
    return _ask_library(f"a@{host}").rpartition("@")[2]


def _ask_library(text: str) -> str:
    try:
        found = validate_email(text, check_deliverability=False, allow_smtputf8=True, test_environment=True)
    except (EmailNotValidError, UnicodeError) as error:
        raise InvalidAddress(f"is not a mail address: {error}") from None
    if found.display_name is not None or found.original != text:
        raise InvalidAddress("is not one bare mail address")
    return found.ascii_email or f"{found.local_part}@{found.ascii_domain}"
