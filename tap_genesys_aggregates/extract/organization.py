"""The organization on the platform: its own name and id, to show beside the setting ``organization``."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import msgspec

from tap_genesys_aggregates.core.errors import TapError
from tap_genesys_aggregates.dialects.protocol import Call
from tap_genesys_aggregates.http.usage import Usage

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from tap_genesys_aggregates.client import Client

_LOGGER = logging.getLogger("tap-genesys-aggregates")

ORGANIZATION_ID = "organization_id"
"""The key of the state for the id of the organization that it was first written for."""
_CALL = Call("GET", "/api/v2/organizations/me")
_MAX_SHOWN = 80


class PlatformOrganization(msgspec.Struct, frozen=True):
    """The organization that an OAuth client belongs to (docs/api-notes.md, "Lookup lists").

    Attributes:
        id: Its id.
        name: Its name on the platform.
    """

    id: str
    name: str = ""


def platform_organization(client: Client) -> PlatformOrganization | None:
    """Ask for the organization of the client, once.

    Args:
        client: Sends the request.

    Returns:
        The organization; None if the platform does not say, because nothing depends on it.

    Raises:
        TapError: Every other request would fail too.
    """
    if client.settings.api != "results":
        return None
    try:
        return client.send(_CALL, _read, Usage(), divisible=True)
    except TapError as error:
        if error.stops_run:
            raise
        return None


def identify(client: Client, state: MutableMapping[str, object]) -> None:
    """Log whose data a run reads, and warn if its state was written for another organization.

    Args:
        client: Asks, if the setting ``organization`` has a value.
        state: The state of the run; the id is added if it has none.
    """
    organization = client.settings.organization
    if organization is None:
        return
    found = platform_organization(client)
    _LOGGER.info("%s", organization_line(organization, found))
    before = state.setdefault(ORGANIZATION_ID, found.id) if found else None
    if found and before != found.id:
        _LOGGER.warning(
            "The state was written for the organization with the id %s, and this client is of the one "
            "with the id %s. If that is right, remove %s from the state; if not, check client_id",
            before,
            found.id,
            ORGANIZATION_ID,
        )


def organization_line(organization: str, found: PlatformOrganization | None) -> str:
    """The organization for people: as the setting names it, and as the platform does."""
    if found is None:
        return f"organization {organization!r}"
    name = found.name[:_MAX_SHOWN]
    return f"organization {organization!r} is {name!r} on the platform, with the id {found.id}"


def _read(body: bytes) -> PlatformOrganization | None:
    try:
        found = msgspec.json.decode(body, type=PlatformOrganization)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found if found.id and len(found.id) <= _MAX_SHOWN and found.id.isprintable() else None
