# wallet_ledger: everything a person does here, by name. The work is in scripts/.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help bootstrap demo test test-long mutants bench lint fmt build docs install package clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

bootstrap: ## install what the build needs and this machine lacks
	@scripts/bootstrap.sh

demo: bootstrap ## build, start a private PostgreSQL, show what the ledger does, stop
	@scripts/demo.sh

test: bootstrap ## build and run all tests against a private PostgreSQL
	@scripts/test.sh

test-long: bootstrap ## the same with the long forms: crash rounds, soak, large replays
	@WL_LONG=1 scripts/test.sh

mutants: bootstrap ## take out each guard in a scratch copy: its test must go red
	@scripts/mutants.sh

bench: bootstrap ## measure against the baselines and print the ratios
	@scripts/bench.sh

lint: bootstrap ## format, clippy, SQL and layer checks
	@scripts/lint.sh

fmt: ## format the Rust sources
	@cargo fmt --all

build: bootstrap ## build in release mode into a private PostgreSQL under target/
	@scripts/build.sh

docs: bootstrap ## write what is generated: docs/errors.md, sql/expected.sql, examples/demo.expected
	@scripts/docs.sh

install: bootstrap ## install into a real server: make install PG_CONFIG=/path/to/pg_config
	@scripts/install.sh

package: bootstrap ## dist/wallet_ledger-<version>-pg15-linux-<arch>.tar.gz, for a server
	@scripts/package.sh

clean: ## stop the private servers and remove everything that was built
	@scripts/clean.sh
