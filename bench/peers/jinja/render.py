"""Jinja2's sandbox with a compiled template and autoescape: how long so many renderings take.

    python render.py

The first line of JSON brings subject, html, text and params; each later one says how often to render them.
"""

from __future__ import annotations

import json
import sys
import time

import jinja2
from jinja2.sandbox import SandboxedEnvironment


def main() -> None:
    print(json.dumps({"version": jinja2.__version__}), flush=True)
    given = json.loads(sys.stdin.readline())
    plain = SandboxedEnvironment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    page = SandboxedEnvironment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=True)
    templates = [
        environment.from_string(given[part])
        for environment, part in ((plain, "subject"), (page, "html"), (plain, "text"))
    ]
    params = given["params"]
    print(json.dumps([template.render(params) for template in templates]), flush=True)
    for line in sys.stdin:
        times = json.loads(line)["times"]
        began = time.perf_counter()
        for _ in range(times):
            for template in templates:
                template.render(params)
        print(json.dumps(time.perf_counter() - began), flush=True)


if __name__ == "__main__":
    main()
