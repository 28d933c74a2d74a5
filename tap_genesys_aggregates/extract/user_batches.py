"""Users in batches: queries of the family ``users`` want to be told whom to ask about.

They take a filter on ``userId`` with at most 100 predicates (aggregates-api.md). A query that brings a
filter of its own is sent as it is; for any other, everybody is asked about who is or was a user.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_genesys_aggregates.http.errors import DeniedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_genesys_aggregates.core.query import Query
    from tap_genesys_aggregates.lookups import LookupStream

BATCH = 100
"""Users that one request may name."""


@dataclass(frozen=True, slots=True)
class Users:
    """The users of the organisation, for queries that want them named.

    Attributes:
        lookups: The look-up streams by name; ``users`` is asked for once a run, whoever wants it.
    """

    lookups: Mapping[str, LookupStream]

    def batches(self, query: Query) -> list[tuple[str, ...]]:
        """Whom to ask about, request by request.

        Args:
            query: Any query.

        Returns:
            Batches of ids; none where there are no users; one empty batch where the query does not want
            them named.

        Raises:
            DeniedError: The client may not list users.
        """
        if query.endpoint != "users" or query.filter:
            return [()]
        try:
            ids = [str(row["id"]) for row in self.lookups["users"].rows()]
        except DeniedError as error:
            what = f"query {query.name!r} wants the ids of all users, and {error.what}"
            raise DeniedError(what, f"{error.advice}, or set a filter on userId for this query") from None
        return [tuple(ids[start : start + BATCH]) for start in range(0, len(ids), BATCH)]
