"""What a page prints and what it says, made comparable: ids, times, hashes, sizes and secrets differ each time."""

from __future__ import annotations

import re

#: What differs from run to run -> what stands for it.
VARIES = [
    (r"(?m)(?:^|(?<=follows ))[0-9a-hj-km-np-tv-z]{10}(?= of |  | follows )", "NUMBER"),
    (r"(?m)^revoked: .*$", "revoked: NUMBERS"),
    (r"\blk_[0-9A-Za-z]+_[0-9A-Za-z_-]+", "KEY"),
    (r"\b0[0-9a-hj-kmnp-tv-z]{12}\b", "ID"),
    (r"\b[0-9a-hjkmnp-tv-z]{10}\b", "KEYID"),  # and words of ten such letters, on both sides
    (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z?", "TIME"),
    (r"\d{4}-\d\d-\d\d", "DAY"),
    (r"\d\d:\d\d:\d\d\.\d{3}", "HOUR"),
    (r"\b[0-9.]+ (ms|s|min)\b", "SPAN"),
    (r"(_us\"?: ?)\d+", r"\1US"),
    (r"\b\d{1,3}-[0-9a-f]{12}\b", "POLICY"),
    (r"@[0-9a-f]{16}", "@VERSION"),
    (r"\b[0-9a-f]{64}\b", "HASH"),
    (r"[\d,]+ (bytes|commits|facts)", r"N \1"),
    (r" *\n", "\n"),
    (r" {2,}", "  "),
]
#: Lessons are written every second: whether one is there already is no matter of these pages.
LEARNED = re.compile(r"^.* learned: .*\n", re.MULTILINE)


def alike(text: str) -> str:
    text = LEARNED.sub("", text)
    for pattern, name in VARIES:
        text = re.sub(pattern, name, text)
    return text
