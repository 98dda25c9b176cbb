"""How much a LIQUID template may be, and may do. Counted, never timed: it ends the same everywhere."""

from __future__ import annotations

MAX_TAGS = 4096  # `{{ … }}` and `{% … %}` of one part
MAX_TAG_CHARACTERS = 1000
MAX_TAG_WHITE_SPACE = 64  # in a row: python-liquid's patterns look at each of them many times
MAX_TAG_BRACKETS = 32  # each is a level of recursion for the parser
MAX_TAG_CONDITIONS = 64  # `and`, `or` and comparisons; the parser recurses for each
MAX_NESTING = 20  # blocks in blocks
MAX_LOOP = 10_000  # iterations of one rendering, all loops together
MAX_WORK = 100_000  # steps of one rendering: a tag, a filter or an item is one, long values are more
MAX_TEXT = 256 * 1024  # characters of one value on its way through filters
MAX_LIST = 10_000  # items of one value
MAX_LOCALS = 1024 * 1024  # characters of all that was assigned or captured
MAX_INTEGER_BITS = 256
MAX_PATH_CHARACTERS = 255
MAX_PATH_DEPTH = 16
MAX_VALUE_DEPTH = 32  # of lists and objects in a parameter
