# Everything from a bare machine with Python 3.11 and make: `make demo`, `make test`, `make bench`.

PYTHON ?= $(firstword $(foreach python,python3 python3.14 python3.13 python3.12 python3.11,$(shell \
	$(python) -c 'import sys; print(sys.executable) if sys.version_info >= (3, 11) else None' 2>/dev/null)))
VENV := .venv
BIN := $(VENV)/bin
# How many tests at once; real peers want a core each.
JOBS ?= 2
# An installed package is compiled; a checkout is not where PYTHONDONTWRITEBYTECODE is set, and then every program that
# a test or a benchmark starts compiles what it imports.
COMPILE = $(BIN)/python -m compileall -q vudissect tests

.PHONY: help demo test test-quick test-peers soak fuzz check dist-check packages bench docs captures conformance clean

help:
	@echo "make help        print this"
	@echo "make demo        record and explain a small session"
	@echo "make test        style, types and all tests, with real QEMU, qemu-storage-daemon, virtiofsd and DPDK"
	@echo "make test-quick  the tests that start no real peers: a few minutes"
	@echo "make test-peers  the tests with real peers, the long ones included: Open vSwitch, libvirt, Spark, a tree of Debian trixie"
	@echo "make soak        a million messages through vuproxy, each compared"
	@echo "make fuzz        100,000 mutated captures and conversations through every reader, on all cores"
	@echo "make check       style and types only"
	@echo "make dist-check  build sdist and wheel, and try the wheel in an environment of its own"
	@echo "make packages    install the Debian packages that make test needs"
	@echo "make bench       measure against a relay in C and against tshark"
	@echo "make docs        generate the pages of docs/ that come from the code"
	@echo "make conformance run the conformance suite against real programs, and write docs/conformance/ again"
	@echo "make captures    record the captures in captures/ again"
	@echo "make clean       remove the virtual environment and what tools have cached"

$(VENV)/installed: pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed and was not found (make PYTHON=...)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || sh tests/packages.sh python3-venv
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

packages:
	@sh tests/packages.sh $$(cat tests/peers/packages.txt)

demo: $(VENV)/installed
	@$(BIN)/vudissect demo

check: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

dist-check: $(VENV)/installed
	@$(BIN)/python tools/dist_check.py

test:
	@# They wait for different things: the package registry, the processor, the Debian mirror.
	@$(MAKE) --no-print-directory --jobs 3 --output-sync check dist-check packages
	@$(COMPILE)
	$(BIN)/pytest -n $(JOBS) --dist loadscope

test-quick: $(VENV)/installed
	@sh tests/packages.sh gcc libc6-dev lua5.2 lua5.4 tshark
	@$(COMPILE)
	$(BIN)/pytest -n $(JOBS) --dist loadscope -m "not peers and not peers_slow and not soak"

test-peers: $(VENV)/installed packages
	@sh tests/packages.sh $$(cat tests/peers/packages-slow.txt)
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[spark]'
	@sh tests/peers/trixie.sh
	@$(COMPILE)
	$(BIN)/pytest -n $(JOBS) --dist loadscope -m "peers or peers_slow"

soak: $(VENV)/installed packages
	$(BIN)/pytest -m soak --timeout 3600

fuzz: $(VENV)/installed
	$(BIN)/python -m tests.fuzz

bench: $(VENV)/installed packages
	@sh tests/packages.sh gcc libc6-dev
	$(COMPILE)
	$(BIN)/python -m benchmarks

docs: $(VENV)/installed
	$(BIN)/vudissect messages --markdown > docs/messages.md
	$(BIN)/vudissect dialects --markdown > docs/dialects.md
	$(BIN)/vudissect rules --markdown > docs/rules.md
	$(BIN)/python tools/rule_pages.py docs/rules
	$(BIN)/vudissect filters > docs/filters.md
	$(BIN)/python -m vudissect.render.diagrams > docs/states.md
	$(BIN)/python -m vudissect.check.page > docs/conformance-cases.md
	$(BIN)/python -m vudissect.check.specification_page > docs/conformance-specification.md
	$(BIN)/python -m vudissect.tables.page > docs/tables.md
	$(BIN)/python -m tools.conformance --pages
	$(BIN)/python -m tests.interop.table > docs/interop-bugs.md
	$(BIN)/python tools/version_differences.py > docs/version-differences.md
	$(BIN)/vudissect wireshark generate > wireshark/vhost_user.lua
	$(BIN)/python -m vudissect.scapy.stub > $(VENV)/stub && mv $(VENV)/stub vudissect/scapy/__init__.pyi
	$(BIN)/python -m vudissect.wireshark.profile wireshark/profiles/vhost-user

captures: $(VENV)/installed packages
	@sh tests/packages.sh $$(cat tests/peers/packages-slow.txt)
	@sh tests/peers/trixie.sh
	$(BIN)/python captures/make.py

conformance: $(VENV)/installed packages
	@sh tests/packages.sh $$(cat tests/peers/packages-slow.txt)
	@sh tests/peers/trixie.sh
	$(BIN)/python -m tools.conformance
	$(BIN)/python -m tools.conformance --deaths

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache
