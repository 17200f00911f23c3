# Two commands do all: `make demo` and `make test`. Both set up .venv on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete

.PHONY: help setup demo test unit lint audit mutants films bench milvus-server run-milvus-server siglip clean
help:
	@echo "make demo    index the sample films through Ray, ask five questions, draw the answers; on a terminal, serve the page"
	@echo "make test    run every test that this machine can run, in two processes; PYTEST_ARGS='tests/video -k grid' for some"
	@echo "make unit    run the tests that need no Ray, server, real footage or drawing"
	@echo "make lint    style, types and import contracts"
	@echo "make audit   look up the pinned packages in the database of known vulnerabilities (needs a network)"
	@echo "make mutants measure how many small changes of the code the tests notice (an hour; AREA=... for a part)"
	@echo "make milvus-server  install a Milvus server into build/, on which make test then runs its tests, too"
	@echo "make siglip  install what the preset siglip2 needs into build/, with which make test then tests it, too"
	@echo "make run-milvus-server  run that server at http://127.0.0.1:19530 until Ctrl-C (data in build/milvus-data)"
	@echo "make bench   run the short form of all benchmarks into build/bench (ten minutes)"
	@echo "make films   draw the sample films and their labels again (minutes)"
	@echo "make clean   remove the virtual environment and what the demo wrote"

setup: $(STAMP)
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "momentseek needs Python 3.11 or newer; name one by `make PYTHON=python3.11 ...`")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the pinned packages into $(VENV) (some 6 GB with CUDA; minutes on the first run) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@rm -rf momentseek.egg-info  # an earlier build backend left it, and Python would read it in place of the metadata
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

demo: $(STAMP)
	@$(BIN)/momentseek demo --output demo-output

# Two processes side by side. Some of the tests: make test PYTEST_ARGS="tests/video -k grid"
PYTEST_ARGS ?=
test: $(STAMP)
	@$(BIN)/python -m tests.side_by_side $(PYTEST_ARGS)

# Of what is drawn at random, a fifth.
unit: $(STAMP)
	@MOMENTSEEK_EXAMPLES=$${MOMENTSEEK_EXAMPLES:-20} $(BIN)/python -m tests.side_by_side -m "not ray and not milvus_server and not browser and not gpu and not world and not footage and not siglip and not slow" $(PYTEST_ARGS)

lint: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

# In an environment of its own: what it installs is no part of what is audited.
audit:
	@test -x build/audit/bin/pip-audit || { $(PYTHON) -m venv build/audit && build/audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit==2.10.1; }
	@build/audit/bin/pip-audit --strict --no-deps --disable-pip -r requirements.lock

# A part, and a greater sample: make mutants AREA="store index" COUNT=400 SEED=8
COUNT ?= 200
SEED ?= 7
mutants: $(STAMP)
	@test -e build/mutants/.complete || $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target build/mutants mutmut==3.8.1 libcst==1.9.0
	@touch build/mutants/.complete
	@$(BIN)/python tests/mutation/mutation_run.py $(AREA) --count $(COUNT) --seed $(SEED)

milvus-server: $(STAMP)
	@$(BIN)/python tests/milvus_server.py build/milvus-server

siglip: $(STAMP)
	@test -e build/siglip/.complete || $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --target build/siglip -r tests/siglip.lock
	@touch build/siglip/.complete

# Another port: make run-milvus-server MILVUS_PORT=19531
MILVUS_PORT ?= 19530
run-milvus-server: milvus-server
	@$(BIN)/python tests/milvus_server.py serve build/milvus-data $(MILVUS_PORT)

films: $(STAMP)
	@$(BIN)/python -m sample_videos.generate

# A benchmark's name and what it is told; what it says goes to a log, which is shown if it fails.
define bench
@echo "$(1) ..."
@$(BIN)/python -m benchmarks.$(1) $(2) --output build/bench/$(1).json >build/bench/$(1).log 2>&1 || { cat build/bench/$(1).log; exit 1; }
endef

bench: $(STAMP)
	@mkdir -p build/bench
	$(call bench,decode,--repeats 1 sample_videos/harbour-day.mp4 sample_videos/winter-road.mp4)
	$(call bench,scenes,--repeats 1 --films 4)
	$(call bench,encode,--repeats 2)
	$(call bench,pipeline,--repeats 1 sample_videos/harbour-day.mp4)
	$(call bench,memory,--short --repeats 1)
	$(call bench,executors,--short --repeats 1)
	@$(BIN)/python -m benchmarks.plots build/bench

clean:
	rm -rf $(VENV) demo-output
