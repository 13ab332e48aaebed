"""Pydantic models as users' types: how they become data, and data becomes them.

Pydantic is never imported here: a model is known by what it offers, and who has none pays nothing. The functions are
msgspec's hooks, so that models work wherever structs and dataclasses do, inside those too.
"""

from __future__ import annotations

from typing import Any

import msgspec

from lictor.errors import DeclarationError

_encode = msgspec.json.Encoder(decimal_format="string").encode
#: Their dump is a row of stars: what was decided would be lost, and what is secret belongs in no decision.
_SECRETS = frozenset({"SecretStr", "SecretBytes", "Secret"})


def is_model(type_: Any) -> bool:
    """Whether a type is a Pydantic model (version 2)."""
    return isinstance(type_, type) and hasattr(type_, "__pydantic_validator__") and hasattr(type_, "model_fields")


def given(value: Any) -> Any:
    """A model as data, by the names that its JSON has: msgspec's `enc_hook`.

    Raises:
        TypeError: it is no model.
    """
    if is_model(type(value)):
        return value.model_dump(mode="json", by_alias=True)
    raise TypeError(f"Encoding objects of type {type(value).__name__} is unsupported")


def taken(type_: type, data: Any) -> Any:
    """Data as a model, by the rules of its JSON: msgspec's `dec_hook`.

    Raises:
        TypeError: the type is no model.
        ValueError: the model does not take the data.
    """
    if is_model(type_):
        return type_.model_validate_json(_encode(data))  # type: ignore[attr-defined]
    raise TypeError(f"Nothing makes {type_.__name__} of data")


def numbers(value: Any) -> Any:
    """A model as data whose numbers are still numbers: an `enc_hook` for who judges those.

    Raises:
        TypeError: it is no model.
    """
    if is_model(type(value)):
        return value.model_dump(mode="python")
    raise TypeError(f"Encoding objects of type {type(value).__name__} is unsupported")


def fields_of(type_: type) -> tuple[msgspec.inspect.Field, ...]:
    """The fields of a dataclass, struct or model; none where it is neither."""
    if is_model(type_):
        return tuple(_field(name, field) for name, field in type_.model_fields.items())  # type: ignore[attr-defined]
    info = msgspec.inspect.type_info(type_)
    return info.fields if isinstance(info, msgspec.inspect.StructType | msgspec.inspect.DataclassType) else ()


def _field(name: str, field: Any) -> msgspec.inspect.Field:
    known = msgspec.inspect.type_info(field.annotation)
    return msgspec.inspect.Field(name, field.alias or name, known, required=field.is_required())


def schema_of(type_: type) -> dict[str, Any]:
    """The JSON Schema of a type, self-contained: its parts are in `$defs`."""
    if is_model(type_):
        made: dict[str, Any] = type_.model_json_schema()  # type: ignore[attr-defined]
        return made
    return msgspec.json.schema(type_, schema_hook=_schema)


def _schema(type_: type) -> dict[str, Any]:
    """A model inside another type: its parts cannot be named from there, so only what it is."""
    if is_model(type_):
        return {"type": "object", "title": type_.__name__}
    raise NotImplementedError


def check_model(type_: type) -> None:
    """Refuse a model of which something would be lost on the way.

    Raises:
        DeclarationError: a field is secret.
    """
    for field in fields_of(type_):
        inner = getattr(field.type, "cls", None)
        if inner is not None and inner.__name__ in _SECRETS:
            raise DeclarationError(
                f"{type_.__name__}.{field.name} is a {inner.__name__}, and a decision is kept for good",
                hint="let the decision name the secret, and the effector look it up",
            )
