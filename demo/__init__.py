"""The demo: a make-believe Genesys Cloud, loaded by Meltano into a real Postgres, and looked at."""
