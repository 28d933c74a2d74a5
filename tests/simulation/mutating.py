"""Putting a bug in on purpose: one function's text, changed in one place, for as long as it is wanted."""

from __future__ import annotations

import inspect
import textwrap
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FunctionType


class StaleError(Exception):
    """The text to change is not there any more: the mutation wants writing anew."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of the text of one function.

    Attributes:
        owner: The class or module that holds it.
        name: Its name there.
        old: What stands there, exactly once.
        new: What is to stand there.
    """

    owner: Any
    name: str
    old: str
    new: str

    def made(self) -> object:
        """The function with the change.

        Raises:
            StaleError: The text is not there.
        """
        function: FunctionType = inspect.unwrap(inspect.getattr_static(self.owner, self.name))
        text = textwrap.dedent(inspect.getsource(function))
        if text.count(self.old) != 1:
            raise StaleError(f"{self.owner.__name__}.{self.name} does not hold {self.old!r} once")
        source = "from __future__ import annotations\n" + text.replace(self.old, self.new)
        names: dict[str, object] = {}
        exec(compile(source, f"<{self.name}, mutated>", "exec"), _globals(function), names)  # noqa: S102
        return names[function.__name__]


def _globals(function: FunctionType) -> dict[str, Any]:
    """The names that a function sees, in a copy that an edit may add to."""
    return dict(function.__globals__)


@dataclass(frozen=True, slots=True)
class Mutation:
    """A bug that others have made, and how to make it here."""

    says: str
    edits: tuple[Edit, ...]

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Have the bug in for a while."""
        with ExitStack() as stack:
            for edit in self.edits:
                stack.enter_context(patch.object(edit.owner, edit.name, edit.made()))
            yield


def mutation(says: str, *edits: tuple[Any, str, str, str]) -> Mutation:
    """A mutation from plain tuples: owner, name, old, new."""
    return Mutation(says, tuple(Edit(*each) for each in edits))
