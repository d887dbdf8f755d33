.DEFAULT_GOAL := help
.PHONY: help build man test race lint fuzz bench compare ci

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## Build supervisor and worker into bin/, without cgo
	CGO_ENABLED=0 go build -trimpath -o bin/ ./cmd/...

man: ## Write the manual pages into bin/man; read them with man -M bin/man supervisor
	go run -buildvcs=true ./cmd/supervisor man -dir bin/man/man1

test: ## Run the tests
	go test ./...

race: ## Run the tests under the race detector
	CGO_ENABLED=1 go test -race -short ./...

lint: ## gofmt, vet and staticcheck
	CI_STEPS="fmt vet" .ci/run

fuzz: ## Fuzz every target for FUZZTIME (20s)
	CI_STEPS=fuzz .ci/run

bench: ## Run the benchmarks of the wire, the queue and the pool
	go test -run '^$$' -bench . ./ipc ./queue ./pool

compare: ## Measure us, the peers and the floor, and write docs/benchmarks.md
	cd bench && go run .

ci: ## Everything that must hold before a change lands
	.ci/run
