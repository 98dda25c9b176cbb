"""Tokens of unsubscribe links: what they say to us, to others, and after anything in them was changed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given
from hypothesis import strategies as st

from postroom_server.message.address import MAX_OCTETS
from postroom_server.store.sealing import DataKey
from postroom_server.store.unsubscribe_tokens import MOST_CHARACTERS, Subscriber, UnsubscribeTokens

KEY = DataKey.from_text("5a" * 32)
OTHER_KEY = DataKey.from_text("5b" * 32)
TOKENS = UnsubscribeTokens(KEY)
ANN = Subscriber(7, 42, "ann@example.com")
ADDRESSES = st.text(
    st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=MAX_OCTETS
).filter(lambda text: len(text.encode()) <= MAX_OCTETS)
SUBSCRIBERS = st.builds(
    Subscriber, tenant_id=st.integers(0, 2**63 - 1), email_id=st.integers(1, 2**63 - 1), address=ADDRESSES
)


def octets(token: str) -> bytes:
    return base64.urlsafe_b64decode(token)


def spelled(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).decode()


def opened(secret: bytes, token: str) -> tuple[bytes, bytes]:
    """The tag as it should be and the plain text: HKDF (RFC 5869), HMAC and counter mode written out."""
    pseudo_random = hmac.new(b"\0" * 32, secret, hashlib.sha256).digest()
    tag_key, box_key = (
        HKDFExpand(hashes.SHA256(), 32, purpose).derive(pseudo_random)
        for purpose in (b"unsubscribe-tags", b"unsubscribe-boxes")
    )
    sealed = octets(token)
    tag, box = sealed[4:20], sealed[20:-1]
    counters = ((int.from_bytes(tag) + number) % 2**128 for number in range(len(box) // 16))
    blocks = b"".join(counter.to_bytes(16) for counter in counters)
    stream = Cipher(algorithms.AES(box_key), modes.ECB()).encryptor().update(blocks)
    plain = bytes(a ^ b for a, b in zip(box, stream, strict=True))
    return hmac.new(tag_key, b"\x01" + plain, hashlib.sha256).digest()[:16], plain


@given(SUBSCRIBERS)
def test_a_token_says_to_us_what_was_put_in(subscriber: Subscriber) -> None:
    token = TOKENS.token(subscriber)
    assert TOKENS.read(token) == subscriber
    assert re.fullmatch(r"[A-Za-z0-9_-]+", token)
    assert len(token) <= MOST_CHARACTERS


@given(SUBSCRIBERS)
def test_a_token_is_an_hmac_and_what_it_is_of_encrypted(subscriber: Subscriber) -> None:
    token = TOKENS.token(subscriber)
    tag, plain = opened(KEY.secret, token)
    assert octets(token)[4:20] == tag
    fixed = subscriber.tenant_id.to_bytes(8) + subscriber.email_id.to_bytes(8)
    assert plain.rstrip(b"\0") == (fixed + subscriber.address.encode()).rstrip(b"\0")


def test_the_same_mail_has_the_same_token_in_every_process() -> None:
    # The bytes of a mail must be the same in each attempt, whoever makes it.
    again = UnsubscribeTokens(DataKey.from_text(KEY.secret.hex()))
    assert TOKENS.token(ANN) == again.token(ANN)
    assert again.read(TOKENS.token(ANN)) == ANN


@pytest.mark.parametrize(
    "other",
    [Subscriber(8, 42, ANN.address), Subscriber(7, 43, ANN.address), Subscriber(7, 42, "ann@example.con")],
)
def test_every_part_changes_all_of_a_token_that_is_not_fixed(other: Subscriber) -> None:
    one, two = octets(TOKENS.token(ANN)), octets(TOKENS.token(other))
    assert one[:4] == two[:4]
    assert sum(a == b for a, b in zip(one[4:-1], two[4:-1], strict=True)) < 8


def test_a_token_tells_neither_the_address_nor_its_length() -> None:
    tokens = [TOKENS.token(Subscriber(7, 42, "a" * n + "@example.com")) for n in range(1, 21)]
    assert {len(token) for token in tokens} == {92}
    assert not any(b"example" in octets(token) or b"aaa" in octets(token) for token in tokens)


def test_a_token_ends_with_a_letter_that_link_finders_do_not_drop() -> None:
    assert {TOKENS.token(Subscriber(7, n, ANN.address))[-1] for n in range(1, 200)} == {"B"}


def test_the_longest_address_has_the_longest_token() -> None:
    token = TOKENS.token(Subscriber(7, 42, "a" * (MAX_OCTETS - 12) + "@example.com"))
    assert len(token) == MOST_CHARACTERS
    assert TOKENS.read(token) is not None
    too_long = TOKENS.token(Subscriber(7, 42, "a" * (MAX_OCTETS + 50)))
    assert TOKENS.read(too_long) is None


@given(SUBSCRIBERS, st.data())
def test_a_token_with_a_flipped_bit_is_no_token(subscriber: Subscriber, data: st.DataObject) -> None:
    sealed = bytearray(octets(TOKENS.token(subscriber)))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    assert TOKENS.read(spelled(bytes(sealed))) is None


def test_every_single_bit_of_a_token_counts() -> None:
    sealed = octets(TOKENS.token(ANN))
    for bit in range(len(sealed) * 8):
        flipped = (int.from_bytes(sealed) ^ 1 << bit).to_bytes(len(sealed))
        assert TOKENS.read(spelled(flipped)) is None, bit


def test_every_single_character_of_a_token_counts() -> None:
    token = TOKENS.token(ANN)
    for place in range(len(token)):
        for character in "AZaz09-_ =+/%\n\0é字":
            changed = token[:place] + character + token[place + 1 :]
            assert (TOKENS.read(changed) == ANN) is (changed == token), (place, character)


@pytest.mark.parametrize(
    "change",
    [
        lambda token: "",
        lambda token: token[:-4],
        lambda token: token[4:],
        lambda token: token + "AAAA",
        lambda token: token + "=",
        lambda token: token + "\n",
        lambda token: " " + token,
        lambda token: token * 2,
        lambda token: token.swapcase(),
        lambda token: token * 5000,
        lambda token: octets(token)[:4].hex(),
        lambda token: spelled(octets(token)[:4]) + "A" * 24,
        lambda token: "preview",
    ],
)  # fmt: skip
def test_what_is_cut_or_longer_or_spelled_otherwise_is_no_token(change: object) -> None:
    assert callable(change)
    assert TOKENS.read(change(TOKENS.token(ANN))) is None


@given(st.text(max_size=500) | st.text("AZaz09-_", max_size=500))
def test_no_text_breaks_the_reading(text: str) -> None:
    assert TOKENS.read(text) is None


@given(st.binary(min_size=16, max_size=400))
def test_what_is_forged_under_the_right_key_id_is_no_token(forged: bytes) -> None:
    assert TOKENS.read(spelled(octets(TOKENS.token(ANN))[:4] + forged)) is None


def test_parts_of_two_tokens_do_not_make_a_third() -> None:
    one, two = octets(TOKENS.token(ANN)), octets(TOKENS.token(Subscriber(8, 42, ANN.address)))
    assert TOKENS.read(spelled(one[:20] + two[20:])) is None
    assert TOKENS.read(spelled(two[:20] + one[20:])) is None


def test_another_deployments_token_is_no_token() -> None:
    token = UnsubscribeTokens(OTHER_KEY).token(ANN)
    assert TOKENS.read(token) is None
    claimed = octets(TOKENS.token(ANN))[:4] + octets(token)[4:]
    assert TOKENS.read(spelled(claimed)) is None


def test_a_key_that_was_rotated_out_still_opens_its_links_while_it_is_kept() -> None:
    old = TOKENS.token(ANN)
    rotated = UnsubscribeTokens(OTHER_KEY, kept=[KEY])
    assert rotated.read(old) == ANN
    assert rotated.read(rotated.token(ANN)) == ANN
    assert rotated.token(ANN) == UnsubscribeTokens(OTHER_KEY).token(ANN) != old
    assert UnsubscribeTokens(OTHER_KEY).read(old) is None
