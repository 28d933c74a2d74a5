"""The demo: it loads data from the sandbox into a real Postgres with Meltano, checks it and shows it."""
