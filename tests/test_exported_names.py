"""What `lictor` exposes is what it lists, and everything listed says what it is."""

import inspect
from dataclasses import dataclass
from types import ModuleType

import lictor


def exposed() -> set[str]:
    """Public names of the package that are not its own modules."""
    names = {name for name in vars(lictor) if not name.startswith("_")}
    return {name for name in names if not isinstance(getattr(lictor, name), ModuleType)}


def described(value: object) -> bool:
    """Whether it has a docstring; a class its own, a method at least that of what it implements."""
    text = value.__doc__ if inspect.isclass(value) else inspect.getdoc(value)
    generated = inspect.isclass(value) and (text or "").startswith(f"{value.__name__}(")  # by @dataclass
    return bool((text or "").strip()) and not generated


def undescribed(name: str, value: object) -> list[str]:
    """Which of a public class or function and its public methods are not described."""
    if not (inspect.isclass(value) or inspect.isroutine(value)):
        return []
    members = [(name, value)]
    for member, kind in vars(value).items() if inspect.isclass(value) else ():
        method = isinstance(kind, property | staticmethod | classmethod) or inspect.isroutine(kind)
        if method and not member.startswith("_"):
            members.append((f"{name}.{member}", getattr(value, member)))
    return [member for member, found in members if not described(found)]


def test_all_lists_exactly_what_is_exposed():
    listed = [name for name in lictor.__all__ if name != "__version__"]
    assert exposed() == set(listed)
    assert len(listed) == len(set(listed))


def test_every_public_name_is_described():
    faults = [fault for name in lictor.__all__ for fault in undescribed(name, getattr(lictor, name))]
    assert not faults, f"without a docstring: {faults}"


def test_every_desk_and_command_that_is_declared_loads():
    from importlib.metadata import distribution

    points = distribution("lictor").entry_points
    assert {point.name for point in points} >= {"lictor", "trading"}
    for point in points:
        assert callable(point.load()) or inspect.getdoc(point.load()), point


def test_an_undescribed_name_is_found():
    class Described:
        """It is."""

        def plain(self):
            pass

        @property
        def seen(self):
            """It is."""

        @property
        def unseen(self):
            pass

    @dataclass
    class Generated:
        a: int

    def bare():
        pass

    assert undescribed("Described", Described) == ["Described.plain", "Described.unseen"]
    assert undescribed("Generated", Generated) == ["Generated"]
    assert undescribed("bare", bare) == ["bare"]
    assert undescribed("LIMIT", 3) == []
