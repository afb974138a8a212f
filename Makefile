# pushsaas. `make run` and `make test` are all a newcomer needs; `make help` lists the rest.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help run compiled web gateway worker beat test check format bench chaos chaos-campaign chaos-push messages screenshots install install-dev

help:
	@echo "make run          install, start everything, serve http://127.0.0.1:8000 (PORT=, PUSHSAAS_HOME=)"
	@echo "make test         install what is missing and run every test (ARGS='-k name' narrows)"
	@echo "make check        format, lint, types, import contract"
	@echo "make bench        every figure as a ratio (ONLY=name for one)"
	@echo "make chaos        kills gateways, empties Valkey, cuts connections under load (SEED=, FAULTS=)"
	@echo "make chaos-campaign  kills workers, PostgreSQL and Valkey under a campaign of 200,000 (SEED=, FAULTS=, PEOPLE=)"
	@echo "make chaos-push   50,000 pushes while the network does everything wrong (SEED=, PUSHES=)"
	@echo "make web|gateway|worker|beat   one role, against PUSHSAAS_DATABASE_URL and PUSHSAAS_VALKEY_URL or a running home"
	@echo "make messages     collect texts for translation, compile the catalogues"
	@echo "make screenshots  the journey as pictures in docs/screenshots"

install:
	@$(PYTHON) deploy/bootstrap.py run

install-dev:
	@$(PYTHON) deploy/bootstrap.py dev

run: install
	@exec $(BIN)/python manage.py run

compiled: install
	@$(BIN)/python manage.py compile_translations

web gateway: compiled
	@PUSHSAAS_ROLE=$@ exec $(BIN)/python -m apps.realtime.serve --port $${PORT:-8000}

worker: compiled
	@PUSHSAAS_ROLE=worker REMAP_SIGTERM=SIGQUIT exec $(BIN)/python -m celery -A pushsaas worker --loglevel INFO --without-gossip --without-mingle

beat: install
	@PUSHSAAS_ROLE=beat exec $(BIN)/python -m celery -A pushsaas beat --loglevel INFO --pidfile= --schedule=$${PUSHSAAS_HOME:-var}/beat-schedule

test: install-dev
	@$(BIN)/python deploy/test_tools.py test
	@$(BIN)/python manage.py compile_translations
	@$(BIN)/python -m pytest -n $${WORKERS:-2} --dist loadgroup $(ARGS)

check: install-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	PYTHONPATH=. $(BIN)/lint-imports

format: install-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: install-dev
	@$(BIN)/python deploy/test_tools.py bench
	@$(BIN)/python -m benchmarks $(ONLY)

chaos: install-dev
	@SEED=$(SEED) FAULTS=$(FAULTS) $(BIN)/python -m tests.chaos

chaos-campaign: install-dev
	@SEED=$(SEED) FAULTS=$(FAULTS) PEOPLE=$(PEOPLE) $(BIN)/python -m tests.campaigns.crash_campaign

chaos-push: install-dev
	@PUSHES=$${PUSHES:-50000} SEED=$(SEED) $(BIN)/python -m pytest tests/providers/test_fault_run.py -q -s -k lost

messages: install-dev
	@$(BIN)/python manage.py collect_translations
	@$(BIN)/python manage.py compile_translations

screenshots: install-dev
	@$(BIN)/python deploy/test_tools.py test
	@$(BIN)/python -m tests.journey.screenshots
