"""An address with names in it that are filled in at each call: in its path and query, so that none leads elsewhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from .guard import PORTS

_NAME = re.compile(r"\{([A-Za-z_]\w*)\}")


class Template:
    """The address of a call.

    Raises:
        ValueError: it is no address of a web server, or a name stands where it would choose the server.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in PORTS:
            raise ValueError(f"{url!r} is no address of a web server: it begins with http:// or https://")
        if not parts.hostname or any(letter in parts.netloc for letter in "{}\\"):
            raise ValueError(f"{url!r}: the server is named, not filled in")
        if "@" in parts.netloc:
            raise ValueError(f"the address of {parts.hostname} has a password in it; give it as a secret header")
        if _NAME.sub("", url).count("{") or _NAME.sub("", url).count("}"):
            raise ValueError(f"{url!r}: a name to fill in is {{like_this}}")
        self.url = url
        self.scheme = parts.scheme
        self.host = parts.hostname
        self.port = parts.port or PORTS[parts.scheme]

    def filled(self, values: Mapping[str, object]) -> str:
        """The address with its names filled in, each as one piece of a path or query.

        Raises:
            ValueError: a name has no value, or one that would walk to another path.
        """

        def fill(found: re.Match[str]) -> str:
            text = str(values[found[1]]) if found[1] in values else ""
            if text in {"", ".", ".."}:
                raise ValueError(f"{found[1]}={text!r} cannot stand in the address of {self.host}")
            return quote(text, safe="")

        return _NAME.sub(fill, self.url)
