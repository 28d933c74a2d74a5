"""The page of ``./run report``: the KPIs of a contact center in one HTML file, made from the dbt marts."""
