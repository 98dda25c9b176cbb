"""What a mail reader makes of the header values of a finished mail (security.md A2).

The other direction of header.py and encoded_word.py, and deliberately none of their code: a mistake there is
not repeated here. Strict: what readers may take in different ways has no reading, which is None.
"""

from __future__ import annotations

import binascii
import functools
import re

# Charset and encodings in the spelling that Postroom writes; others are not read.
ENCODED_WORD = re.compile(r"=\?utf-8\?([bq])\?([!->@-~]*)\?=")
_Q_PAYLOAD = re.compile(r"(?:[!-<>-~]|=[0-9A-Fa-f]{2})*")
_FOLD = re.compile(r"\r\n(?=[ \t])")
_SPACED = re.compile(r"([ \t]*)([^ \t]*)")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:[ \t]+[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_QUOTED_PAIR = re.compile(r"\\(.)")

_ADDRESS = r'[^\s\x00-\x20\x7f-\xa0()<>\[\]:;@\\,"]+@[A-Za-z0-9.-]+'
_ONE_ADDRESS = re.compile(_ADDRESS)
_ADDRESSES = re.compile(rf"{_ADDRESS}(?:,[ \t]*{_ADDRESS})*")
_COMMA = re.compile(r",[ \t]*")
_NOBODY = "undisclosed-recipients:;"


def unfold(head: str) -> str:
    """Joins continued lines (RFC 5322 §2.2.3): the line ends go, the white space after them stays."""
    return _FOLD.sub("", head)


def read_text(value: str) -> str | None:
    """Free text: encoded-words decoded, the white space between two of them dropped (RFC 2047 §6.2).

    None when "=?" stands in anything but a whole word: some readers decode there, and some do not.
    """
    if "=?" not in value:
        return value
    read: list[str] = []
    after_encoded = False
    for space, word in _SPACED.findall(value):
        encoded = "=?" in word
        if not (encoded and after_encoded):
            read.append(space)
        text = _read_whole_word(word) if encoded else word
        if text is None:
            return None
        read.append(text)
        after_encoded = encoded
    return "".join(read)


def read_word(encoding: str, payload: str) -> str | None:
    """The text of one encoded-word. Each stands for whole characters (RFC 2047 §5)."""
    try:
        if encoding == "b":
            return binascii.a2b_base64(payload, strict_mode=True).decode()
        if _Q_PAYLOAD.fullmatch(payload):
            return binascii.a2b_qp(payload, header=True).decode()
    except ValueError:  # binascii.Error and UnicodeDecodeError
        pass
    return None


@functools.lru_cache(maxsize=256)  # senders come again
def read_mailbox(value: str) -> tuple[str, str] | None:
    """The display name, which may be empty, and the address of a header that has one of each."""
    if not value.endswith(">"):
        return ("", value) if _is_address(value) else None
    phrase, _, address = value[:-1].rpartition("<")
    name = _read_phrase(phrase.rstrip(" \t"))
    return (name, address) if name is not None and _is_address(address) else None


def read_addresses(value: str) -> tuple[str, ...] | None:
    """The addresses of a header of bare addresses, in order; none for the group of hidden recipients."""
    if value == _NOBODY:
        return ()
    if "=?" in value or not _ADDRESSES.fullmatch(value):
        return None
    return tuple(_COMMA.split(value)) if "," in value else (value,)


def _read_whole_word(word: str) -> str | None:
    found = ENCODED_WORD.fullmatch(word)
    return read_word(found[1], found[2]) if found else None


def _read_phrase(phrase: str) -> str | None:
    if not phrase:
        return ""
    # An encoded-word in a phrase is made of the characters of atoms (RFC 2047 §5 (3)).
    if _ATOMS.fullmatch(phrase):
        return read_text(phrase)
    quoted = _QUOTED.fullmatch(phrase)
    name = _QUOTED_PAIR.sub(r"\1", quoted[1]) if quoted else None
    # No encoded-words in quotes, says RFC 2047 §5, and yet many readers decode them.
    return None if name is None or "=?" in name else name


def _is_address(value: str) -> bool:
    return "=?" not in value and _ONE_ADDRESS.fullmatch(value) is not None
