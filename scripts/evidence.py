#!/usr/bin/env python3
"""The layout of docs/evidence/*.json: a list or an object is on one line if it fits into 160 columns.

    scripts/evidence.py FILE...    rewrites these files in that layout; their content stays the same
"""

import json
import sys
from pathlib import Path

COLUMNS = 160


def layout(value, depth, used):
    """Formats a value as JSON, for a line that has `depth` spaces of indentation and `used` columns before the value."""
    line = json.dumps(value, ensure_ascii=False)
    # One column for the comma that may follow.
    if used + len(line) < COLUMNS or not value or not isinstance(value, (dict, list)):
        return line
    inside = " " * (depth + 1)
    if isinstance(value, list):
        parts = [layout(item, depth + 1, depth + 1) for item in value]
        brackets = "[]"
    else:
        keys = {key: json.dumps(key, ensure_ascii=False) + ": " for key in value}
        parts = [keys[key] + layout(item, depth + 1, depth + 1 + len(keys[key])) for key, item in value.items()]
        brackets = "{}"
    lines = "\n".join(f"{inside}{part}," for part in parts).removesuffix(",")
    return f"{brackets[0]}\n{lines}\n{' ' * depth}{brackets[1]}"


def packed(document):
    """Formats a document as the text of its file. The outermost object is always broken into lines."""
    parts = (f" {json.dumps(key)}: {layout(value, 1, len(json.dumps(key)) + 3)}" for key, value in document.items())
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main():
    for path in map(Path, sys.argv[1:]):
        document = json.loads(path.read_text())
        text = packed(document)
        assert json.loads(text) == document, path
        path.write_text(text)


if __name__ == "__main__":
    main()
