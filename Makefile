# On a machine with Python 3.11 or newer (with venv), make and git, nothing else is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Half of a test is waiting for processes, so that twice as many files as processors keep them busy.
JOBS ?= $(shell echo $$((2 * $$(getconf _NPROCESSORS_ONLN))))
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: help demo up test test-unit test-clock fuzz-api baseline chaos drill bench bench-vwap screenshots check format lock audit sbom clean

help:
	@echo "make demo    install, run the guide's scenarios on a paper market, stop"
	@echo "             BARS=file SYMBOL=GWW DATE=2024-06-12 SPEED=60: the same on real bars"
	@echo "             BROKER=alpaca or ibkr: live trading with a simulator of the broker, no key"
	@echo "make up      run the service until Ctrl-C"
	@echo "make test    all tests, two files a processor at a time (JOBS); ARGS='-k name' goes to pytest"
	@echo "make test-unit  the rules alone: no PostgreSQL, no Redis, under a minute"
	@echo "make test-clock  what depends on the date, on a Saturday, at a clock change, ...; MOMENT=saturday: one"
	@echo "make fuzz-api  schemathesis over the whole API, 200 requests an operation (EXAMPLES)"
	@echo "make baseline  every address by every method as nobody, Viewer, Trader, Risk: who gets in"
	@echo "make chaos   the long torture run; BROKER=alpaca or ibkr: before the peer of that broker"
	@echo "make drill   lose the primary, Redis, the machine, the database, a release; DRILL=machine: one"
	@echo "make bench   how fast, as a table; bench-vwap: how close to the market VWAP"
	@echo "make screenshots  the README's pictures of the back office; ARGS='--every --folder DIR': each page"
	@echo "make check   ruff, mypy and the import rules"
	@echo "make lock    write the lock files anew from the requirements files"
	@echo "make audit   known vulnerabilities of the locked packages; asks PyPI"
	@echo "make sbom    the bill of materials, CycloneDX, as var/sbom.json"
	@echo "make format  let ruff rewrite what it can"
	@echo "make clean   remove what was installed and cached; data (var/) and logs/ stay"

demo: $(VENV)/installed
	@$(BIN)/deepstack demo \
	  $(if $(BARS),--bars "$(BARS)") $(if $(SYMBOL),--symbol "$(SYMBOL)") \
	  $(if $(DATE),--date "$(DATE)") $(if $(SPEED),--speed "$(SPEED)") \
	  $(if $(BROKER),--broker "$(BROKER)") $(if $(MINUTES),--minutes "$(MINUTES)")

up: $(VENV)/installed
	@$(BIN)/deepstack up

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

# The guide's examples stand among them and need running workers.
test-unit: $(VENV)/installed-dev
	$(BIN)/python -m pytest -q -n $(JOBS) tests/unit --ignore tests/unit/test_execution.py $(ARGS)

# The library is compiled at its installation: this target alone needs a C compiler.
test-clock: $(VENV)/installed-dev $(VENV)/false_clock
	$(BIN)/python -m tests.false_clock $(if $(MOMENT),--moment $(MOMENT)) \
	  --library $(VENV)/false_clock/libfaketime/vendor/libfaketime/src/libfaketime.so.1 \
	  -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

EXAMPLES ?= 200
fuzz-api: $(VENV)/installed-dev
	FUZZ_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest -q tests/integration/api/test_fuzz_api.py

baseline: $(VENV)/installed-dev
	BASELINE=whole $(BIN)/python -m pytest -q tests/integration/web/test_baseline.py $(ARGS)

chaos: $(VENV)/installed-dev
	$(BIN)/python -m tests.chaos.run $(if $(BROKER),--broker "$(BROKER)") $(ARGS)

drill: $(VENV)/installed-dev
	$(BIN)/python -m tests.drills $(DRILL) $(if $(BROKER),--broker "$(BROKER)") $(if $(RELEASE),--release "$(RELEASE)") $(ARGS)

bench: $(VENV)/installed-dev
	@$(BIN)/python -m benchmarks $(ARGS)

bench-vwap: $(VENV)/installed-dev
	@$(BIN)/python -m benchmarks.vwap_tracking $(ARGS)

screenshots: $(VENV)/installed-dev
	@$(BIN)/python -m benchmarks.screenshots $(ARGS)

check: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# After a change of a requirements file.
lock:
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install --quiet --disable-pip-version-check uv
	for name in requirements requirements-observability requirements-single-sign-on requirements-dev \
	  requirements-audit; do \
	  $(VENV)-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --no-header \
	    --no-emit-index-url --generate-hashes $$name.txt --output-file $$name.lock; \
	done
	rm -rf $(VENV)-lock

# Fails where a vulnerability is known, and where nobody can say whether one is.
audit: $(VENV)-audit/installed
	$(VENV)-audit/bin/pip-audit --strict --disable-pip --require-hashes --progress-spinner off \
	  -r requirements.lock -r requirements-observability.lock -r requirements-single-sign-on.lock

sbom: $(VENV)-audit/installed
	@mkdir -p var
	$(VENV)-audit/bin/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml \
	  --output-reproducible --of JSON -o var/sbom.json

clean:
	rm -rf $(VENV) $(VENV)-audit .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

# Apart from the service, whose packages they look at.
$(VENV)-audit/installed: requirements-audit.lock
	$(PYTHON) -m venv $(VENV)-audit
	$(VENV)-audit/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	  -r requirements-audit.lock
	@touch $@

$(VENV)/false_clock: | $(VENV)/bin/python
	$(PIP) --no-deps --target $@ libfaketime==3.0.1

# The exact files that the lock names; the project itself runs from the checkout.
$(VENV)/installed: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(PIP) --require-hashes -r requirements.lock
	$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/installed-dev: requirements-dev.lock requirements-ib_async.txt pyproject.toml | $(VENV)/bin/python
	$(PIP) --require-hashes -r requirements-dev.lock
	$(PIP) --no-deps --no-build-isolation -e .
	$(PIP) --upgrade --no-deps --target $(VENV)/ib_async -r requirements-ib_async.txt
	@touch $@ $(VENV)/installed
