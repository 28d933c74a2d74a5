"""User ids in batches: queries of the family ``users`` must name the users they ask about.

They take a filter on ``userId`` with at most 100 predicates (docs/api-notes.md, "Results: users"). A query
with a filter of its own is sent unchanged; any other asks about everybody who is or was a user.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_genesys_aggregates.core.errors import IncompleteError
from tap_genesys_aggregates.core.query import USERS_PER_REQUEST
from tap_genesys_aggregates.http.errors import DeniedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_genesys_aggregates.core.query import Query
    from tap_genesys_aggregates.extract.lookup_list import LookupList

PERMISSION = "directory:user:view"
"""What the list of users depends on: not documented for it, but named when it is refused."""


@dataclass(frozen=True, slots=True)
class UserBatches:
    """The users of the organization, in batches.

    Attributes:
        lists: The lookup lists by name. The list of users is read at most once per run.
    """

    lists: Mapping[str, LookupList]

    def of(self, query: Query) -> list[tuple[str, ...]]:
        """The users to ask about, one batch per request.

        Args:
            query: Any query.

        Returns:
            Batches of user ids, at least one. A query that need not name users has one empty batch.

        Raises:
            DeniedError: The client may not list users.
            IncompleteError: The list has no user, or not all of them. Nobody found is no success: the
                windows would be committed without rows.
        """
        if not query.names_users:
            return [()]
        users = self.lists["users"]
        own_filter = (
            "or set a filter on userId and on_query_change: continue on this query, so that its table is kept"
        )
        try:
            ids = [str(row["id"]) for row in users.rows()]
        except (DeniedError, IncompleteError) as error:
            what = f"query {query.name!r} needs the ids of all users, and {error.what}"
            raise type(error)(what, f"{error.advice}, {own_filter}") from None
        if not ids:
            what = f"query {query.name!r} needs the ids of all users, and the list of users is empty"
            advice = f"Check that the OAuth client has a role with {PERMISSION} in all divisions"
            raise IncompleteError(what, f"{advice}, {own_filter}")
        starts = range(0, len(ids), USERS_PER_REQUEST)
        return [tuple(ids[start : start + USERS_PER_REQUEST]) for start in starts]
