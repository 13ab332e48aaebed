"""What a function takes, as a struct: arguments in, canonical payload out, and back; and the JSON schema of it.

Types come from the annotations. Pydantic models are taken where a parameter names them: they are validated when the
payload is read, and the function gets its models. Bad signatures are refused while they are declared.
"""

from __future__ import annotations

import copy
import functools
import inspect
import sys
from collections.abc import Callable
from typing import Any, Protocol, cast, get_args, get_type_hints

import msgspec

from lictor.errors import DeclarationError, MalformedError

from .effectors import Call

_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_encode = msgspec.json.Encoder(order="deterministic", decimal_format="string").encode


class Adapter(Protocol):
    """What Pydantic has for a type that its models are part of."""

    def validate_python(self, value: Any, /) -> Any:
        """The value as the type has it."""
        ...

    def dump_python(self, value: Any, /, *, mode: str) -> Any:
        """Plain data of it."""
        ...

    def json_schema(self) -> dict[str, Any]:
        """Its schema."""
        ...


class Signature:
    """The parameters of a function as a frozen msgspec struct."""

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        """Read a function.

        Raises:
            DeclarationError: it cannot be governed, and why.
        """
        self.name = name
        self._function = function
        hints = self._hints()
        found = list(_signature(function, name).parameters.values())
        self.takes_call = bool(found) and hints.get(found[0].name) is Call
        self.parameters = found[1:] if self.takes_call else found
        self.python = inspect.Signature(self.parameters, return_annotation=hints.get("return", Any))
        self._adapters: dict[str, Adapter] = {}
        self.returns = hints.get("return", Any)
        self._returned = _adapter(self.returns)
        self._check_returns()
        self.type = self._struct(hints)
        self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(self.type).decode

    def pack(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The arguments of a call, defaults included.

        Raises:
            TypeError: the call does not fit the signature, as Python says it.
            MalformedError: an argument does not fit its type.
        """
        try:
            bound = self.python.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{self.name}(): {error}") from None
        try:
            raw = {name: self._plain(name, value) for name, value in bound.arguments.items()}
            return self._decode(_encode(raw))
        except (msgspec.MsgspecError, TypeError, ValueError) as error:
            raise MalformedError(f"{self.name}: {error}") from error

    def read(self, payload: bytes) -> Any:
        """The arguments that a payload holds.

        Raises:
            msgspec.ValidationError: they do not fit.
        """
        return self._decode(payload)

    def canonical(self, value: Any) -> bytes:
        """The one text of these arguments."""
        return _encode(value)

    def values(self, value: Any) -> dict[str, Any]:
        """The arguments by name, as the function is given them."""
        found = {parameter.name: getattr(value, parameter.name) for parameter in self.parameters}
        for name, adapter in self._adapters.items():
            found[name] = adapter.validate_python(found[name])
        return found

    def places(self, value: Any) -> tuple[list[Any], dict[str, Any]]:
        """The arguments as stored, in their places and by name."""
        args, kwargs = list[Any](), dict[str, Any]()
        for parameter in self.parameters:
            stored = getattr(value, parameter.name)
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
                kwargs[parameter.name] = stored
            else:
                args.append(stored)
        return args, kwargs

    def performer(self) -> Callable[..., Any]:
        """The function as an effector has it: the call first, then stored arguments; returns what storage keeps."""
        function, takes_call = self._function, self.takes_call

        def given(call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
            if self._adapters:
                bound = self.python.bind(*args, **kwargs)
                for name, adapter in self._adapters.items():
                    bound.arguments[name] = adapter.validate_python(bound.arguments[name])
                args, kwargs = bound.args, bound.kwargs
            return ((call, *args) if takes_call else args), kwargs

        if is_async(function):

            async def perform(call: Call, /, *args: Any, **kwargs: Any) -> Any:
                args, kwargs = given(call, args, kwargs)
                return self._kept(await function(*args, **kwargs))

        else:

            def perform(call: Call, /, *args: Any, **kwargs: Any) -> Any:  # type: ignore[misc]
                args, kwargs = given(call, args, kwargs)
                return self._kept(function(*args, **kwargs))

        first = inspect.Parameter("call", inspect.Parameter.POSITIONAL_ONLY)
        while first.name in self.python.parameters:
            first = first.replace(name=f"{first.name}_")
        plain = [p.replace(default=inspect.Parameter.empty) for p in self.parameters]
        perform.__signature__ = inspect.Signature([first, *plain])  # type: ignore[attr-defined]
        perform.__annotations__ = {f.name: f.type for f in msgspec.structs.fields(self.type)}
        perform.__name__, perform.__doc__ = self.name, inspect.getdoc(function)
        return perform

    def result(self, value: Any) -> Any:
        """What storage kept of a result, as the function declares it."""
        if self._returned is not None:
            return self._returned.validate_python(value)
        return value if self.returns in (Any, None) else msgspec.convert(value, self.returns, builtin_types=(bytes,))

    def schema(self) -> dict[str, Any]:
        """JSON Schema of the arguments, one object, with definitions inside."""
        ((found,), parts) = msgspec.json.schema_components((self.type,), ref_template="#/$defs/{name}")
        whole = parts.pop(found["$ref"].rpartition("/")[2]) if "$ref" in found else found
        whole.setdefault("properties", {})
        for name, adapter in self._adapters.items():
            inner = adapter.json_schema()
            parts.update(inner.pop("$defs", {}))
            default = whole["properties"].get(name, {}).get("default")
            whole["properties"][name] = inner if default is None else {**inner, "default": default}
        return {**whole, "$defs": parts} if parts else whole

    # -- declaring ------------------------------------------------------------------------------------------------

    def _hints(self) -> dict[str, Any]:
        bare = self._function
        while isinstance(bare, functools.partial):
            bare = bare.func
        if not (inspect.isroutine(bare) or isinstance(bare, type)):
            bare = type(bare).__call__
        try:
            return get_type_hints(inspect.unwrap(bare), include_extras=True)
        except Exception as error:
            raise DeclarationError(f"govern({self.name}): its annotations cannot be read: {error}") from error

    def _struct(self, hints: dict[str, Any]) -> type:
        fields: list[Any] = []
        for parameter in self.parameters:
            if parameter.kind in _VARIADIC:
                raise DeclarationError(
                    f"govern({self.name}): *{parameter.name} takes anything, so that nothing can be checked",
                    hint="name each parameter",
                )
            if parameter.name not in hints:
                raise DeclarationError(
                    f"govern({self.name}): {parameter.name} has no type", hint=_why_untyped(parameter)
                )
            fields.append(self._field(parameter, hints[parameter.name]))
        try:
            return msgspec.defstruct(
                self.name,
                fields,
                namespace={"__post_init__": self._post_init()} if self._adapters else None,
                module=getattr(self._function, "__module__", None) or __name__,
                frozen=True,
                kw_only=True,
                forbid_unknown_fields=True,
            )
        except (TypeError, ValueError) as error:
            raise DeclarationError(f"govern({self.name}): {error}") from error

    def _field(self, parameter: inspect.Parameter, type_: Any) -> Any:
        name = parameter.name
        adapter = _adapter(type_)
        if adapter is not None:
            self._adapters[name] = adapter
            type_ = Any
        elif (strange := _strange(type_)) is not None:
            raise DeclarationError(
                f"govern({self.name}): {name} is a {strange}, which no journal can keep",
                hint="take plain data, a dataclass, a msgspec struct or a Pydantic model; close over the rest",
            )
        if parameter.default is inspect.Parameter.empty:
            return (name, type_)
        try:
            default = self._plain(name, parameter.default)
            msgspec.json.decode(_encode(default), type=type_)
        except (msgspec.MsgspecError, TypeError, ValueError) as error:
            raise DeclarationError(f"govern({self.name}): the default of {name} does not fit: {error}") from error
        if isinstance(default, list | dict | set | bytearray):
            return (name, type_, msgspec.field(default_factory=lambda: copy.deepcopy(default)))
        return (name, type_, default)

    def _plain(self, name: str, value: Any) -> Any:
        adapter = self._adapters.get(name)
        return value if adapter is None else adapter.dump_python(adapter.validate_python(value), mode="json")

    def _post_init(self) -> Callable[[Any], None]:
        adapters = self._adapters

        def normalise(value: Any) -> None:
            """One form for what means the same; what does not fit is told while the payload is read."""
            for name, adapter in adapters.items():
                plain = adapter.dump_python(adapter.validate_python(getattr(value, name)), mode="json")
                msgspec.structs.force_setattr(value, name, plain)

        return normalise

    def _check_returns(self) -> None:
        if self._returned is None and (strange := _strange(self.returns)) is not None:
            raise DeclarationError(
                f"govern({self.name}): it returns a {strange}, which no journal can keep",
                hint="return plain data, a dataclass, a msgspec struct or a Pydantic model",
            )

    def _kept(self, value: Any) -> Any:
        return value if self._returned is None else self._returned.dump_python(value, mode="json")


def picked(function: Callable[..., Any], signature: Signature, what: str) -> Callable[[Any], Any]:
    """A function of some of the arguments, by name, as a function of the struct of all.

    Raises:
        DeclarationError: it wants something that is no argument.
    """
    if is_async(function):
        raise DeclarationError(f"govern({signature.name}): {what} is a plain function of its arguments")
    there = [parameter.name for parameter in signature.parameters]
    names = list[str]()
    whole = False
    for wanted in _signature(function, what).parameters.values():
        if wanted.kind is inspect.Parameter.VAR_KEYWORD:
            whole = True
        elif wanted.name in there and wanted.kind is not inspect.Parameter.POSITIONAL_ONLY:
            names.append(wanted.name)
        elif wanted.default is inspect.Parameter.empty:
            raise DeclarationError(
                f"govern({signature.name}): {what} wants {wanted.name!r}, which is no argument of {signature.name}",
                hint=f"it has {', '.join(there) or 'none'}",
            )

    def call(value: Any) -> Any:
        values = signature.values(value)
        return function(**values) if whole else function(**{name: values[name] for name in names})

    call.__wrapped__ = function  # type: ignore[attr-defined]  # a gate's version is the digest of the user's own
    return call


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling it gives something to await."""
    bare = function
    while isinstance(bare, functools.partial):
        bare = bare.func
    return any(map(inspect.iscoroutinefunction, (bare, type(bare).__call__)))


def _signature(function: Callable[..., Any], name: str) -> inspect.Signature:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError) as error:
        raise DeclarationError(
            f"govern({name}): {error}", hint="wrap it in a function with named parameters"
        ) from error


def _why_untyped(parameter: inspect.Parameter) -> str:
    if parameter.name in {"self", "cls"}:
        return "give the method of an object, such as bank.pay"
    return f"write {parameter.name}: str, or what it is"


def _adapter(type_: Any) -> Adapter | None:
    """Pydantic's adapter, where one of its models is part of the type."""
    if "pydantic" not in sys.modules:
        return None
    from pydantic import BaseModel, TypeAdapter  # noqa: PLC0415 - an extra, and already imported by whoever uses it

    def has_model(part: Any) -> bool:
        return (isinstance(part, type) and issubclass(part, BaseModel)) or any(map(has_model, get_args(part)))

    return cast("Adapter", TypeAdapter(type_)) if has_model(type_) else None


def _strange(type_: Any) -> str | None:
    """The name of a class that data cannot be turned into, somewhere in a type; None where there is none."""
    if type_ is Call:
        return "Call that is not the first parameter"
    try:
        found = msgspec.inspect.type_info(type_)
    except (TypeError, NameError) as error:
        return f"type that cannot be read: {error}"
    todo, seen = [found], set[int]()
    while todo:
        info = todo.pop()
        if id(info) in seen:
            continue
        seen.add(id(info))
        if isinstance(info, msgspec.inspect.CustomType):
            return str(getattr(info.cls, "__name__", info.cls))
        for name in info.__struct_fields__:
            inner = getattr(info, name)
            parts = inner if isinstance(inner, tuple) else (inner,)
            todo += [part for part in parts if isinstance(part, msgspec.inspect.Type)]
            todo += [part.type for part in parts if isinstance(part, msgspec.inspect.Field)]
    return None
