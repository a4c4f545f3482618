# weir's commands. `make run` needs Go alone; `make test` installs the rest.

GO   ?= go
ARGS ?=

# The go command fetches the toolchain that go.mod asks for, also where it is set
# up to use none but its own.
export GOTOOLCHAIN ?= auto

help: ## this
	@sed -n 's/^\([a-z]*\):.*## /\1	/p' $(MAKEFILE_LIST) | expand -t 10

run: build ## build and start weir demo; ARGS='--rate 100' for its flags
	@exec bin/weir demo $(ARGS)

build: ## build bin/weir
	@$(GO) build -trimpath -o bin/weir ./cmd/weir

test: ## install what is needed, then run everything CI runs
	@scripts/test.sh

fmt: ## format the Go files
	@gofmt -w $$($(GO) list -f '{{.Dir}}' ./...)

lint: ## vet, staticcheck, formatting, tidiness
	@scripts/test.sh format vet tidy lint

fuzz: ## fuzz all targets; TIME=5m for longer than 30 s each
	@scripts/fuzz.sh $(or $(TIME),30s)

bench: ## measure against other servers; minutes; ARGS='plaintext --quick' for less
	@bench/run.sh $(ARGS)

restarts: ## restart weirs ten times each behind nginx, HAProxy and the openai packages, under load; minutes
	@$(GO) test -count=1 -timeout=15m -v -run 'Restart$$' ./cmd/weir/internal/serve -restarts 10

cluster: ## kill and stop the servers of a NATS cluster one by one under hub/nats; a minute
	@cd hub/nats && $(GO) test -count=1 -v -run Cluster -cluster .

codex: build ## the Codex CLI does a task of two tools through weir serve and weir mock; installs it, 430 MB
	@scripts/clients/codex.sh

soak: ## 60 s of streams that end badly, and 60 s of a gateway around which all goes wrong; ARGS='-for 20s'
	@$(GO) test -tags soak -count=1 -timeout=10m -p 1 -v ./soak ./cmd/weir/internal/soak $(ARGS)

vuln: ## look the dependencies up in Go's vulnerability database
	@$(GO) tool -modfile=scripts/tools.mod govulncheck ./...

clean: ## remove what was built and installed
	@rm -rf bin .tools .venv bench/.bin bench/.tools
	@rm -rf scripts/browser/node_modules scripts/clients/node_modules scripts/eventsource/node_modules

.PHONY: help run build test fmt lint fuzz bench restarts cluster codex soak vuln clean
