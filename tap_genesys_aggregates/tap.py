"""The tap: its name, its settings, one stream a query."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import Tap
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers.capabilities import PluginCapabilities, TapCapabilities
from singer_sdk.plugin_base import SingerCommand
from typing_extensions import override

from tap_genesys_aggregates.client import Run
from tap_genesys_aggregates.clock import Clock, SystemClock
from tap_genesys_aggregates.core.checks import unknown_names
from tap_genesys_aggregates.core.refusal import SettingError, TapError
from tap_genesys_aggregates.ledger import LedgerStream
from tap_genesys_aggregates.messages import Writer
from tap_genesys_aggregates.settings import Settings, from_environment
from tap_genesys_aggregates.settings_table import CONFIG_SCHEMA
from tap_genesys_aggregates.streams import AggregateStream
from tap_genesys_aggregates.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

    import click
    import requests
    from singer_sdk.helpers.capabilities import CapabilitiesEnum
    from singer_sdk.streams import Stream


class Command(SingerCommand):
    """The command line; what the tap refuses is one line without a traceback."""

    @override
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except TapError as error:
            self.logger.error("%s", error)  # noqa: TRY400  # a traceback would bury the line that helps
            ctx.exit(1)


class TapGenesysAggregates(Tap):
    """Singer tap for Genesys Cloud analytics aggregates."""

    name = "tap-genesys-aggregates"
    package_name = "tap-genesys-aggregates"
    config_jsonschema: ClassVar[dict[str, Any]] = CONFIG_SCHEMA
    message_writer_class = Writer
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
        run = Run(self.settings, Transport(self.settings, self.clock, self._mount), self.clock)
        ledger = LedgerStream(self)
        return [ledger, *(AggregateStream(self, query, run, ledger) for query in self.settings.queries)]

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
        if isinstance(self.message_writer, Writer):
            self.message_writer.termination.ask(signum)

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
