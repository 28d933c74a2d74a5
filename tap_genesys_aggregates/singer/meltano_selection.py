"""Which streams the selection of a Meltano project names."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_VARIABLES = ("MELTANO_EXTRACT__SELECT", "MELTANO_EXTRACT__SELECT_FILTER")
"""Patterns such as ``queues.*`` and ``!users.email``, as JSON; Meltano sets both for every extractor."""
_DOT = re.compile(r"(?<!\\)\.")


class MeltanoSelection:
    """The patterns of ``select`` in ``meltano.yml``, and of ``--select``.

    Meltano ignores ``selected-by-default``: its own default, ``*.*``, selects every stream that it can. So
    the catalog of discovery must tell it which streams it cannot select.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Read the patterns.

        Args:
            environment: The environment variables.
        """
        self._is_known = _VARIABLES[0] in environment
        patterns = [each for name in _VARIABLES for each in _patterns(environment.get(name, ""))]
        streams = [_DOT.split(each, maxsplit=1)[0].replace("\\.", ".") for each in patterns]
        self._names = [each for each in streams if not each.startswith("!") and each.strip("*")]

    def leaves_out(self, stream: str) -> bool:
        """Whether Meltano runs the tap, and no pattern but ``*`` matches a stream."""
        return self._is_known and not self.names(stream)

    def names(self, stream: str) -> bool:
        """Whether a pattern other than ``*`` matches a stream."""
        return any(fnmatchcase(stream, each) for each in self._names)


def _patterns(text: str) -> list[str]:
    """The patterns in a variable; none if it does not hold any."""
    try:
        found = json.loads(text)
    except ValueError:
        return []
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []
