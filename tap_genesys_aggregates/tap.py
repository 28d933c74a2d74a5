"""The tap: its settings, its streams, its command line."""

from __future__ import annotations

import logging
import os
import sys
import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, cast

import click
from singer_sdk import Tap
from singer_sdk.cli import plugin_cli
from singer_sdk.exceptions import ConfigValidationError, MappingError
from singer_sdk.helpers._classproperty import classproperty
from singer_sdk.helpers.capabilities import PluginCapabilities, TapCapabilities
from singer_sdk.plugin_base import SingerCommand, _ConfigInput
from singer_sdk.tap_base import CliTestOptionValue
from typing_extensions import override

from tap_genesys_aggregates.client import Client
from tap_genesys_aggregates.clock import Clock, SystemClock
from tap_genesys_aggregates.config.families import warnings
from tap_genesys_aggregates.config.settings import Settings, from_environment
from tap_genesys_aggregates.config.settings_table import CONFIG_SCHEMA
from tap_genesys_aggregates.core import estimate, instants
from tap_genesys_aggregates.core.backfill import overlap
from tap_genesys_aggregates.core.bookmarks import Bookmark
from tap_genesys_aggregates.core.errors import SettingError, TapError
from tap_genesys_aggregates.core.query_changes import check_organization
from tap_genesys_aggregates.extract.connection_test import report
from tap_genesys_aggregates.extract.extractor import Extractor
from tap_genesys_aggregates.extract.failures import Failures
from tap_genesys_aggregates.extract.lookup_list import LookupList, lookup_lists
from tap_genesys_aggregates.extract.organization import (
    ORGANIZATION_ID,
    identify,
    organization_line,
    platform_organization,
)
from tap_genesys_aggregates.extract.progress import Progress
from tap_genesys_aggregates.extract.user_batches import UserBatches
from tap_genesys_aggregates.ledger import LedgerStream
from tap_genesys_aggregates.lookups import LookupStream
from tap_genesys_aggregates.singer.input_files import (
    JsonFile,
    check_keys,
    check_state,
    read_catalog,
)
from tap_genesys_aggregates.singer.log_redaction import redact_logs
from tap_genesys_aggregates.singer.meltano_selection import MeltanoSelection
from tap_genesys_aggregates.singer.messages import MessageWriter
from tap_genesys_aggregates.singer.sdk_log import set_up_log
from tap_genesys_aggregates.singer.sdk_settings import (
    check_sdk_settings,
    config_input,
    settings_of_environment,
)
from tap_genesys_aggregates.streams import AggregateStream, RunContext

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from types import FrameType

    import requests
    from singer_sdk.helpers.capabilities import CapabilitiesEnum
    from singer_sdk.streams import Stream

    from tap_genesys_aggregates.core.estimate import Estimate
    from tap_genesys_aggregates.core.query import Query


_ESTIMATE = "Say what a run would cost, in requests and minutes, without sending any."


class Command(SingerCommand):
    """The command line. An error of the tap is one line on standard error, without a traceback."""

    @override
    def main(self, *args: Any, **kwargs: Any) -> Any:
        redact_logs()
        logging.captureWarnings(capture=True)
        sys.excepthook = self.excepthook
        threading.excepthook = lambda each: self.excepthook(
            each.exc_type, each.exc_value or each.exc_type(), each.exc_traceback
        )
        try:
            set_up_log(self.logger.name)
            return super().main(*args, **kwargs)
        except ConfigValidationError as error:
            self.logger.error("%s", " ".join(error.errors))  # noqa: TRY400  # a traceback would bury the line that helps
        except TapError as error:
            self.logger.error("%s", error)  # noqa: TRY400  # a traceback would bury the line that helps
        sys.exit(1)

    @override
    def invoke(self, ctx: click.Context) -> Any:
        return click.Command.invoke(self, ctx)  # the SDK's adds a line of its own to a config error


class TapGenesysAggregates(Tap):
    """Singer tap for Genesys Cloud analytics aggregates."""

    name = "tap-genesys-aggregates"
    package_name = "tap-genesys-aggregates"
    config_jsonschema: ClassVar[dict[str, Any]] = CONFIG_SCHEMA
    message_writer_class = MessageWriter
    dynamic_catalog = True  # queries are streams, so discovery needs a valid config
    # Without BATCH: the SDK would announce its files after the STATE that covers their rows.
    capabilities: ClassVar[list[CapabilitiesEnum]] = [
        TapCapabilities.CATALOG,
        TapCapabilities.STATE,
        TapCapabilities.DISCOVER,
        PluginCapabilities.ABOUT,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        mount: Callable[[requests.Session], None] | None = None,
        **kwargs: Any,  # noqa: ANN401  # the SDK's own
    ) -> None:
        """Prepare a run.

        Args:
            clock: The current time; the machine's own by default.
            mount: Called with each new HTTP session, to mount another adapter on it.
            kwargs: Passed to the SDK's tap.
        """
        self.clock = clock or SystemClock()
        self._mount = mount
        self.settings: Settings
        if isinstance(kwargs.get("catalog"), dict):
            kwargs["catalog"] = read_catalog(kwargs["catalog"])
        super().__init__(**kwargs)
        self._warn_of_future()

    @override
    def discover_streams(self) -> Sequence[Stream]:
        for query in self.settings.queries:
            for line in warnings(query):
                self.logger.warning("%s", line)
        selection = MeltanoSelection(os.environ)
        lookups = [LookupStream(self, each, self.failures, selection) for each in self.lookup_lists.values()]
        run = RunContext(self.ledger, Progress(self.clock.monotonic, sys.stderr), self.failures)
        queries = [AggregateStream(self, extractor, run) for extractor in self.extractors()]
        if self.input_catalog is not None:
            check_keys(self.input_catalog, [self.ledger, *lookups])
        return [self.ledger, *lookups, *queries]

    @override
    def load_state(self, state: dict[str, Any]) -> None:
        check_state(state)
        super().load_state(state)
        if ORGANIZATION_ID in state:
            cast("dict[str, Any]", self.state)[ORGANIZATION_ID] = state[ORGANIZATION_ID]
        # So that a state that cannot be read, or of another organization, is refused before any request.
        for query in self.settings.queries:
            bookmark = Bookmark.read(self.state.get("bookmarks", {}).get(query.name, {}), query.name)
            check_organization(query, bookmark)

    @override
    def setup_mapper(self) -> None:
        _ = self.streams  # an error of our own must not be taken for one of stream_maps
        try:
            super().setup_mapper()
        except (MappingError, AttributeError, KeyError, TypeError, ValueError) as error:
            what = f"stream_maps cannot be applied ({type(error).__name__}: {str(error)[:200]})"
            advice = "Correct it (https://sdk.meltano.com/en/latest/stream_maps.html), or leave it out"
            raise SettingError(what, advice) from None

    @override  # type: ignore[misc]  # final in the SDK, which has no other hook for the end of a run
    def sync_all(self) -> None:
        try:
            self._warn_of_overlap()
            identify(self.client, cast("dict[str, Any]", self.state))
            super().sync_all()
        except TapError as error:
            raise self.failures.error() or error from None  # with the failures before the one that stopped it
        finally:
            self.client.close()
        failed = self.failures.error()
        if failed is not None:
            raise failed

    def _warn_of_future(self) -> None:
        """Warn if no data can exist yet since ``start_date``: the year is easily mistyped."""
        start, now = self.settings.start_date, self.clock.now()
        if start > now:
            self.logger.warning(
                "start_date %s is in the future, so nothing is loaded before that: it is %s now",
                instants.text(start),
                instants.text(now),
            )

    def estimate(self) -> Iterator[str]:
        """What this run would cost, in words. No request is sent, so the time is the machine's.

        Raises:
            TapError: A query would be refused; the others are told.
        """
        settings, now = self.settings, self.clock.now()
        streams = [stream for stream in self.streams.values() if stream.selected]
        queries = [stream for stream in streams if isinstance(stream, AggregateStream)]
        lists = {stream.name for stream in streams if isinstance(stream, LookupStream)}
        if any(stream.query.names_users for stream in queries):
            lists.add("users")
        yield from estimate.report(
            [each for each in (self._estimate(stream, now) for stream in queries) if each is not None],
            sum(len(self.lookup_lists[name].lookup.requests) for name in lists),
            max_window=settings.max_window,
            per_minute=settings.requests_per_minute,
        )
        if (failed := self.failures.error()) is not None:
            raise failed

    def _estimate(self, stream: AggregateStream, now: datetime) -> Estimate | None:
        """The estimate of one query; None if it would be refused."""
        try:
            return stream.estimate(now)
        except SettingError as error:
            self.failures.add(stream.name, error)
            return None

    def _warn_of_overlap(self) -> None:
        """Warn if this run reads days that daily runs with another state read as well."""
        settings = self.settings
        queries = [query for query in settings.queries if self.streams[query.name].selected]
        line = overlap(
            queries, start_date=settings.start_date, end_date=settings.end_date, now=self.clock.now()
        )
        if line is not None:
            self.logger.warning("%s", line)

    @override  # type: ignore[misc]  # final in the SDK
    def write_schemas(self) -> None:
        """As ``--test=schema`` does; no stream can be refused here, so none waits."""
        super().write_schemas()
        for stream in self.streams.values():
            if isinstance(stream, AggregateStream):
                stream.write_awaited_schema()

    @cached_property
    def client(self) -> Client:
        """Sends the requests of every stream."""
        return Client(self.settings, self.clock, self._mount)

    @cached_property
    def failures(self) -> Failures:
        """The errors of single streams, with which the run ends."""
        return Failures()

    @cached_property
    def ledger(self) -> LedgerStream:
        """The stream of pulled windows."""
        return LedgerStream(self, self.settings.organization)

    @cached_property
    def lookup_lists(self) -> dict[str, LookupList]:
        """The lookup lists by name; the streams and the batches of users share them."""
        return lookup_lists(self.client)

    def extractors(self) -> list[Extractor]:
        """An extractor for each query."""
        return [self.extractor(query) for query in self.settings.queries]

    def extractor(self, query: Query) -> Extractor:
        """An extractor for a query, whether or not it is one of the settings."""
        return Extractor(query, self.client, UserBatches(self.lookup_lists))

    @override
    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Check everything in one place: an error is one line that names the setting."""
        self.append_builtin_config(self.config_jsonschema)
        self._config = from_environment(self._config)
        properties = self.config_jsonschema["properties"]
        try:
            self.settings = Settings.read(self._config, tuple(properties))
            check_sdk_settings(self._config, properties)
        except SettingError as error:
            if raise_errors:
                raise ConfigValidationError(str(error), errors=[str(error)], schema={}) from None
            return [str(error)]
        return []

    @classproperty
    @override
    def _env_var_config(cls) -> dict[str, Any]:  # noqa: N805  # a class property, as the SDK's own
        cls.append_builtin_config(cls.config_jsonschema)
        return settings_of_environment(cls.config_jsonschema["properties"], cls._env_var_prefix)

    @override
    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        if isinstance(self.message_writer, MessageWriter):
            self.message_writer.termination.request(signum)

    @classmethod
    def of_command_line(cls, paths: tuple[str, ...]) -> TapGenesysAggregates:
        """The tap for ``--config`` options: paths of JSON files, or ENV.

        Raises:
            SettingError: A setting is invalid.
        """
        try:
            return cls._of(config_input(paths))
        except ConfigValidationError as error:
            raise SettingError(" ".join(error.errors)) from None

    @classmethod
    def _of(cls, given: _ConfigInput | None, **kwargs: Any) -> TapGenesysAggregates:  # noqa: ANN401  # the SDK's own
        """The tap for what ``--config`` gave, if anything."""
        given = given or _ConfigInput()
        return cls(config=given.config, parse_env_config=given.parse_env, **kwargs)

    @plugin_cli
    @override
    def cli(cls) -> click.Command:  # noqa: N805  # a class property, as the SDK's own
        """The command, which sets up logging when it starts: an error of that is one line, too."""
        return cls.get_singer_command()

    @classmethod
    @override
    def cb_discover(cls, ctx: click.Context, param: click.Option, value: bool) -> None:
        if value:  # as the SDK's, which words a config error in another way than the other modes
            cls._of(ctx.params.get("config"), setup_mapper=False).run_discovery()
            ctx.exit()

    @classmethod
    @override
    def cb_test(cls, ctx: click.Context, param: click.Option, value: str) -> None:
        if value != CliTestOptionValue.All.value:
            super().cb_test(ctx, param, value)
            return
        tap = cls._of(ctx.params.get("config"))
        passed = True
        if tap.settings.organization is not None:
            click.echo(organization_line(tap.settings.organization, platform_organization(tap.client)))
        for works, line in report(tap.extractors()):
            click.echo(line)
            passed = passed and works
        ctx.exit(0 if passed else 1)

    @classmethod
    @override
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> _ConfigInput:
        return config_input(value)

    @classmethod
    @override
    def invoke(  # type: ignore[override]  # as the SDK's own
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: _ConfigInput | None = None,
        state: dict[str, Any] | None = None,
        catalog: dict[str, Any] | None = None,
        estimate: bool = False,
    ) -> None:
        """As the SDK's, with the objects of the files instead of the files (see ``JsonFile``)."""
        super(Tap, cls).invoke(about=about, about_format=about_format)
        cls.print_version(print_fn=cls.logger.info)
        tap = cls._of(config, state=state, catalog=catalog)
        if not estimate:
            tap.sync_all()
            return
        for line in tap.estimate():
            click.echo(line)

    @classmethod
    @override
    def get_singer_command(cls) -> click.Command:
        command = super().get_singer_command()
        for option in command.params:
            if option.name in {"state", "catalog"}:
                option.type = JsonFile()
        return Command(
            name=command.name,
            callback=command.callback,
            params=[*command.params, click.Option(["--estimate"], is_flag=True, help=_ESTIMATE)],
            context_settings=command.context_settings,
            help=command.help,
            logger=cls.logger,
        )
