"""What can be set of this dialect."""

from __future__ import annotations

import dataclasses
from zoneinfo import ZoneInfo


@dataclasses.dataclass(frozen=True, slots=True)
class AngusGmSettings:
    """`time_zone` is that of every date without an offset, in requests and answers alike.

    `default_language` is that of mail that asks for none; empty leaves it to the tenant. With `bare_numbers`
    numbers in answers are numbers, not strings.
    """

    time_zone: ZoneInfo = dataclasses.field(default_factory=lambda: ZoneInfo("Asia/Shanghai"))
    default_language: str = "zh_CN"
    bare_numbers: bool = False
