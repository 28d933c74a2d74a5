"""The failures of a run: one bad query does not keep the others from loading."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from tap_genesys_aggregates.core.errors import TapError

_LOGGER = logging.getLogger("tap-genesys-aggregates")


@dataclass(slots=True)
class Failures:
    """Collects the errors of single streams, so that the run can go on and still end as a failure."""

    errors: dict[str, TapError] = field(default_factory=dict)

    def add(self, stream: str, error: TapError) -> None:
        """Log the failure of a stream and remember it.

        Args:
            stream: Name of the stream.
            error: What went wrong.

        Raises:
            TapError: The error concerns every stream, so the run must stop (``TapError.stops_run``).
        """
        # The traceback would keep the generators of the failed stream alive, and their threads with them.
        self.errors[stream] = error.with_traceback(None)
        if error.stops_run:
            raise error
        _LOGGER.error("%s failed: %s", stream, error)

    def error(self) -> TapError | None:
        """The error that the run ends with; None if nothing failed."""
        if len(self.errors) <= 1:
            return next(iter(self.errors.values()), None)
        lines = " | ".join(f"{stream}: {error}" for stream, error in self.errors.items())
        stopped = any(error.stops_run for error in self.errors.values())
        rest = "the last stopped the run" if stopped else "every other stream was loaded"
        return TapError(f"{len(self.errors)} streams failed; {rest}. {lines}")
