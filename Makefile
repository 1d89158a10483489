# `make` lists what there is. Set PYTHON to choose the interpreter (3.11, 3.12 or 3.13) of a new .venv.
BIN := .venv/bin
export PYTHON
# Two workers; a file to one of them, so that what its tests share is made once. In order: by their number the one test
# that takes longest would come last.
PYTEST_ARGS ?= -n 2 --dist loadfile --no-loadscope-reorder
CHROMIUM ?= /usr/bin/chromium
# `make lock UPGRADE=1` takes the newest versions that fit; without it the locked ones stay.
LOCK = $(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --universal --python-version 3.11 \
	--custom-compile-command "make lock"$(if $(UPGRADE), --upgrade)
COMPOSE = $(shell if docker compose version >/dev/null 2>&1; then echo docker compose; else echo docker-compose; fi)

.DEFAULT_GOAL := help
.PHONY: help demo airflow test test-random lint format types docs site compose-check bench bench-speed bench-scale bench-peers bench-errors bench-load bench-faults test-browser test-faults test-airflow test-celery test-spark test-compose test-helm wheel lock up down clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/.runtime ## Watch a year of flights, blizzard included, and open the dashboard
	@$(BIN)/drift demo

airflow: .venv/.runtime ## The same demo inside a local Airflow
	@$(BIN)/drift demo --airflow

test: .venv/.dev ## Run the tests (PYTEST_ARGS="-k windows" for some of them)
	@$(BIN)/python -m pytest -q $(PYTEST_ARGS)

test-random: .venv/.dev ## Search ten times as far by fresh seeds for what breaks a law; what it finds becomes an @example
	@DRIFT_RANDOM=10 $(BIN)/python -m pytest -q $(PYTEST_ARGS) -m hypothesis tests

test-browser: .venv/.dev build/browser/.installed ## Click through the dashboard in Chromium, and take the pictures of the documents
	@DRIFT_BROWSER=$(CHROMIUM) build/browser/bin/python -m pytest -q -m browser tests/live/browser $(BROWSER_ARGS)

test-faults: .venv/.dev ## Kill, stop, starve and crowd runs by the hundred, and try all that takes too long for `make test` (an hour)
	@$(BIN)/python -m pytest -q -s -m "faults or slow" tests --ignore=tests/live/neighbours $(FAULTS_ARGS)

lint: .venv/.dev ## Check style, formatting and who imports whom
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-logo

format: .venv/.dev ## Mend style and formatting
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: .venv/.dev ## Check the types
	@$(BIN)/mypy

docs: .venv/.dev ## Run the examples in the documents and follow their links
	@$(BIN)/python -m pytest -q --doctest-glob='*.md' *.md docs/*.md docs/*/*.md tests/test_house.py::test_relative_links

site: .venv/.dev build/site-env/.installed ## Build the documents' site into build/site; a warning is an error
	@build/site-env/bin/python -m sphinx -q -W --keep-going -b html -d build/site-cache docs build/site
	@echo "build/site/index.html"

test-airflow: .venv/.dev ## Run a schedule, 30 days of backfill, an asset and a gate in a scheduler on PostgreSQL (half an hour)
	@DRIFT_AIRFLOW=1 $(BIN)/python -m pytest -v -s tests/live/airflow $(AIRFLOW_ARGS)

test-celery: .venv/.dev build/celery/.installed ## Run a schedule and 30 days of backfill by two Celery workers, and kill one (Debian's redis-server; a quarter of an hour)
	@DRIFT_CELERY=1 build/celery/bin/python -m pytest -v -s tests/live/celery $(CELERY_ARGS)

test-spark: .venv/.dev build/spark/.installed ## Count 100M rows inside a Spark cluster on loopback: a master and two workers (Java 17, a quarter of an hour; DRIFT_SPARK_ROWS for fewer)
	@DRIFT_SPARK=1 build/spark/bin/python -m pytest -v -s tests/live/spark $(SPARK_ARGS)

# Uses the engine that answers, and BASE_IMAGE and POSTGRES_IMAGE where they are set; else makes its own (Debian, root).
test-compose: .venv/.dev ## Build the image, start the containers, run a monitor in them, restart each, take them down
	@env=$$(tests/live/compose/engine up) && eval "$$env" && DRIFT_COMPOSE=1 $(BIN)/python -m pytest -v -s tests/live/compose $(COMPOSE_ARGS); \
	done=$$?; tests/live/compose/engine down; exit $$done

test-helm: .venv/.dev build/helm/.installed ## Render the chart of deploy/helm by Helm's library, and check it against Kubernetes' schemas
	@DRIFT_HELM=build/helm/bin/python $(BIN)/python -m pytest -v tests/live/helm $(HELM_ARGS)

compose-check: .venv/.dev ## Check docker-compose.yml against the Compose specification
	@$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml

# Workloads are made by seed and kept in build/benchmarks: 2 GB, or 7 with `make bench-speed BENCH_ARGS="--rows 1M,10M"`.
bench: bench-speed bench-scale ## Measure what comparing, scoring and a growing history cost (half an hour)

bench-speed: .venv/.dev ## Measure `drift compare` beside merely reading the files: wall, CPU, memory, growth, imports
	@$(BIN)/python -m benchmarks.speed $(BENCH_ARGS)

bench-scale: .venv/.dev ## Measure daily runs, stored scores, the dashboard's queries and a year's backfill
	@$(BIN)/python -m benchmarks.scale $(BENCH_ARGS)

bench-peers: .venv/.dev ## Measure five other tools on the same files, each in an environment of its own (3 GB, an hour)
	@$(BIN)/python -m benchmarks.peers $(BENCH_ARGS)

bench-errors: .venv/.dev ## Measure false-alarm rates, power and pages, with fixed seeds
	@$(BIN)/python -m benchmarks.error_rates $(BENCH_ARGS)

bench-load: .venv/.dev ## Measure 200 monitors on one PostgreSQL, 50 at once, and 2,000 features in one monitor
	@$(BIN)/python -m benchmarks.load $(BENCH_ARGS)

bench-faults: .venv/.dev ## Measure nine faults planted on real days, and an ordinary month, beside the peers' rules
	@$(BIN)/python -m benchmarks.planted_faults

wheel: .venv/.dev ## Build the wheel into dist/
	@$(BIN)/python -m hatchling build --target wheel

lock: .venv/.dev ## Resolve the dependencies anew into requirements/*.txt (UPGRADE=1: newest versions)
	@$(LOCK) pyproject.toml --extra all --group dev --output-file requirements/dev.txt
	@$(LOCK) pyproject.toml --extra all --constraints requirements/dev.txt --output-file requirements/runtime.txt
	@$(LOCK) --group bootstrap --constraints requirements/dev.txt --output-file requirements/bootstrap.txt
	@$(LOCK) --group site --constraints requirements/dev.txt --output-file requirements/site.txt

up: .env ## Start PostgreSQL, Airflow and the dashboard in containers
	@$(COMPOSE) up --build --detach
	@echo "Airflow: http://127.0.0.1:8080 (admin, AIRFLOW_ADMIN_PASSWORD of .env); dashboard: http://127.0.0.1:8090"

down: ## Stop the containers; their volumes stay
	@$(COMPOSE) down

.env:
	@python3 docker/secrets_to_env.py .env.example .env

clean: ## Remove what was built and what the demo made; .venv and .env stay
	@rm -rf build dist demo .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

# What drives the browser lives in an environment of its own, beside Drift's.
build/browser/.installed: tests/live/browser/requirements.txt
	@$(BIN)/python -m venv build/browser
	@build/browser/bin/python -m pip install --quiet --disable-pip-version-check -r tests/live/browser/requirements.txt
	@npm install --silent --no-save --prefix build/browser axe-core@4
	@touch $@

build/helm/.installed: tests/live/helm/requirements.txt
	@$(BIN)/python -m venv build/helm
	@build/helm/bin/python -m pip install --quiet --disable-pip-version-check -r tests/live/helm/requirements.txt
	@touch $@

# What builds the site, Celery and Spark have an environment of their own, too, and see Drift's behind it.
build/site-env/.installed: requirements/site.txt
	@$(call beside,build/site-env,--require-hashes -r $<)
	@touch $@

build/celery/.installed: tests/live/celery/requirements.txt requirements/dev.txt
	@$(call beside,build/celery,-r $< --constraint requirements/dev.txt)
	@touch $@

build/spark/.installed: tests/live/spark/requirements.txt
	@$(call beside,build/spark,-r $<)
	@touch $@

define beside
$(BIN)/python -m venv --without-pip --clear $(1) && \
$(BIN)/uv pip install --quiet --python $(1)/bin/python $(2) && \
$(BIN)/python -c 'import site, sysconfig; print("import site; site.addsitedir(%r)" % sysconfig.get_path("purelib"))' \
	>"$$($(1)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/drift.pth"
endef

# The dev lock holds the runtime lock, version for version.
.venv/.runtime: requirements/install requirements/bootstrap.txt requirements/runtime.txt pyproject.toml
	@requirements/install runtime
	@touch $@

.venv/.dev: requirements/install requirements/bootstrap.txt requirements/dev.txt pyproject.toml
	@requirements/install dev
	@touch .venv/.runtime $@
