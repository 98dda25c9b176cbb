"""Remembered calls in their tables: written as mail is accepted, read by the guard, forgotten in time."""

from __future__ import annotations

import collections
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import peewee

from postroom_server.clock import DAY, Millis
from postroom_server.mail.broken_call import RememberedCall, RememberedCaller
from postroom_server.mail.call_shape import CallShape, key_text
from postroom_server.mail.template_usage import MOST_LABELS, Labels, Noticed
from postroom_server.store.models import TemplateCall, TemplateCaller, TemplateVersion
from postroom_server.store.statement import Statement, as_list, bind, insert, one_of

MOST_SHAPES = 200  # of one template that are compared: the latest of each token, by turns
MOST_CALLERS = 20  # of one shape that are told, the latest
_AT_ONCE = 500

_TEMPLATES = Statement(
    lambda: TemplateVersion.select(TemplateVersion.id, TemplateVersion.template_id).where(
        one_of(TemplateVersion.id, "ids")
    )
)
# Each leaves its row locked until the commit: what is read after it stays true.
_CALL = insert(
    TemplateCall,
    suffix='ON CONFLICT ("template_id", "digest") DO UPDATE SET "seen_time" = EXCLUDED."seen_time"',
)
_CALLER = insert(
    TemplateCaller,
    suffix='ON CONFLICT ("template_id", "digest", "token_id") '
    'DO UPDATE SET "seen_time" = EXCLUDED."seen_time", "name" = EXCLUDED."name"',
)
_LABELS = Statement(
    lambda: TemplateCaller.select(TemplateCaller.labels).where(
        (TemplateCaller.template_id == bind("template_id"))
        & (TemplateCaller.digest == bind("digest"))
        & (TemplateCaller.token_id == bind("token_id"))
    )
)
_RELABEL = Statement(
    lambda: TemplateCaller.update(labels=bind("labels")).where(
        (TemplateCaller.template_id == bind("template_id"))
        & (TemplateCaller.digest == bind("digest"))
        & (TemplateCaller.token_id == bind("token_id"))
    )
)


def store(noticed: Sequence[Noticed]) -> None:
    """Stores what is new in the unit that accepts it. Two processes that store the same do no harm."""
    if not noticed:
        return
    ids = {one.version_id for one in noticed}
    templates: dict[int, int] = dict(_TEMPLATES.rows(ids=as_list(ids)))
    calls: dict[tuple[int, str], Noticed] = {}
    callers: dict[tuple[int, str, int], tuple[Noticed, dict[Labels, None]]] = {}
    for one in noticed:
        place = (templates[one.version_id], one.digest)
        calls.setdefault(place, one)
        labels = callers.setdefault((*place, one.token_id), (one, {}))[1]
        if one.labels:
            labels[tuple(sorted(one.labels))] = None
    # In one order, so that two units wait for each other instead of dead-locking.
    _CALL.many(
        [
            (
                *place,
                one.language,
                one.circumstances,
                key_text(one.shape),
                one.shape.partial,
                one.time,
            )
            for place, one in sorted(calls.items(), key=lambda item: item[0])
        ]
    )
    for who, (one, found) in sorted(callers.items(), key=lambda item: item[0]):
        _store_caller(who, one, list(found)[:MOST_LABELS])


def _store_caller(who: tuple[int, str, int], one: Noticed, found: list[Labels]) -> None:
    _CALLER.many([(*who, one.tenant_id, one.name, _as_json(found), one.time)])
    place = dict(zip(("template_id", "digest", "token_id"), who, strict=True))
    kept = [tuple(sorted(each.items())) for each in json.loads(_LABELS.rows(**place)[0][0])]
    merged = list(dict.fromkeys([*kept, *found]))[:MOST_LABELS]
    if merged != kept:
        _RELABEL.execute(labels=_as_json(merged), **place)


def find_calls(template_id: int, since: Millis) -> list[RememberedCall]:
    """Calls of a template since that day began, at most MOST_SHAPES: the latest of each token come first."""
    rows = _by_turns(template_id, _day_of(since)).limit(MOST_SHAPES)
    return [
        RememberedCall(
            row.digest, row.language, row.circumstances, CallShape(json.loads(row.shape), bool(row.partial))
        )
        for row in rows
    ]


def _by_turns(template_id: int, since: Millis) -> Any:
    """The latest shape of each token, then the second of each, and so on: nobody's noise displaces others."""
    of_this = (TemplateCaller.template_id == template_id) & (TemplateCaller.seen_time >= since)
    place = peewee.fn.ROW_NUMBER().over(
        partition_by=[TemplateCaller.token_id],
        order_by=[TemplateCaller.seen_time.desc(), TemplateCaller.digest],
    )
    placed = TemplateCaller.select(TemplateCaller.digest, place.alias("place")).where(of_this)
    turns = peewee.Select(
        [placed], [placed.c.digest.alias("digest"), peewee.fn.MIN(placed.c.place).alias("turn")]
    ).group_by(placed.c.digest)
    return (
        TemplateCall.select()
        .join(turns, on=(turns.c.digest == TemplateCall.digest))
        .where((TemplateCall.template_id == template_id) & (TemplateCall.seen_time >= since))
        .order_by(turns.c.turn, TemplateCall.seen_time.desc(), TemplateCall.digest)
    )


def find_callers(
    template_id: int, digests: Collection[str], since: Millis
) -> dict[str, list[RememberedCaller]]:
    """Who made these kinds of calls, at most MOST_CALLERS of each, the latest first."""
    found: dict[str, list[RememberedCaller]] = {digest: [] for digest in digests}
    rows = (
        TemplateCaller.select()
        .where(
            (TemplateCaller.template_id == template_id)
            & TemplateCaller.digest.in_(list(digests))
            & (TemplateCaller.seen_time >= _day_of(since))
        )
        .order_by(TemplateCaller.seen_time.desc(), TemplateCaller.token_id)
    )
    for row in rows:
        if len(found[row.digest]) < MOST_CALLERS:
            found[row.digest].append(RememberedCaller(row.name, _pairs(json.loads(row.labels))))
    return found


def forget_template(template_id: int) -> None:
    """Forgets what a template was called with; part of the unit that deletes it."""
    TemplateCaller.delete().where(TemplateCaller.template_id == template_id).execute()
    TemplateCall.delete().where(TemplateCall.template_id == template_id).execute()


def forget_calls(before: Millis) -> int:
    """Forgets up to 500 kinds of calls and 500 callers last seen before that day. A unit of work."""
    day = _day_of(before)
    return max(_forget(model, names, model.seen_time < day) for model, names in _KEYS.items())


def crowded_templates() -> list[int]:
    """The templates of which more is stored than is ever compared or told. A unit that only reads."""
    calls = TemplateCall.select(TemplateCall.template_id).group_by(TemplateCall.template_id)
    callers = TemplateCaller.select(TemplateCaller.template_id).group_by(
        TemplateCaller.template_id, TemplateCaller.digest
    )
    count = peewee.fn.COUNT(peewee.SQL("*"))
    return sorted(
        {
            *(row.template_id for row in calls.having(count > MOST_SHAPES)),
            *(row.template_id for row in callers.having(count > MOST_CALLERS)),
        }
    )


def trim_calls(template_id: int) -> None:
    """Forgets the oldest of what is too much of one template. A unit of work."""
    of_this = TemplateCall.template_id == template_id
    kept = [row.digest for row in _by_turns(template_id, 0).limit(MOST_SHAPES)]
    TemplateCall.delete().where(of_this & TemplateCall.digest.not_in(kept)).execute()
    of_this = TemplateCaller.template_id == template_id
    left = TemplateCall.select(TemplateCall.digest).where(TemplateCall.template_id == template_id)
    TemplateCaller.delete().where(of_this & TemplateCaller.digest.not_in(left)).execute()
    place = peewee.fn.ROW_NUMBER().over(
        partition_by=[TemplateCaller.digest],
        order_by=[TemplateCaller.seen_time.desc(), TemplateCaller.token_id],
    )
    ranked = TemplateCaller.select(
        TemplateCaller.digest, TemplateCaller.token_id, place.alias("place")
    ).where(of_this)
    beyond = peewee.Select([ranked], [ranked.c.digest, ranked.c.token_id]).where(
        ranked.c.place > MOST_CALLERS
    )
    who = peewee.Tuple(TemplateCaller.digest, TemplateCaller.token_id)
    TemplateCaller.delete().where(of_this & who.in_(beyond)).execute()


_KEYS: Mapping[Any, tuple[str, ...]] = {
    TemplateCaller: ("template_id", "digest", "token_id"),
    TemplateCall: ("template_id", "digest"),
}


def _forget(model: Any, names: Sequence[str], is_old: peewee.Expression) -> int:
    key = [getattr(model, name) for name in names]
    old = model.select(*key).where(is_old).limit(_AT_ONCE)
    # Asked twice: another process may have seen it in between.
    return int(model.delete().where(peewee.Tuple(*key).in_(old) & is_old).execute())


def _day_of(time: Millis) -> Millis:
    return time // DAY * DAY


def _as_json(sets: Iterable[Labels]) -> str:
    return json.dumps([dict(labels) for labels in sets], ensure_ascii=False, separators=(",", ":"))


def _pairs(sets: Sequence[dict[str, str]]) -> tuple[str, ...]:
    counted = collections.Counter(f"{name}={value}" for labels in sets for name, value in labels.items())
    return tuple(pair for pair, _ in counted.most_common())
