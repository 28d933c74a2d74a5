"""Config, state and catalog as a user passes them: read as JSON, their form checked.

Whatever is wrong with one of them is one line that says what to do, and shows nothing of the content, which
may be a secret.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NoReturn, cast

import click
from singer_sdk.singerlib import Catalog
from typing_extensions import override

from tap_genesys_aggregates.core.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from singer_sdk.streams import Stream

_MAX_BYTES = 64 << 20
"""Much more than the largest catalog; a file of this size is something else."""
_ADVICE = {
    "--config": "Write the settings as a JSON object; --about lists them",
    "--state": "Pass the value of the last STATE message of an earlier run, or leave --state out to load "
    "everything again",
    "--catalog": "Make a new one with --discover, or leave --catalog out to select all streams",
}


_YAML = re.compile(r"(---(\s|$)|- |[\w\"'-]+:(\s|$))")
"""How a line of YAML begins."""
_VARIABLES = re.compile(r"(export +)?[A-Z][A-Z0-9_]*=")
"""How a line of an ``.env`` file begins."""


class JsonFile(click.ParamType):  # type: ignore[type-arg]  # generic for type checkers only
    """An option whose value is the path of a file with a JSON object; its value is the object."""

    name = "filename"

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        option = param.opts[0] if param else ""
        return read_json_object(value, option) if isinstance(value, str) else value


def read_json_object(path: str, option: str) -> dict[str, Any]:
    """Read a file that holds a JSON object.

    Args:
        path: The path of the file, or ``-`` for standard input.
        option: The option that names the file: ``--config``, ``--state`` or ``--catalog``.

    Returns:
        The object.

    Raises:
        SettingError: There is no such file, or it holds something else.
    """
    if path.lstrip().startswith(("{", "[")):  # it is not shown: secrets may be in it
        raise _error(option, "must be the path of a file, not JSON")
    try:
        return _parsed(_content(path))
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
    except RecursionError:
        problem = "is nested too deeply"
    except ValueError as error:
        problem = str(error)
    raise _error(option, f"the file {path[:200]!r} {problem}")


def _content(path: str) -> bytes:
    """The content of a file.

    Raises:
        ValueError: With what is wrong with it.
    """
    if "\0" in path:
        raise ValueError("does not exist")
    with click.open_file(path, "rb") as file:
        content: bytes = file.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise ValueError(f"is larger than {_MAX_BYTES >> 20} MiB")
    if not content.strip():
        raise ValueError("is empty")
    return content


def _parsed(content: bytes) -> dict[str, Any]:
    """The object that JSON text contains.

    Raises:
        ValueError: With what is wrong with it, and nothing of the text.
    """
    try:
        found = json.loads(content.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise ValueError("is not encoded in UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(_problem(error)) from None
    except ValueError:
        raise ValueError("contains a number that is too long, or NaN or Infinity") from None
    if not isinstance(found, dict):
        raise ValueError(f"must contain a JSON object, not {_kind(found)}")  # noqa: TRY004  # of the file
    return found


def _problem(error: json.JSONDecodeError) -> str:
    """What is wrong with text that is not JSON, and what it seems to be instead."""
    where = f"line {error.lineno}, column {error.colno}"
    if error.msg == "Extra data" and error.doc[error.pos] in '{["':
        return (
            f"contains more than one JSON value, the second at {where}; keep one (of states, the last line)"
        )
    lines = (line.strip() for line in error.doc.splitlines())
    first = next((line for line in lines if line and not line.startswith("#")), "")
    hint = ""
    if _YAML.match(first):
        hint = "; it looks like YAML, so convert it to JSON"
    elif _VARIABLES.match(first):
        hint = "; it looks like a file of environment variables: name it .env, and pass --config ENV"
    return f"is not valid JSON: {error.msg} at {where}{hint}"


def check_state(state: object) -> None:
    """Check the form of a state.

    Args:
        state: The state, as it was passed to the tap.

    Raises:
        SettingError: It does not have the form ``{"bookmarks": {stream: {...}}}``.
    """
    given = _object(state, "the state")
    if given and "bookmarks" not in given:
        inner = next((name for name in ("value", "singer_state") if name in given), "")
        hint = f"; pass only the value of {inner!r}" if inner else ""
        raise _error("--state", f"it must have bookmarks{hint}")
    bookmarks = given.get("bookmarks", {})
    for stream, bookmark in _object(bookmarks, "bookmarks").items():
        place = f"bookmarks.{stream[:60]}"
        found = _object(bookmark, place)
        _object(found.get("progress_markers", {}), f"{place}.progress_markers")
        if found.get("partitions", []) != []:
            raise _error("--state", f"{place}.partitions must be empty: no stream of this tap has partitions")


def read_catalog(catalog: object) -> Catalog:
    """Turn a catalog into the SDK's form of it.

    Args:
        catalog: The catalog, as it was passed to the tap.

    Returns:
        The SDK's catalog.

    Raises:
        SettingError: It is not a Singer catalog.
    """
    problem = _catalog_problem(catalog)
    if problem:
        raise _error("--catalog", problem)
    try:
        return Catalog.from_dict(cast("dict[str, Any]", catalog))
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        raise _error("--catalog", "the schema of a stream is not a JSON schema") from None


def check_keys(catalog: Catalog, streams: Iterable[Stream]) -> None:
    """Check that a catalog has the keys of the streams: the target would use those of the catalog.

    Args:
        catalog: The catalog that was passed to the tap.
        streams: The streams of the tap.

    Raises:
        SettingError: A stream has other keys in the catalog.
    """
    for stream in streams:
        entry = catalog.get_stream(stream.name)
        if entry is None:
            continue
        metadata = entry.metadata.get(())
        keys = entry.key_properties or getattr(metadata, "table_key_properties", None) or ()
        if sorted(keys) != sorted(stream.primary_keys or ()):
            shown, own = json.dumps(list(keys))[:200], json.dumps(list(stream.primary_keys or ()))
            raise _error(
                "--catalog",
                f"stream {stream.name!r} has key_properties {shown} instead of {own}, so rows would be "
                "lost or doubled in the warehouse",
            )
        missing = sorted(set(keys) - set(entry.schema.properties or ()))
        if missing:
            raise _error("--catalog", f"the schema of stream {stream.name!r} lacks {', '.join(missing)}")


def columns_left_out(catalog: Catalog, stream: Stream) -> str:
    """Warn of columns that a catalog does not have, because it was made before they were added.

    Args:
        catalog: The catalog that was passed to the tap.
        stream: A stream of the tap.

    Returns:
        The warning, on one line; empty if no column is missing.
    """
    entry = catalog.get_stream(stream.name)
    absent = set(stream.schema.get("properties", {})) - set(entry.schema.properties or ()) if entry else ()
    if not absent:
        return ""
    lacking = f"the schema of stream {stream.name!r} lacks {', '.join(sorted(absent))}"
    return str(_error("--catalog", f"{lacking}, so a target may leave these columns out"))


def _catalog_problem(catalog: object) -> str:
    """What is wrong with the form of a catalog; nothing if it is right."""
    streams = catalog.get("streams") if isinstance(catalog, dict) else None
    if not isinstance(streams, list):
        return "it must have a list of streams"
    found = ((number, _stream_problem(stream)) for number, stream in enumerate(streams))
    return next((f"streams[{number}]{problem}" for number, problem in found if problem), "")


def _stream_problem(stream: object) -> str:
    """What is wrong with the form of a stream in a catalog; nothing if it is right."""
    if not isinstance(stream, dict) or not isinstance(stream.get("tap_stream_id"), str):
        return " must be an object with a tap_stream_id"
    name = stream["tap_stream_id"]
    problems = {
        ".stream must be the same as its tap_stream_id; to rename tables, use the setting stream_maps": (
            stream.get("stream", name) != name
        ),
        ".schema must be an object": not isinstance(stream.get("schema", {}), dict),
        ".key_properties must be a list of columns": not _is_list_of(stream.get("key_properties") or [], str),
        ".metadata must be a list of objects with breadcrumb and metadata": not _is_metadata(
            stream.get("metadata", [])
        ),
    }
    return next((problem for problem, is_wrong in problems.items() if is_wrong), "")


def _is_metadata(value: object) -> bool:
    return _is_list_of(value, dict) and all(
        _is_list_of(each.get("breadcrumb"), str) and isinstance(each.get("metadata"), dict)
        for each in cast("Sequence[Mapping[str, object]]", value)
    )


def _is_list_of(value: object, kind: type) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(each, kind) for each in value)


def _object(value: object, place: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise _error("--state", f"{place} must be an object, not {_kind(value)}")
    return value


def _kind(value: object) -> str:
    """The JSON type of a value, which is not shown itself."""
    kinds = {bool: "true or false", str: "a string", list: "a list", type(None): "null", dict: "an object"}
    return kinds.get(type(value), "a number")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _error(option: str, problem: str) -> SettingError:
    return SettingError(f"{option}: {problem}", _ADVICE.get(option, ""))
