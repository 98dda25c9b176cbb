"""Whatever a draft holds: it is checked, or told by field."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fakes import NOON
from postroom_server.mail.checks import check
from postroom_server.mail.draft import CopyMode, CustomBody, Draft, File, TemplateBody
from postroom_server.mail.limits import Limits

LIMITS = Limits()
_ANY = st.text(max_size=12) | st.sampled_from(["ann@example.com", "a@b.c", "X-A", "welcome", "SIGNUP", "en"])
_FINITE_OR_NOT = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_PARAMS = st.dictionaries(_ANY, _FINITE_OR_NOT, max_size=4)
_BODIES = (
    st.none()
    | st.builds(CustomBody, html=_ANY, text=_ANY)
    | st.builds(
        TemplateBody,
        invoke_name=_ANY,
        params=_PARAMS,
        recipient_params=st.dictionaries(_ANY, _PARAMS, max_size=3),
    )
)
_TIMES = st.none() | st.integers(-(2**63), 2**63)
_SEVERAL = st.lists(_ANY, max_size=4).map(tuple)


@given(
    st.builds(
        Draft,
        body=_BODIES,
        to=_SEVERAL,
        cc=_SEVERAL,
        bcc=_SEVERAL,
        reply_to=_SEVERAL,
        request_id=_ANY,
        out_id=_ANY,
        biz_key=_ANY,
        language=_ANY,
        subject=_ANY,
        from_address=_ANY,
        from_name=_ANY,
        files=st.lists(
            st.builds(
                File, name=_ANY, content_type=_ANY, content_id=_ANY, content=st.none() | st.binary(max_size=3)
            ),
            max_size=3,
        ).map(tuple),
        schedule_time=_TIMES,
        expire_time=_TIMES,
        copy_mode=st.sampled_from(CopyMode),
        labels=st.dictionaries(_ANY, _ANY, max_size=3),
        headers=st.dictionaries(_ANY, _ANY, max_size=3),
    )
)
def test_whatever_comes_is_checked_or_told_by_field(made: Draft) -> None:
    result, found = check(made, LIMITS, NOON)
    assert (result is None) is bool(found)
    assert all(violation.field and violation.description for violation in found)
