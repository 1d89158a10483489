"""A standalone Airflow on PostgreSQL, at work: `make test-airflow`."""
