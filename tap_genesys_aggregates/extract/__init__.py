"""One query: windows pulled ahead and in order, asynchronous jobs, user batches, progress."""
