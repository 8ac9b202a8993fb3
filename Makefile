# Everything runs in .venv; the stamp file says which pyproject.toml it was set up from.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.set-up
RUN_STAMP := $(VENV)/.set-up-to-run

.PHONY: chat test check sshd format bench clean

chat: $(RUN_STAMP)  ## set up, fetch the embedded model, make a demo companion if none, talk
	@$(BIN)/perdure models list --json | grep -q '"installed": true' || $(BIN)/perdure models pull
	@$(BIN)/perdure list --json | grep -q '"path"' || $(BIN)/perdure new Mira --template friend
	@$(BIN)/perdure chat $(NAME)

test: check sshd  ## exactly what CI runs
	$(BIN)/pytest -n 3 --dist worksteal -q

# For tests that push by ssh. Only where nothing would start it, as in a container; elsewhere, and where
# it cannot be had, they say that they were skipped.
sshd:
	@[ -x /usr/sbin/sshd -a -x /usr/bin/gitolite ] || [ ! -x /usr/sbin/policy-rc.d ] || \
	[ "$$(id -u)" != 0 ] || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	apt-get install -qq --no-install-recommends openssh-server gitolite3 >/dev/null; } || \
	echo "openssh-server and gitolite3 cannot be installed: tests of ssh are skipped"

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)  ## prints figures beside a named peer measured in the same run
	$(BIN)/python -m tests.bench

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(RUN_STAMP): pyproject.toml | $(VENV)/bin/python
	@echo "Setting up $(VENV) …"
	$(BIN)/python -m pip install --quiet --editable '.[embedded]'
	@$(BIN)/python -m compileall -q src
	@touch $@

$(STAMP): pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[embedded,dev]'
	@touch $@ $(RUN_STAMP)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
