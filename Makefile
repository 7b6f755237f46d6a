# Lockkeeper. `make` lists what there is.
SHELL := /bin/bash
export CGO_ENABLED ?= 0
GO ?= go
GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
FUZZTIME ?= 20s
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

.PHONY: help build demo test check fuzz bench image update

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

build: ## build bin/lockkeeper
	$(GO) build -ldflags "-s -w -X main.version=$(VERSION)" -o bin/lockkeeper ./cmd/lockkeeper

demo: build ## watch a promotion happen in your browser
	bin/lockkeeper demo

test: ## run every test and scenario
	$(GO) test ./...

check: ## what must be green: format, lint, tidy, race tests, scenarios
	$(GO) mod tidy -diff
	$(GO) vet ./...
	$(GO) run $(GOLANGCI) run ./...
	$(GO) run $(GOLANGCI) fmt --diff
	CGO_ENABLED=1 $(GO) test -race ./...

fuzz: ## run every fuzz target for FUZZTIME
	@set -e; for pkg in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "$$pkg $$target"; $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 5x $$pkg; \
	  done; done

bench: ## measure what docs/benchmarks.md says
	$(GO) test -run '^$$' -bench . -benchtime 10x -benchmem ./... | grep -v '^\(ok\|?\|PASS\)'

update: ## rewrite golden files; review them as code
	$(GO) test ./cmd/lockkeeper ./render/... -update

image: ## build the images of the server and of jobs in GitLab CI (needs docker)
	$(GO) build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/lockkeeper ./cmd/lockkeeper
	docker build -f deploy/Dockerfile -t lockkeeper:$(VERSION) .
	docker build -f deploy/Dockerfile --target ci -t lockkeeper-ci:$(VERSION) .
