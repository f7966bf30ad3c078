# The two commands a newcomer needs are `make run` and `make test`.

DATA ?= ./stockade-data
PID  := $(DATA).pid
LOG  := $(DATA).log
# Whether `make up` serves this data now.
IS_UP = [ -f $(PID) ] && kill -0 `cat $(PID)` 2>/dev/null
CARGO ?= cargo
BIN := $(or $(CARGO_TARGET_DIR),target)/release/stockade
# A trial asks nobody who he is, and serves this machine only. AUTH=jwt serves as `stockade serve` does by default.
AUTH ?= none
# Where `make up` listens: programs written for other shop systems look for 8000, 8001 and 8002.
LISTEN ?= $(foreach port,8080 8000 8001 8002,--listen 127.0.0.1:$(port))

.PHONY: run test build up down setup migrate seed bench lint deny doc help

run: build ## build, and serve on http://127.0.0.1:8080 with sample data and without sign-in, until Ctrl-C
	$(BIN) serve --demo --auth $(AUTH) --data-dir $(DATA)

test: ## the whole test suite
	$(CARGO) test --workspace --locked
	tests/schemathesis/run.sh

build: ## the release binary
	$(CARGO) build --release --locked

up: build ## serve in the background, on ports 8080, 8000, 8001 and 8002
	@if $(IS_UP); then echo "already up (pid `cat $(PID)`)"; else \
	  $(BIN) serve --demo --auth $(AUTH) $(LISTEN) --data-dir $(DATA) > $(LOG) 2>&1 & echo $$! > $(PID); \
	  for i in 1 2 3 4 5 6 7 8 9 10; do grep -q 'http://' $(LOG) 2>/dev/null && break; kill -0 `cat $(PID)` 2>/dev/null || break; sleep 0.3; done; \
	  cat $(LOG); kill -0 `cat $(PID)`; fi

down: ## stop what `make up` started, and wait until it has shut down
	@if [ -f $(PID) ]; then kill -TERM `cat $(PID)` 2>/dev/null || true; \
	  while kill -0 `cat $(PID)` 2>/dev/null; do sleep 0.1; done; rm -f $(PID); echo down; else echo "not up"; fi

setup: ## fetch every dependency
	$(CARGO) fetch --locked

migrate: ## check the data directory; older formats are brought forward by the next start
	@if $(IS_UP); then echo "up (pid `cat $(PID)`): its start has brought $(DATA) forward, nothing to migrate"; \
	elif [ ! -e $(DATA) ]; then echo "there is no $(DATA) yet: nothing to migrate"; \
	else $(MAKE) --no-print-directory build && $(BIN) verify $(DATA); fi

seed: build ## made-up products and orders: into what `make up` serves, or else into the directory that it will serve
	@if $(IS_UP); then $(BIN) seed --products 1000 --orders 10000 --url `sed -n 's/^listening *//p' $(LOG) | head -n 1`; \
	else $(BIN) seed --products 1000 --orders 10000 --data-dir $(DATA); fi

bench: ## the Criterion benches
	$(CARGO) bench --locked

lint: ## formatting and lints, as CI checks them
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

deny: ## licences, advisories and banned crates; needs cargo-deny, and the network for the advisories
	$(CARGO) deny --workspace --locked check

doc: ## the library's documentation
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/make \1\t\2/' | expand -t 16
