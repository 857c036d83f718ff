# Two commands on a fresh machine: `make audit` and `make test`. Both set everything up first, and
# need no network once that is done.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
DOCS   := $(VENV)/.docs
DIST   := $(VENV)/.release
PANGO  := libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0
# What the tests look at besides: a real data set, and a second reader of our PDFs.
TESTED := dataset-fashion-mnist poppler-utils
PYTEST := $(BIN)/pytest -q -n 2 --dist loadfile

CLAIM ?=
OUT   ?= audits/$(if $(CLAIM),$(basename $(notdir $(CLAIM))),digits-fnn)

.PHONY: audit test test-all lint types docs dist bench pdf-libraries test-data clean

# A refuted or undecided claim is a result: only codes 2 and 4 are failures.
audit: $(READY) pdf-libraries
	@$(BIN)/auditkit audit $(CLAIM) --out $(OUT); code=$$?; \
	case $$code in 0|1|3) echo "exit code $$code: the audit is done, see $(OUT)/report.html";; *) exit $$code;; esac

# What a change is tested with. The linters answer in seconds and come first; the type checker comes
# last, as it takes as long as many tests and seldom finds what they do not.
test: $(READY) pdf-libraries test-data lint
	$(PYTEST) -m "not slow"
	@$(MAKE) --no-print-directory types

# Everything, the slow tests too, and how much of the code they reach.
test-all: $(READY) pdf-libraries test-data lint types
	$(PYTEST) --cov --cov-branch --cov-report=term --cov-fail-under=95

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

# The site of the documentation, in site/: every link and every name in it is checked.
docs: $(DOCS)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --clean

# The wheel and the sdist, in dist/.
dist: $(DIST)
	rm -rf build dist
	$(BIN)/python -m build --no-isolation
	$(BIN)/twine check --strict dist/*

# About twenty minutes on two cores; prints a table and writes benchmarks/results/engine.json.
bench: $(READY)
	@$(call apt_install,dataset-fashion-mnist,dpkg -s dataset-fashion-mnist,random images will stand in for it)
	$(BIN)/python -m benchmarks.speed.engine

# The links are missing in an unpacked sdist; the type checker needs them, nothing else does.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "auditkit needs Python 3.11 or newer; name one with: make PYTHON=python3.11 ..."; exit 2; }
	@$(call apt_install,python3-venv,$(PYTHON) -c 'import ensurepip',no virtual environment can be made)
	@for room in attacks reports; do [ -e auditkit/$$room ] || ln -s ../$$room auditkit/$$room; done
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[pdf,dev]'
	@touch $@

$(DOCS): $(READY)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[docs]'
	@touch $@

$(DIST): $(READY)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[release]'
	@touch $@

# PDF needs pango, and harfbuzz-subset to come out the same to the last byte. Without pango the report is
# HTML only, and the audit still succeeds.
pdf-libraries: $(READY)
	@$(call apt_install,$(PANGO),$(BIN)/python -W ignore -c 'from weasyprint.text.ffi import harfbuzz_subset as h; assert h',there may be no report.pdf)

test-data:
	@$(call apt_install,$(TESTED),dpkg -s $(TESTED),some tests will be skipped)

clean:
	rm -rf $(VENV) audits build dist site *.egg-info .mypy_cache .pytest_cache .ruff_cache .coverage*

# $(call apt_install,packages,test that succeeds if they are there,what follows if they are not)
define apt_install
$(2) >/dev/null 2>&1 || { \
	[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(1) >/dev/null; \
} || echo "$(3); to change that: sudo apt-get install --no-install-recommends $(1)"
endef
