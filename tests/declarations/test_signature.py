"""What `app.govern` reads of a function: types, defaults, models, schema; and what it says of one it cannot govern."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Annotated

import msgspec
import pytest
from pydantic import BaseModel, Field
from tests.declarations.test_governed import Mail, office
from tests.rig import simulate

from lictor import (
    App,
    Call,
    DeclarationError,
    MalformedError,
    Node,
    Refused,
    Run,
    allow,
    deny,
)


class Item(BaseModel):
    """A model of Pydantic."""

    name: str = Field(min_length=2)
    count: int = 1


@dataclass(frozen=True)
class Place:
    street: str


def test_models_of_pydantic_are_taken_and_given_back():
    async def main(rig):
        seen = []

        async def order(items: list[Item], place: Place, spare: Item | None = None) -> Item:
            seen.append((items, place, spare))
            return items[0]

        app = App("shop")
        ordering = app.govern(order, check=lambda items: allow() if items[0].count < 9 else deny("MANY"))
        node = await rig.start(app)
        with Run("r"):
            found = await rig.on(ordering(node, [Item(name="tea")], Place("x")))
            assert found == Item(name="tea")
            assert await rig.on(ordering(node, [{"name": "tea", "count": "1"}], Place("x"))) == found
        assert seen == [([Item(name="tea")], Place("x"), None)]
        with pytest.raises(Refused, match="MANY"):
            await rig.on(ordering(node, [Item(name="tea", count=9)], Place("x")))
        with pytest.raises((MalformedError, ValueError), match="at least 2"):
            ordering(node, [{"name": "t"}], Place("x"))
        handle = await rig.on(
            node.submit(ordering.signature.read(b'{"items":[{"name":"tea"}],"place":{"street":"y"}}'))
        )
        assert (await rig.on(handle.outcome())).result == "succeeded"
        with pytest.raises(msgspec.ValidationError, match="at least 2"):
            ordering.signature.read(b'{"items":[{"name":"t"}],"place":{"street":"y"}}')
        schema = ordering.signature.schema()
        assert schema["$defs"]["Item"]["properties"]["name"]["minLength"] == 2
        assert schema["required"] == ["items", "place"]

    simulate(main)


def test_the_schema_says_what_the_annotations_say():
    def pay(to: Annotated[str, msgspec.Meta(description="who")], amount: int = 5) -> None:
        """Pay."""

    governed = App("bank").govern(pay)
    assert governed.signature.schema() == {
        "title": "pay",
        "type": "object",
        "properties": {"to": {"type": "string", "description": "who"}, "amount": {"type": "integer", "default": 5}},
        "required": ["to"],
        "additionalProperties": False,
    }


def test_a_call_that_does_not_fit_is_said_before_anything_is_submitted():
    _, send = office(Mail())
    with pytest.raises(TypeError, match=r"send\(\): missing a required argument: 'to'"):
        send(None)
    with pytest.raises(TypeError, match=r"send\(\): got an unexpected keyword argument 'subject'"):
        send(None, "ann", subject="x")
    with pytest.raises(MalformedError, match=r"Expected `str`, got `int` - at `\$.to`"):
        send(None, 5)


def _untyped(to):
    pass


def _anything(*to: str):
    pass


def _socket(to: Node):
    pass


def _gives() -> Node:
    raise NotImplementedError


def _bad_default(to: str = 5):  # type: ignore[assignment]
    pass


def _late_call(to: str, call: Call):
    pass


def _missing(to: Nowhere):  # type: ignore[name-defined]  # noqa: F821
    pass


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (_untyped, r"govern\(_untyped\): to has no type \(write to: str"),
        (Mail.send, r"govern\(send\): self has no type \(give the method of an object"),
        (_anything, r"\*to takes anything"),
        (_socket, r"to is a Node, which no journal can keep"),
        (_gives, r"it returns a Node, which no journal can keep"),
        (_bad_default, r"the default of to does not fit: Expected `str`"),
        (_late_call, r"call is a Call that is not the first parameter"),
        (_missing, r"its annotations cannot be read: name 'Nowhere' is not defined"),
        (functools.partial(_untyped, 1), "it has no name to go by"),
        (5, "not a function"),
    ],
)
def test_a_bad_signature_is_said_while_it_is_declared(function, said):
    with pytest.raises(DeclarationError, match=said):
        App("x").govern(function)


def test_bad_terms_are_said_while_they_are_declared():
    app = App("x")
    for terms, said in [
        ({"approve_if": lambda who: True}, "approve_if wants 'who', which is no argument of send .it has to, text"),
        ({"aprove_if": lambda to: True}, "govern.. knows no aprove_if"),
        ({"limit": 5}, "not"),
        ({"timeout_s": 0}, "timeout_s=0"),
        ({"order_by": "nobody"}, "send has no such field"),
    ]:
        with pytest.raises((DeclarationError, TypeError), match=said):
            App("x").govern(Mail().send, **terms)

    async def later(to: str) -> bool:
        return True

    with pytest.raises(DeclarationError, match="approve_if is a plain function"):
        app.govern(Mail().send, approve_if=later)
    app.govern(Mail().send, name="one")
    with pytest.raises(DeclarationError, match="'one' is declared twice"):
        app.govern(Mail().send, name="one")


def test_a_changed_condition_is_another_policy():
    def policy(condition):
        app, _ = office(Mail(), approve_if=condition)
        return app.policy_version()

    assert policy(lambda to: len(to) > 5) == policy(lambda to: len(to) > 5)
    assert policy(lambda to: len(to) > 5) != policy(lambda to: len(to) > 6)
