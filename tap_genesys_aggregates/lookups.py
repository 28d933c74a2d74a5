"""The lookup streams: names for the ids in the rows. They are off unless selected."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from singer_sdk.singerlib import Metadata
from singer_sdk.streams import Stream
from typing_extensions import override

from tap_genesys_aggregates.core import instants
from tap_genesys_aggregates.core.errors import SettingError, TapError
from tap_genesys_aggregates.core.schema import json_schema
from tap_genesys_aggregates.http.errors import DeniedError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from singer_sdk import singerlib as singer
    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.tap_base import Tap

    from tap_genesys_aggregates.extract.failures import Failures
    from tap_genesys_aggregates.extract.lookup_list import LookupList
    from tap_genesys_aggregates.singer.meltano_selection import MeltanoSelection

_UNSUPPORTED = Metadata.InclusionType.UNSUPPORTED
"""The inclusion of a stream that Meltano must not select."""


class LookupStream(Stream):
    """One lookup list, read whole before any of it is written.

    If it cannot be read, its table is left as it is and the run goes on; the run still ends as a failure,
    after everything else is done.

    Its rows carry a version, and the ACTIVATE_VERSION after the last one tells the target to delete the rows
    of older versions: the entries that are no longer in the list. The target decides how (docs/targets.md).
    With the setting ``organization`` they have none: the target would delete the rows of the others.
    """

    selected_by_default = False
    # The SDK's own comes before the rows. A target would then delete every row, and a run that is killed
    # before it has written them again would leave none.
    emit_activate_version_messages = False

    def __init__(
        self, tap: Tap, lookup_list: LookupList, failures: Failures, selection: MeltanoSelection
    ) -> None:
        """Prepare the stream of a list.

        Args:
            tap: The tap.
            lookup_list: The list.
            failures: Collects the errors of single streams.
            selection: What the Meltano project selects, if there is one.
        """
        self._selection = selection
        self._list = lookup_list
        self._failures = failures
        super().__init__(tap, name=lookup_list.name, schema=json_schema(lookup_list.table))
        self.primary_keys = tuple(each.name for each in lookup_list.table if each.key)
        self.state_manager.tap_state = {}  # every run reads the whole list, so there is no state to keep

    @property
    @override
    def metadata(self) -> singer.MetadataMapping:
        found = super().metadata
        if self._tap_input_catalog is None and self._selection.leaves_out(self.name):
            for each in found.values():
                each.inclusion = _UNSUPPORTED
        return found

    @override
    def apply_catalog(self, catalog: singer.Catalog) -> None:
        """Use a catalog.

        Raises:
            SettingError: The catalog was made before this stream was selected.
        """
        super().apply_catalog(catalog)
        if self._selection.names(self.name) and self.metadata.root.inclusion == _UNSUPPORTED:
            raise SettingError(
                f"the catalog is older than the selection of {self.name!r}",
                "Run `meltano select --list --refresh-catalog tap-genesys-aggregates` once, or set "
                "use_cached_catalog: false for the tap in meltano.yml",
            )

    @override
    def get_records(self, context: Context | None) -> Iterator[Record]:
        yield from map(dict, self._list.rows())  # copies: the SDK removes deselected columns in place

    @cached_property
    def _is_readable(self) -> bool:
        """Whether the list could be read; if not, that is logged once."""
        try:
            self._list.rows()
        except TapError as error:
            if isinstance(error, DeniedError):
                error.advice += ", or deselect this stream"
            self._failures.add(self.name, error)
            return False
        return True

    @override
    def _write_schema_message(self) -> None:
        if self._is_readable:  # without a SCHEMA its table stays as it is: a target may empty it on one
            super()._write_schema_message()

    @override
    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[dict[str, Any], Any, Any]:
        if not self._is_readable:
            return
        rows = self._list.rows()
        if not rows:
            return  # more likely that the client may see nothing than that everything was deleted
        read_at = instants.parse(str(rows[0]["extracted_at"]))
        version = None if self._list.organization else round(read_at.timestamp() * 1000)
        self._stream_version = version
        yield from super()._sync_records(context, write_messages=write_messages)
        if write_messages and version is not None:
            self._write_activate_version_message(version)

    @override
    def _write_state_message(self) -> None:
        pass
