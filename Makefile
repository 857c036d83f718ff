# Two commands on a fresh machine: `make audit` and `make test`. Both set everything up first, and
# need no network once that is done.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
PANGO  := libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0
# What the tests look at besides: a real data set, and a second reader of our PDFs.
TESTED := dataset-fashion-mnist poppler-utils

CLAIM ?=
OUT   ?= audits/$(if $(CLAIM),$(basename $(notdir $(CLAIM))),digits-fnn)

.PHONY: audit test lint bench pdf-libraries clean

# A refuted or undecided claim is a result: only codes 2 and 4 are failures.
audit: $(READY) pdf-libraries
	@$(BIN)/auditkit audit $(CLAIM) --out $(OUT); code=$$?; \
	case $$code in 0|1|3) echo "exit code $$code: the audit is done, see $(OUT)/report.html";; *) exit $$code;; esac

test: $(READY) pdf-libraries lint
	@$(call apt_install,$(TESTED),dpkg -s $(TESTED),some tests will be skipped)
	$(BIN)/pytest -q -n 2 --dist loadfile

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# About twenty minutes on two cores; prints a table and writes benchmarks/results/engine.json.
bench: $(READY)
	@$(call apt_install,dataset-fashion-mnist,dpkg -s dataset-fashion-mnist,random images will stand in for it)
	$(BIN)/python -m benchmarks.speed.engine

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "auditkit needs Python 3.11 or newer; name one with: make PYTHON=python3.11 ..."; exit 2; }
	@$(call apt_install,python3-venv,$(PYTHON) -c 'import ensurepip',no virtual environment can be made)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[pdf,dev]'
	@touch $@

# PDF needs pango, and harfbuzz-subset to come out the same to the last byte. Without pango the report is
# HTML only, and the audit still succeeds.
pdf-libraries: $(READY)
	@$(call apt_install,$(PANGO),$(BIN)/python -W ignore -c 'from weasyprint.text.ffi import harfbuzz_subset as h; assert h',there may be no report.pdf)

clean:
	rm -rf $(VENV) audits build *.egg-info .mypy_cache .pytest_cache .ruff_cache

# $(call apt_install,packages,test that succeeds if they are there,what follows if they are not)
define apt_install
$(2) >/dev/null 2>&1 || { \
	[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(1) >/dev/null; \
} || echo "$(3); to change that: sudo apt-get install --no-install-recommends $(1)"
endef
