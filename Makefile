# The whole interface of the project. Each target installs what it needs into .venv; nothing but Python 3.11+, Rust and
# make has to be there. `make` alone lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
UV_VERSION := 0.13.9
CARGO := cargo --quiet
CRATE := --manifest-path fastcsv/Cargo.toml
SOURCES := daemon/stewardd clients/python/src scripts examples tests proto/generate.py benchmarks

export UV_PROJECT_ENVIRONMENT := $(VENV)
export PYTHONUNBUFFERED := 1
# Images for containers often set it; a daemon whose modules are not kept compiled takes twice as long to start.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
OUT ?= build/proto

.PHONY: proto-into help demo run test test-full engine-tests python-tests test-arm check bench bench-postgres bench-payloads bench-backup bench-restore bench-migrations soak fuzz sanitize proto client docs format sync clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

demo: sync  ## see it work: validate, quarantine, put right, back up, ask for its health; leaves nothing running
	@$(BIN)/python scripts/demo.py

run: sync  ## the daemon in the foreground, on an embedded PostgreSQL; its address is printed
	@$(BIN)/stewardd $(if $(DATA_DIR),--data-dir "$(DATA_DIR)")

# Tests often wait: so there are more processes than two cores, and the engine's tests run beside them.
# PYTEST_ARGS="-n 0" is one after the other.
PYTEST := $(BIN)/pytest -n 3 --dist loadgroup --no-loadscope-reorder $(PYTEST_ARGS)

test: sync  ## every test, fault campaigns as a seeded sample
	@$(BIN)/python scripts/test_needs.py
	@$(MAKE) --no-print-directory --jobs 2 engine-tests python-tests

test-full: export STEWARD_TEST_CAMPAIGNS := full
test-full: test  ## every test, fault campaigns in full

# What cargo prints is shown once it has ended: beside pytest's progress it could not be read. It shares no jobs with make.
engine-tests:
	@mkdir -p build
	@MAKEFLAGS= $(CARGO) test $(CRATE) --no-default-features > build/engine-tests.log 2>&1; code=$$?; \
	  cat build/engine-tests.log; exit $$code

python-tests:
	$(PYTEST)

check: sync  ## lint, types, formatting, the contract, the layers
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest fastcsv
	$(BIN)/lint-imports
	cargo fmt $(CRATE) --check
	cargo clippy $(CRATE) --quiet --all-targets -- -D warnings
	@$(call proto_tool,--image build/steward.binpb build)
	$(BIN)/buf lint build/steward.binpb --config proto/buf.yaml

bench: sync  ## measure against peers, side by side; writes benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks

bench-postgres: sync  ## measure the pool and the breaker beside their peers; prints a page
	$(BIN)/python -m benchmarks.postgres

bench-payloads: sync  ## measure the validation of JSON payloads beside its peers; writes benchmarks/PAYLOADS.md
	$(BIN)/python -m benchmarks.payloads

bench-backup: sync  ## measure backups beside their peers (SIZE=2048 MiB); writes benchmarks/BACKUP.md
	$(BIN)/python -m benchmarks.backup --size $(or $(SIZE),2048)

bench-migrations: sync  ## measure migrations beside psql and pg_dump; writes benchmarks/MIGRATIONS.md
	$(BIN)/python -m benchmarks.migrations

bench-restore: sync  ## measure restores and verifications beside pg_restore (SIZE=2048 MiB); writes benchmarks/RESTORE.md
	$(BIN)/python -m benchmarks.backup.restoring --size $(or $(SIZE),2048)

# MINUTES=60 of load and trouble; not a part of make test.
soak: MINUTES = 60
soak: sync  ## an hour of load and trouble on a pool, after which nothing may have grown
	$(BIN)/python -m benchmarks.postgres.soak --minutes $(MINUTES)

# Both need flags that stable Rust hides; RUSTC_BOOTSTRAP shows them, so that no second toolchain has to be there.
FUZZ_TARGETS := json schema records whole_file payload event
MINUTES ?= 1
# A thread of whole_file that is still ending looks like a leak.
fuzz: build/tools/bin/cargo-fuzz  ## every fuzz target for MINUTES=1 each, with AddressSanitizer
	cd fastcsv && for target in $(FUZZ_TARGETS); do mkdir -p fuzz/corpus/$$target && \
	  RUSTC_BOOTSTRAP=1 CARGO_PROFILE_RELEASE_LTO=off PATH="$(CURDIR)/build/tools/bin:$$PATH" \
	  cargo fuzz run $$target -- -max_total_time=$$(($(MINUTES) * 60)) -timeout=60 \
	  $$([ $$target != whole_file ] || echo -detect_leaks=0) || exit 1; done

build/tools/bin/cargo-fuzz:
	cargo install --quiet --locked cargo-fuzz --version 0.13.2 --root build/tools

sanitize:  ## the engine's tests under AddressSanitizer
	RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=address" CARGO_TARGET_DIR=build/sanitize \
	  cargo test --quiet $(CRATE) --no-default-features --lib --tests --target $$(rustc -vV | sed -n 's/^host: //p')

# Zig is the compiler and linker for what of it is C; statically linked, so that nothing of such a machine has to be here.
ARM := aarch64-unknown-linux-musl
test-arm: sync build/tools/qemu-aarch64  ## the engine's tests on a 64-bit ARM (NEON), under QEMU
	rustup --quiet target add $(ARM)
	CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_RUNNER="$(CURDIR)/build/tools/qemu-aarch64" CARGO_TARGET_DIR=build/arm \
	  $(UV) run --quiet --no-project --isolated --with ziglang==0.17.1 --with cargo-zigbuild==0.24.1 \
	  cargo-zigbuild test --quiet $(CRATE) --no-default-features --lib --tests --target $(ARM)

# The one that is installed, or Debian's, unpacked here.
build/tools/qemu-aarch64:
	@mkdir -p build/tools/qemu
	@found=$$(command -v qemu-aarch64-static || command -v qemu-aarch64) || { \
	  (cd build/tools/qemu && apt-get -qq download qemu-user-static && dpkg -x qemu-user-static_*.deb .) && \
	  found="$(CURDIR)/build/tools/qemu/usr/bin/qemu-aarch64-static"; } && ln -sf "$$found" $@

proto: sync  ## generate the modules of the contract
	@$(call proto_tool,proto)

# Where a test asks for it: into a folder of its own.
proto-into:
	@$(call proto_tool,$(OUT))

client: sync  ## generate the plain client from the asyncio client
	$(BIN)/python scripts/plain_client.py

docs: sync  ## generate the reference pages
	$(BIN)/python scripts/reference.py
	$(BIN)/python scripts/database_page.py

format: sync  ## put the formatting right
	$(BIN)/ruff check --fix-only $(SOURCES)
	$(BIN)/ruff format $(SOURCES)
	cargo fmt $(CRATE)

clean:  ## remove what was built, the environment included
	rm -rf $(VENV) build fastcsv/target uv.lock .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

# The generator has an environment of its own: its grpcio-tools is older than what the daemon runs on (see proto/generate.py).
define proto_tool
mkdir -p build && $(UV) run --quiet --no-project --isolated \
  --with grpcio-tools==1.76.0 --with mypy-protobuf==3.7.0 --with googleapis-common-protos==1.76.0 \
  python proto/generate.py $(1) 2>&1 | sed '/^Writing mypy/d'
endef

sync: $(UV)
	@$(UV) sync --quiet --all-packages --inexact

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "make: $(PYTHON) is older than 3.11; try make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@command -v cargo >/dev/null || { echo "make: cargo is not there; install Rust first" >&2; exit 1; }
	@echo "making $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
