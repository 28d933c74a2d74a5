"""Writing Singer messages, ending a run on a signal, and keeping secrets out of logs."""
