# `make` alone lists what there is to make. Each target sets up what it needs in .venv, and redoes only what changed.
# On Windows, or without make: the README gives the same as pip and python commands.

PYTHON ?= python3
# Index of packages to ask for torch, for example one with builds for the CPU alone; empty is pip's own.
TORCH_INDEX ?=
# More for the benchmarks: `make bench BENCH="dropout --rounds 31"`.
BENCH ?=
# More for pytest: `make test PYTEST="tests/test_blocks.py -x"`. Tests run in two processes; "-n 0" runs them in one.
PYTEST ?=
# More for Lighthouse: `make lighthouse LIGHTHOUSE="--runs 1 chapters/objective/"`.
LIGHTHOUSE ?=
# More for the breaking of kernels: `make mutants MUTANTS="dlnotes.numpy.objective"`; --help lists all.
MUTANTS ?=

# RUN=0 builds the site without Python in its pages, which is else fetched once (106 MB, of which 27 are kept in a cache).
RUN ?= 1
export RUN

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

# Says whether the site has Python in its pages. The tests of the gate build the site too, so they need it beforehand.
WITH := .cache/.run-$(if $(filter 0,$(RUN)),without,with)

# What the site is made of, folders too, so that a file taken away counts. The drawn figures are made themselves.
SOURCES := $(shell find docs dlnotes overrides benchmarks/results.json mkdocs.yml ! -path 'docs/assets/figures*' ! -path '*__pycache__*')

.DEFAULT_GOAL := help
.PHONY: help site exports serve test bench lighthouse first-run mutants figures readme-picture browser clean
.DELETE_ON_ERROR:

help:  ## say what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

site: site/index.html  ## check the pages, draw the figures, build the site
	@echo "The book is in site/. To read it, run make serve and open http://127.0.0.1:8000"

site/index.html: $(SOURCES) $(VENV)/.site $(WITH)
	$(PY) -m dlnotes site

# The site is built anew when RUN says something else than the last time.
.cache/.run-%:
	@mkdir -p .cache && rm -f .cache/.run-* && touch $@

exports: site $(VENV)/.exports browser  ## PDF, EPUB, deck, slides, sheets, Markdown, BibTeX: into exports/ and beside the site
	$(PY) -m dlnotes exports

serve: $(VENV)/.site  ## show the book on http://127.0.0.1:8000 and follow changes of the pages
	$(PY) -m dlnotes serve

figures: $(VENV)/.site  ## draw the figures; those that did not change are kept
	$(PY) -m dlnotes figures

test: $(VENV)/.test browser $(WITH)  ## run every test and every block of the pages (with CI=1 nothing may be skipped for want of a tool)
	$(if $(PYTEST),,$(PY) -m dlnotes figures)
	$(PY) -m pytest -n 2 $(PYTEST)

bench: $(VENV)/.bench  ## time the kernels beside their peers, for the page on benchmarks (some minutes)
	$(PY) -m benchmarks $(BENCH)

lighthouse: site $(VENV)/.test  ## Lighthouse on a telephone: home, the claims, the heaviest chapter (needs Node; a quiet machine)
	$(PY) -m tests.site.lighthouse $(LIGHTHOUSE)

first-run: site $(VENV)/.test  ## time the first Run of a block in the page, for the page on benchmarks (a quiet machine)
	$(PY) -m tests.site.first_run

mutants: $(VENV)/.test  ## break 600 places of the kernels, one at a time, and count what the tests notice (about an hour)
	$(PY) -m tests.mutation $(MUTANTS)

readme-picture: figures  ## draw the picture of the README anew
	@for theme in light dark; do \
	  cp docs/assets/figures/initialization/relu-depth.wide.$$theme.svg .github/relu-depth.$$theme.svg; \
	done

# At home a missing browser skips the tests of the built site. The gate fetches one.
browser:
	@[ -z "$(CI)" ] && exit; \
	for name in chromium chromium-browser google-chrome google-chrome-stable; do \
	  command -v $$name >/dev/null && exit; \
	done; \
	echo "No browser found: installing Debian's chromium."; \
	sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	$$sudo apt-get update -q && $$sudo apt-get install -qy --no-install-recommends chromium

clean:  ## remove the site, the figures and every cache; .venv stays
	rm -rf site exports build dist .cache .pytest_cache .ruff_cache .hypothesis docs/assets/figures
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed. Name one: make PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# Installed in place, so that a change of the code needs no new installation.
$(VENV)/.site: pyproject.toml constraints.txt | $(PY)
	$(PIP) --editable '.[site]'
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(PY)
	$(PIP) $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) --editable '.[test]'
	@touch $@ $(VENV)/.site $(VENV)/.exports

$(VENV)/.exports: pyproject.toml constraints.txt | $(PY)
	$(PIP) --editable '.[exports]'
	@touch $@ $(VENV)/.site

$(VENV)/.bench: pyproject.toml constraints.txt | $(PY)
	$(PIP) $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) --editable '.[bench]'
	@touch $@
