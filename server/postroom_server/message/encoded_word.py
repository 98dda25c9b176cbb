"""Header text that is not plain ASCII, as encoded-words (RFC 2047), and display names (RFC 5322 §3.2.5).

Text is encoded whole: spaces inside survive exactly, and text that merely looks like an encoded-word (`=?`)
is encoded too, so that no reader decodes what the caller wrote (security.md A2).
"""

from __future__ import annotations

import binascii
import functools
import re

# RFC 2047 §2: a word is at most 75 long, a line that holds one at most 76.
_MAX_LINE = 76
_WRAPPING = len("=?utf-8?q?") + len("?=")
_MAX_PAYLOAD = 75 - _WRAPPING

# RFC 2047 §5 (3): what may stand in the Q encoding anywhere, in a phrase too.
_Q_SAFE = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/"
_Q = {ord(" "): "_"} | {
    code: chr(code) if code in _Q_SAFE else f"={code:02X}" for code in range(256) if code != 32
}

_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_WORDS = re.compile(r"[!-~]+(?: [!-~]+)*")
_MAX_QUOTED = 60


@functools.lru_cache(maxsize=1024)
def phrase(name: str, used: int) -> str:
    """A display name as it stands before `<address>`; `used` columns of its line are taken.

    Bare when it is made of atoms, quoted when it is other ASCII, else encoded-words joined by folds.
    """
    if len(name) <= _MAX_QUOTED and "=?" not in name:
        if _ATOMS.fullmatch(name):
            return name
        if _WORDS.fullmatch(name):
            return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return encode(name, used)


def encode(text: str, used: int) -> str:
    """`text` as encoded-words joined by folds; `used` columns of the first line are taken.

    Words end between characters, never inside one (RFC 2047 §5). The shorter of Q and B is used for all of
    them.
    """
    octets = text.encode()
    q_length = len(octets) + 2 * len(octets.translate(None, _Q_SAFE + b" "))
    b_length = (len(octets) + 2) // 3 * 4
    words = _q_words(text, used) if q_length <= b_length else _b_words(octets, used)
    return "\r\n ".join(words)


def _room(used: int) -> int:
    return max(12, min(_MAX_PAYLOAD, _MAX_LINE - used - _WRAPPING))


def _b_words(octets: bytes, used: int) -> list[str]:
    words: list[str] = []
    start = 0
    while start < len(octets):
        end = start + _room(used) // 4 * 3
        while end < len(octets) and octets[end] & 0xC0 == 0x80:
            end -= 1
        payload = binascii.b2a_base64(octets[start:end], newline=False).decode("ascii")
        words.append(f"=?utf-8?b?{payload}?=")
        start, used = end, 1
    return words


def _q_words(text: str, used: int) -> list[str]:
    words: list[str] = []
    payload: list[str] = []
    left = _room(used)
    for character in text:
        encoded = "".join([_Q[octet] for octet in character.encode()])
        if len(encoded) > left:
            words.append(f"=?utf-8?q?{''.join(payload)}?=")
            payload = []
            left = _room(1)
        payload.append(encoded)
        left -= len(encoded)
    words.append(f"=?utf-8?q?{''.join(payload)}?=")
    return words
