"""How SMTP transactions may end, for as many recipients as a delivery has open."""

from __future__ import annotations

from hypothesis import strategies as st

from postroom_server.smtp import Level, Phase, Reply, Transaction

YES = Reply(250, "2.0.0", "ok")
NO = st.sampled_from(
    [Reply(550, "5.7.1", "no"), Reply(450, "4.2.0", "not now"), Reply(452, "4.5.3", "enough")]
)
EARLY = st.sampled_from([Phase.CONNECT, Phase.BANNER, Phase.EHLO, Phase.MAIL, Phase.RCPT, Phase.BODY])
KINDS = ("ambiguous", "taken", "refused", "lost", "ambiguous", "taken", "stopped", "never begun")


@st.composite
def transactions(draw: st.DrawFn, count: int) -> Transaction:
    """One transaction of `count` recipients, however it ends."""
    replies = tuple(draw(st.one_of(st.just(YES), st.just(YES), NO)) for _ in range(count))
    anybody = any(reply.is_positive for reply in replies)
    kind = draw(st.sampled_from(KINDS))
    nobody = (None,) * count
    match kind:
        case "taken" | "ambiguous" | "refused" if not anybody:
            return Transaction(Phase.RCPT, Level.RECIPIENT, replies)
        case "taken":
            everybody = all(reply.is_positive for reply in replies)
            level = Level.NONE if everybody else Level.RECIPIENT
            return Transaction(Phase.DOT, level, replies, YES, started=True)
        case "ambiguous":
            return Transaction(Phase.DOT, Level.AMBIGUOUS, replies, error="line lost", started=True)
        case "refused":
            code = draw(st.sampled_from([Reply(451, "4.3.0", "later"), Reply(554, "5.6.0", "never")]))
            return Transaction(Phase.DOT, Level.MESSAGE, replies, code, started=True)
        case "lost":
            return Transaction(draw(EARLY), Level.CONNECTION, nobody, error="line lost")
        case "stopped":
            return Transaction(Phase.BODY, Level.LOCAL, nobody, error="stopped before the dot")
        case _:
            return Transaction(Phase.MAIL, Level.MESSAGE, nobody, draw(NO))


def copies(transaction: Transaction) -> list[bool]:
    """For each recipient, whether they may have a copy now."""
    if transaction.phase is not Phase.DOT or not (transaction.ambiguous or any(transaction.accepted)):
        return [False] * len(transaction.replies)
    return [reply is not None and reply.is_positive for reply in transaction.replies]
