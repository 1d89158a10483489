"""Airflow with Celery's workers, one of them killed: `make test-celery`."""
