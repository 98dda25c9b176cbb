"""Compiles a template in its syntax. python-liquid is loaded with the first LIQUID template, not before."""

from __future__ import annotations

from collections.abc import Iterable

from postroom_server.message.percent_template import PercentTemplate
from postroom_server.message.template import CompiledTemplate, Content, Variable


def compile_template(content: Content, declared: Iterable[Variable], syntax: str) -> CompiledTemplate:
    """One language variant, ready to render. `syntax` is PERCENT or LIQUID. Raises BadTemplate."""
    if syntax != "LIQUID":
        return PercentTemplate(content, declared)
    # Memory and time that a server without such templates is spared.
    from postroom_server.message.liquid.template import LiquidTemplate

    return LiquidTemplate(content, declared)
