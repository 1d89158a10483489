# One image for the dashboard, the command line and all of Airflow's parts. The base can be any with Python 3.11 to 3.13
# and its venv module: docker build --build-arg BASE_IMAGE=…
ARG BASE_IMAGE=python:3.11.14-slim-bookworm
FROM ${BASE_IMAGE}

ENV PATH=/opt/drift/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    AIRFLOW_HOME=/opt/airflow

# Airflow's folders belong to the user that runs it, so that a fresh volume mounted on them does too.
RUN useradd --uid 50000 --create-home --shell /usr/sbin/nologin drift \
    && mkdir -p /opt/airflow/dags /opt/airflow/logs \
    && chown -R drift:drift /opt/airflow

# The lock alone first: a change of the code does not install 160 packages again.
WORKDIR /opt/drift/src
COPY requirements/bootstrap.txt requirements/runtime.txt requirements/
RUN python3 -m venv /opt/drift \
    && pip install --no-cache-dir --disable-pip-version-check --require-hashes -qq -r requirements/bootstrap.txt \
    && UV_SYSTEM_CERTS=true uv pip install --no-cache --quiet --compile-bytecode --require-hashes -r requirements/runtime.txt \
       --python /opt/drift/bin/python \
    && pip uninstall -qq --yes uv

COPY pyproject.toml README.md LICENSE ./
COPY drift drift
COPY sql sql
COPY data data
COPY dags dags
RUN pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation -qq . \
    && cp -r dags/. /opt/airflow/dags/

COPY docker /opt/drift/docker

WORKDIR /opt/airflow
USER drift
EXPOSE 8080 8090
ENTRYPOINT ["/opt/drift/docker/entrypoint"]
CMD ["drift", "--help"]
