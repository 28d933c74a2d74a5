"""The tap: its name, its settings, one stream a query."""

from __future__ import annotations

import logging
import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import click
from singer_sdk import Tap
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers.capabilities import PluginCapabilities, TapCapabilities
from singer_sdk.plugin_base import SingerCommand, _ConfigInput
from singer_sdk.tap_base import CliTestOptionValue
from typing_extensions import override

from tap_genesys_aggregates.client import Run
from tap_genesys_aggregates.clock import Clock, SystemClock
from tap_genesys_aggregates.config.checks import unknown_names
from tap_genesys_aggregates.config.settings import Settings, from_environment
from tap_genesys_aggregates.config.settings_table import CONFIG_SCHEMA
from tap_genesys_aggregates.core.errors import SettingError, TapError
from tap_genesys_aggregates.extract.connection_test import report
from tap_genesys_aggregates.extract.progress import Progress
from tap_genesys_aggregates.extract.user_batches import Users
from tap_genesys_aggregates.http.transport import Transport
from tap_genesys_aggregates.ledger import LedgerStream
from tap_genesys_aggregates.lookups import LookupStream, lookup_streams
from tap_genesys_aggregates.singer.log_redaction import redact_logs
from tap_genesys_aggregates.singer.messages import MessageWriter
from tap_genesys_aggregates.streams import AggregateStream

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

    import requests
    from singer_sdk.helpers.capabilities import CapabilitiesEnum
    from singer_sdk.streams import Stream

    from tap_genesys_aggregates.core.query import Query


class Command(SingerCommand):
    """The command line; what the tap refuses is one line on standard error, without a traceback."""

    @override
    def main(self, *args: Any, **kwargs: Any) -> Any:
        logging.captureWarnings(capture=True)
        sys.excepthook = self.excepthook
        redact_logs()
        try:
            return super().main(*args, **kwargs)
        except ConfigValidationError as error:
            self.logger.error("%s", " ".join(error.errors))  # noqa: TRY400  # no traceback: the line is all
        except TapError as error:
            self.logger.error("%s", error)  # noqa: TRY400  # a traceback would bury the line that helps
        sys.exit(1)

    @override
    def invoke(self, ctx: click.Context) -> Any:
        return click.Command.invoke(self, ctx)  # the SDK's would add a line of its own to a wrong config


class TapGenesysAggregates(Tap):
    """Singer tap for Genesys Cloud analytics aggregates."""

    name = "tap-genesys-aggregates"
    package_name = "tap-genesys-aggregates"
    config_jsonschema: ClassVar[dict[str, Any]] = CONFIG_SCHEMA
    message_writer_class = MessageWriter
    dynamic_catalog = True  # queries are streams, so discovery needs a config that is right
    # Without BATCH: its files would be announced after the STATE that follows their rows.
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
        """Begin a run.

        Args:
            clock: The present; the machine's own by default.
            mount: Prepares each new HTTP session, to put another adapter under it.
            kwargs: What the SDK's tap takes.
        """
        self.clock = clock or SystemClock()
        self._mount = mount
        self.settings: Settings
        super().__init__(**kwargs)

    @override
    def discover_streams(self) -> Sequence[Stream]:
        for query in self.settings.queries:
            for line in unknown_names(query):
                self.logger.warning("%s", line)
        queries = map(self.aggregate_stream, self.settings.queries)
        return [self.ledger, *self.lookups.values(), *queries]

    @override  # type: ignore[misc]  # final in the SDK, which has no other place for the end of a run
    def sync_all(self) -> None:
        try:
            super().sync_all()
        finally:
            self.run.transport.close()

    @cached_property
    def run(self) -> Run:
        """What all streams share."""
        transport = Transport(self.settings, self.clock, self._mount)
        return Run(self.settings, transport, self.clock, Progress(self.clock.monotonic, sys.stderr))

    @cached_property
    def ledger(self) -> LedgerStream:
        """The stream of windows pulled."""
        return LedgerStream(self)

    @cached_property
    def lookups(self) -> dict[str, LookupStream]:
        """The streams of names for ids, by their own names."""
        return lookup_streams(self, self.run)

    def aggregate_stream(self, query: Query) -> AggregateStream:
        """The stream of a query."""
        return AggregateStream(self, query, self.run, self.ledger, Users(self.lookups))

    @override
    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Every check, in one place of our own: one line that names the setting."""
        self.append_builtin_config(self.config_jsonschema)
        self._config = from_environment(self._config)
        try:
            self.settings = Settings.read(self._config, tuple(self.config_jsonschema["properties"]))
        except SettingError as error:
            if raise_errors:
                raise ConfigValidationError(str(error), errors=[str(error)], schema={}) from None
            return [str(error)]
        return []

    @override
    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        if isinstance(self.message_writer, MessageWriter):
            self.message_writer.termination.request(signum)

    @classmethod
    def of_command_line(cls, paths: tuple[str, ...]) -> TapGenesysAggregates:
        """The tap for ``--config`` options: paths of JSON files, or ENV.

        Raises:
            SettingError: A setting is wrong.
        """
        given = _ConfigInput.from_cli_args(*paths)
        try:
            return cls(config=given.config, parse_env_config=given.parse_env)
        except ConfigValidationError as error:
            raise SettingError(" ".join(error.errors)) from None

    @classmethod
    @override
    def cb_test(cls, ctx: click.Context, param: click.Option, value: str) -> None:
        if value != CliTestOptionValue.All.value:
            super().cb_test(ctx, param, value)
            return
        given = ctx.params.get("config") or _ConfigInput()
        tap = cls(config=given.config, parse_env_config=given.parse_env)
        queries = (stream for stream in tap.streams.values() if isinstance(stream, AggregateStream))
        good = True
        for well, line in report(queries):
            click.echo(line)
            good = good and well
        ctx.exit(0 if good else 1)

    @classmethod
    @override
    def get_singer_command(cls) -> click.Command:
        usual = super().get_singer_command()
        return Command(
            name=usual.name,
            callback=usual.callback,
            params=usual.params,
            context_settings=usual.context_settings,
            help=usual.help,
            logger=cls.logger,
        )
