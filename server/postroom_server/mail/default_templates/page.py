"""The HTML of a default template: a content file's blocks in the frame that all of them share.

Slots of frame.html and blocks.html are `$name`, filled in here; `%name%` is left for the values of mails.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from string import Template
from typing import Any

_FILES = files(__package__)
_BLOCK = re.compile(r"<!-- block: (\w+) -->\n")
# Blocks that are made of labelled parts, and the block that one part is.
_PARTS = {"facts": "fact", "figures": "figure"}


class Pages:
    """The frame and the blocks, read once."""

    def __init__(self) -> None:
        shared = tomllib.loads(_FILES.joinpath("frame.toml").read_text(encoding="utf-8"))
        self.defaults: Mapping[str, str] = shared["defaults"]
        self._footers: Mapping[str, str] = shared["footers"]
        self._tones: Mapping[str, str] = shared["tones"]
        self._fonts: str = shared["fonts"]
        self._frame = Template(_FILES.joinpath("frame.html").read_text(encoding="utf-8"))
        _, *pieces = _BLOCK.split(_FILES.joinpath("blocks.html").read_text(encoding="utf-8"))
        self._blocks = {
            name: Template(block.strip()) for name, block in zip(pieces[::2], pieces[1::2], strict=True)
        }

    def page(self, language: str, tone: str, texts: Mapping[str, Any]) -> str:
        """A whole page. Every text is HTML already."""
        return self._frame.substitute(
            language=language,
            tone=tone,
            colour=self._tones[tone],
            fonts=self._fonts,
            topic=texts["topic"],
            title=texts["title"],
            preheader=texts["preheader"],
            body="\n".join(
                self._written(name, said) for block in texts["body"] for name, said in block.items()
            ),
            footer=self._footers[language],
        )

    def _written(self, name: str, said: str | Mapping[str, str]) -> str:
        if isinstance(said, str):
            return self._blocks[name].substitute(content=said, fonts=self._fonts)
        part = self._blocks[_PARTS[name]]
        parts = [
            part.substitute(label=label, content=content, fonts=self._fonts)
            for label, content in said.items()
        ]
        return self._blocks[name].substitute(content="\n".join(parts))
