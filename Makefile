# `make` lists what there is. Settings: PORT= and PRIVATE_PORT= for the demo.
.DEFAULT_GOAL := help
.PHONY: help demo test check bench build fmt
MAKEFLAGS += --no-builtin-rules
export PORT PRIVATE_PORT

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## run Portcullis before a real MLflow on 127.0.0.1:8080 (PORT=), until Ctrl-C
	@exec scripts/demo.py

test: ## install what tests need, then check everything and run all tests
	@exec scripts/test

check: ## formatting, lints, licences and bans: the part of `make test` before the tests
	@exec scripts/check

bench: ## measure Portcullis beside other proxies: a report in target/bench
	@exec scripts/bench

build: ## build the release binary
	@scripts/setup build
	cargo build --release --locked

fmt: ## format the Rust code
	cargo fmt
