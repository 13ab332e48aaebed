"""What an App declares of the world around a node: webhooks that come in, outcomes and alerts that go out."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_type_hints

from lictor.errors import DeclarationError
from lictor.records import Report, Signal

from .declared import Declared
from .secret import SecretRef

Scheme = Literal["standard", "github"]
#: What is watched, and told when it begins and when it is over.
Rule = Literal["quality_falls", "overrun", "in_doubt", "source_demoted", "halted", "journal_full", "callback_failing"]
RULES: tuple[Rule, ...] = get_args(Rule)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """What came in by a webhook, its signature checked."""

    hook: str
    #: The sender's id of it; the same when it is sent again.
    id: str
    #: What it says that happened: `X-GitHub-Event`, or the field `type`.
    type: str | None
    #: Its JSON as plain data.
    data: Any
    #: As it was signed.
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Resolve:
    """What a webhook's function returns for news of an action: the world's name of it, and the report."""

    ref: str
    report: Report


#: A signal, a value of a kind, news of an action, or None for what is of no interest.
ToSignal = Callable[[WebhookEvent], "Signal | Resolve | Any | None"]


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook that comes in at `/hooks/{name}`."""

    name: str
    to: ToSignal
    scheme: Scheme
    secrets: tuple[SecretRef, ...]
    source: str
    tenant: str
    #: What its events become, for quarantine.
    kind: str


@dataclass(frozen=True, slots=True)
class Callback:
    """Where the outcomes of a source are sent."""

    source: str
    url: str
    secret: SecretRef
    allow: tuple[str, ...]
    timeout_s: float
    retry_max_s: float


@dataclass(frozen=True, slots=True)
class Alert:
    """Where alerts are sent, and of what; without a `url` they are only logged."""

    name: str
    url: str | None
    secret: SecretRef | None
    rules: tuple[Rule, ...]
    allow: tuple[str, ...]
    in_doubt_s: float
    per_hour: int


class Outside(Declared):
    """The part of an App that speaks of the world around a node."""

    def __init__(self, name: str, *, version: str = "1") -> None:
        super().__init__(name, version=version)
        self.webhooks: dict[str, Webhook] = {}
        self.callbacks: dict[str, Callback] = {}
        self.alerts: dict[str, Alert] = {}

    def webhook(
        self,
        name: str,
        *,
        to: ToSignal,
        secret: SecretRef | tuple[SecretRef, ...],
        source: str,
        tenant: str = "default",
        scheme: Scheme = "standard",
        kind: type | None = None,
    ) -> Webhook:
        """Take signed webhooks at `/hooks/{name}` as signals.

        Args:
            name: Its name in the address.
            to: What an event becomes: a value of a kind, a `Signal`, `Resolve(ref, report(...))` for news of a pending
                action, or None. What it raises on, or cannot be, goes to quarantine. Source and tenant are those
                declared here, and the key is the event's id, whatever it returns.
            secret: What the sender signs with, by reference; several while one is replaced.
            source: Who decides.
            tenant: For whom.
            scheme: `standard` for Standard Webhooks, `github` for `X-Hub-Signature-256`.
            kind: The class of what `to` returns, where it is not annotated with it; for what goes to quarantine.

        Raises:
            DeclarationError: as its message says.
        """
        secrets = secret if isinstance(secret, tuple) else (secret,)
        if not _NAME.fullmatch(name):
            raise DeclarationError(f"webhook {name!r}: letters, digits, '.', '_' and '-' make a name in an address")
        if name in self.webhooks:
            raise DeclarationError(f"webhook {name!r} is declared twice")
        if scheme not in get_args(Scheme):
            raise DeclarationError(f"webhook {name!r}: scheme={scheme!r}", hint="standard or github")
        if not secrets or not all(isinstance(given, SecretRef) for given in secrets):
            raise DeclarationError(f"webhook {name!r}: a secret is a reference", hint='env("HOOK_SECRET")')
        if inspect.iscoroutinefunction(to):
            raise DeclarationError(f"webhook {name!r}: `to` is async", hint="it is a plain function of the event")
        made = Webhook(name, to, scheme, secrets, source, tenant, self._kind_of(to, kind) or f"webhook:{name}")
        self.webhooks[name] = made
        return made

    def _kind_of(self, to: ToSignal, kind: type | None) -> str | None:
        """The name of the kind that a function returns, where that is known."""
        given: Any = kind
        if given is None:
            try:
                given = get_type_hints(to).get("return")
            except (NameError, TypeError):
                return None
        return next((self.kind_of[each].name for each in (given, *get_args(given)) if each in self.kind_of), None)

    def callback(
        self,
        source: str,
        url: str,
        *,
        secret: SecretRef,
        allow: tuple[str, ...] = (),
        timeout_s: float = 10.0,
        retry_max_s: float = 300.0,
    ) -> Callback:
        """Send each outcome of a source to an address: signed, at least once, in order, however often a node restarts.

        Args:
            source: Whose outcomes.
            url: Where to.
            secret: What they are signed with (Standard Webhooks), by reference.
            allow: Hosts and networks that its guard lets through beside the public internet; see `outbound.Guard`.
            timeout_s: For one call.
            retry_max_s: The longest wait between two tries; it is tried until it is taken.

        Raises:
            DeclarationError: the source has one already, or this is none.
        """
        if source in self.callbacks:
            raise DeclarationError(f"source {source!r} has a callback already")
        _check_url(url, f"callback of {source!r}")
        if not isinstance(secret, SecretRef):
            raise DeclarationError(f"callback of {source!r}: a secret is a reference", hint='env("CALLBACK_SECRET")')
        if timeout_s <= 0 or retry_max_s <= 0:
            raise DeclarationError(f"callback of {source!r}: timeout_s and retry_max_s must be above zero")
        self.callbacks[source] = made = Callback(source, url, secret, allow, timeout_s, retry_max_s)
        return made

    def alert(
        self,
        name: str = "alerts",
        *,
        url: str | None = None,
        secret: SecretRef | None = None,
        rules: tuple[Rule, ...] = RULES,
        allow: tuple[str, ...] = (),
        in_doubt_s: float = 60.0,
        per_hour: int = 60,
    ) -> Alert:
        """Tell an address, and the log, when something begins that a person should know, and when it is over.

        Args:
            name: Its name.
            url: Where to; None for the log alone.
            secret: What they are signed with (Standard Webhooks), by reference.
            rules: What is watched; all by default.
            allow: Hosts and networks that its guard lets through beside the public internet.
            in_doubt_s: How long an action may be in doubt before it is told.
            per_hour: Alerts that are sent at most; of more only their number is told. What is over is always told.

        Raises:
            DeclarationError: as its message says.
        """
        if name in self.alerts:
            raise DeclarationError(f"alert {name!r} is declared twice")
        if unknown := set(rules) - set(RULES):
            raise DeclarationError(f"alert {name!r}: no rule {min(unknown)!r}", hint=", ".join(RULES))
        if url is not None:
            _check_url(url, f"alert {name!r}")
            if not isinstance(secret, SecretRef):
                raise DeclarationError(f"alert {name!r}: what is sent is signed", hint='secret=env("ALERT_SECRET")')
        if in_doubt_s < 0 or per_hour < 1:
            raise DeclarationError(f"alert {name!r}: in_doubt_s={in_doubt_s}, per_hour={per_hour}")
        self.alerts[name] = made = Alert(name, url, secret, tuple(rules), allow, in_doubt_s, per_hour)
        return made


def _check_url(url: str, what: str) -> None:
    if not url.startswith(("http://", "https://")):
        raise DeclarationError(f"{what}: {url!r} is no address of a web server")
