# What is done to this repository, one target each. Nothing but Go is needed, except by ci (see .ci/run).

GO   ?= go
LINT  = $(GO) tool -modfile=tools/go.mod golangci-lint

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: test
test: ## Run all tests, as the README says it
	$(GO) test ./...

.PHONY: race
race: ## Run all tests under the race detector
	$(GO) test -race ./...

.PHONY: soak
soak: ## Run the long forms of the tests too: more rounds, more kills, more restarts (up to an hour)
	PLBA_TEST_LONG=1 $(GO) test -race -count=1 -timeout 60m ./...

.PHONY: lint
lint: ## Check format, vet and the rules of .golangci.yaml (the first run builds the linter: about a minute)
	@files=$$(gofmt -l .); if [ -n "$$files" ]; then echo "gofmt would change:"; echo "$$files"; exit 1; fi
	$(GO) vet ./...
	$(LINT) run ./...

.PHONY: generate
generate: ## Make again what is made from the code: the OpenAPI document, and the client made of it
	$(GO) generate ./...

.PHONY: tidy
tidy: ## Bring go.mod and go.sum of every module in line with the imports
	$(GO) mod tidy
	cd contract/outside && $(GO) mod tidy
	cd bench && $(GO) mod tidy
	cd tools && $(GO) mod tidy

.PHONY: bench
bench: ## Run all benchmarks; docs/benchmarks.md explains the figures
	$(GO) test -run '^$$' -bench . -benchmem ./...

.PHONY: ci
ci: ## Run what every change has to pass; installs Debian packages, so as root on a machine that may have them
	bash .ci/run
