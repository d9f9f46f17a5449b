# Thin recipes; what they do is in the scripts they call.
.PHONY: help run ui test check fuzz conformance-garage bench demo dist fmt
.DEFAULT_GOAL := help

help: ## list these recipes
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-19s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## build the server with its plugins and start it on http://127.0.0.1:5000 and https://127.0.0.1:5001
	@core/web/ui/build --if-possible
	cargo run --release

ui: ## build the web interface, which the next build of the server takes in; needs Node 20.19 or later
	@core/web/ui/build

test: ## run every test that this machine can run; say which were skipped, and why
	@.ci/test

check: ## format, lints and tests of the workspace: what to run before a commit
	cargo fmt --all -- --check
	cargo clippy --workspace --all-targets -- -D warnings
	@.ci/test

fuzz: ## hold the built server to its API document for as long as it takes, each time with other requests
	@cargo build --workspace && SEED=$$(date +%s) EXAMPLES=100 SECONDS_MAX=3600 tests/schemathesis/run

conformance-garage: ## try the s3 plugin with Garage; builds that first, which takes a dozen minutes once
	@plugins/conformance/servers/garage

bench: ## measure against nginx and docker-registry on this machine
	@tests/bench/run

demo: ## publish a small box to an empty server and fetch it again
	@examples/curl/demo.sh

dist: ## build what is published: the program and its plugin libraries, in target/dist
	@core/web/ui/build --if-possible
	cargo build --profile dist --locked

fmt: ## format all code
	cargo fmt --all
