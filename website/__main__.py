"""`python -m website [FOLDER]`: build the documentation, check its links, say where it is."""

from __future__ import annotations

import sys
from pathlib import Path

from website.building import ROOT, build
from website.links import faults


def main() -> int:
    """Exit code 1 where a link leads nowhere, or a page asks another host for something."""
    folder = Path(sys.argv[1]) if sys.argv[1:] else ROOT / "out" / "docs"
    site = build(folder)
    found = faults(site)
    for fault in found:
        print(fault, file=sys.stderr)
    pages = len(list(site.rglob("*.html")))
    print(f"{pages} pages, {len(found)} faults: {site / 'index.html'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
