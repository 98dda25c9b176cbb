"""Codes are derived: six digits out of a seed and the deployment's key (security.md D1, D4, D5)."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import struct

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given
from hypothesis import strategies as st

from postroom_server.store.codes import DIGITS, NONCE_BYTES, CodeMaker, CodeSeed, fresh_nonce
from postroom_server.store.sealing import DataKey

KEY = DataKey.from_text("5a" * 32)
OTHER_KEY = DataKey.from_text("5b" * 32)
SEED = CodeSeed(7, "SIGNIN", "ann@example.com", bytes(range(16)), 42)
SEEDS = st.builds(
    CodeSeed,
    tenant_id=st.integers(0, 2**63 - 1),
    biz_key=st.text(max_size=64),
    address_key=st.text(max_size=254),
    nonce=st.binary(min_size=NONCE_BYTES, max_size=NONCE_BYTES),
    email_id=st.integers(1, 2**63 - 1),
)


def oracle(secret: bytes, seed: CodeSeed) -> str:
    """RFC 5869 with an empty salt, then RFC 4226 §5.3 with SHA-256, both written out from the documents."""
    pseudo_random = hmac.new(b"\0" * 32, secret, hashlib.sha256).digest()
    key = HKDFExpand(hashes.SHA256(), 32, b"verification-codes").derive(pseudo_random)
    message = b""
    for part in (b"%d" % seed.tenant_id, seed.biz_key.encode(), seed.address_key.encode(), seed.nonce,
                 b"%d" % seed.email_id):  # fmt: skip
        message += struct.pack(">I", len(part)) + part
    mac = hmac.new(key, message, hashlib.sha256).digest()
    offset = mac[31] % 16
    snum = (
        (mac[offset] & 0x7F) << 24 | mac[offset + 1] << 16 | mac[offset + 2] << 8 | mac[offset + 3]
    )  # fmt: skip
    return str(snum % 10**6).rjust(6, "0")


@given(SEEDS, st.binary(min_size=32, max_size=32))
def test_d4_a_code_is_the_truncated_hmac_of_its_seed(seed: CodeSeed, secret: bytes) -> None:
    assert CodeMaker(DataKey("id", secret)).code(seed) == oracle(secret, seed)


@given(SEEDS)
def test_d1_a_code_is_always_six_ascii_digits(seed: CodeSeed) -> None:
    code = CodeMaker(KEY).code(seed)
    assert len(code) == DIGITS
    assert set(code) <= set("0123456789")


def test_d4_the_code_of_one_seed_never_changes() -> None:
    # Mail that is under way while the server is replaced must carry the code that is checked later.
    assert CodeMaker(KEY).code(SEED) == oracle(KEY.secret, SEED) == CodeMaker(KEY).code(SEED)


@pytest.mark.parametrize(
    "change",
    [
        {"tenant_id": 8},
        {"biz_key": "SIGNUP"},
        {"address_key": "bob@example.com"},
        {"address_key": "ann@example.con"},
        {"nonce": bytes(16)},
        {"email_id": 43},
    ],
    ids=str,
)
def test_d5_another_tenant_purpose_address_nonce_or_email_gives_another_code(
    change: dict[str, object],
) -> None:
    maker = CodeMaker(KEY)
    # One pair could be equal by chance; of these twenty no more than a few could.
    same = [
        maker.code(seed) == maker.code(seed._replace(**change))
        for seed in (SEED._replace(nonce=bytes([n]) * 15 + b"x") for n in range(20))
    ]
    assert sum(same) <= ("nonce" in change)


def test_d4_another_key_gives_other_codes() -> None:
    seeds = [SEED._replace(email_id=n) for n in range(1, 51)]
    mine, theirs = CodeMaker(KEY), CodeMaker(OTHER_KEY)
    assert sum(mine.code(seed) == theirs.code(seed) for seed in seeds) <= 1
    assert mine.key_id == KEY.key_id != theirs.key_id


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (SEED._replace(tenant_id=1, biz_key="2A"), SEED._replace(tenant_id=12, biz_key="A")),
        (SEED._replace(biz_key="A", address_key="Bc@x.y"), SEED._replace(biz_key="AB", address_key="c@x.y")),
        (SEED._replace(biz_key="", address_key="SIGNIN"), SEED._replace(biz_key="SIGNIN", address_key="")),
        (
            SEED._replace(nonce=b"0123456789abcde1", email_id=2),
            SEED._replace(nonce=b"0123456789abcde", email_id=12),
        ),
    ],
)
def test_d4_parts_of_a_seed_never_run_together(one: CodeSeed, other: CodeSeed) -> None:
    def joined(seed: CodeSeed) -> bytes:
        parts = (str(seed.tenant_id), seed.biz_key, seed.address_key, seed.nonce, str(seed.email_id))
        return b"".join(part if isinstance(part, bytes) else part.encode() for part in parts)

    assert joined(one) == joined(other)  # only the lengths tell them apart
    makers = [CodeMaker(DataKey("id", bytes([n]) * 32)) for n in range(20)]
    assert sum(maker.code(one) == maker.code(other) for maker in makers) <= 1


def test_d1_codes_are_spread_evenly() -> None:
    maker = CodeMaker(KEY)
    codes = [maker.code(SEED._replace(email_id=n)) for n in range(1, 20_001)]
    for place in range(DIGITS):
        counts = [sum(code[place] == digit for code in codes) for digit in "0123456789"]
        # Expected 2000 with a deviation of 42; five of them either way.
        assert min(counts) > 1785
        assert max(counts) < 2215


def test_d1_nonces_come_from_the_system_and_never_repeat() -> None:
    nonces = {fresh_nonce() for _ in range(1000)}
    assert len(nonces) == 1000
    assert {len(nonce) for nonce in nonces} == {NONCE_BYTES}


def test_d4_the_key_shows_in_no_text() -> None:
    assert KEY.secret.hex() not in repr(KEY)
    assert repr(KEY.secret) not in repr(dataclasses.replace(KEY))
    assert "secret" not in repr(CodeMaker(KEY))
