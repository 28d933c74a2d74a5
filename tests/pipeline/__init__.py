"""The whole tap in this process, against the sandbox, without sockets or waiting."""
