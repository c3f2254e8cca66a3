# For developers. To try cogauth or to test it you need no make: see the README's first lines.
.PHONY: test bench lint screenshots build

test: ## everything, on real parts
	./test.sh

bench: ## whole processes, as ratios to a Go hello-world in the same rounds
	COGAUTH_BENCH=1 go test -count=1 -timeout 20m -run TestProcesses -v ./internal/bench

lint: ## formatting, and vet for every system
	@test -z "$$(gofmt -l .)" || { gofmt -l .; exit 1; }
	for os in linux windows darwin; do GOOS=$$os CGO_ENABLED=0 go vet ./... || exit 1; done
	cd e2e && go vet ./...
	if command -v staticcheck >/dev/null; then staticcheck ./...; fi

SHOTS ?= $(CURDIR)/dist/screenshots
screenshots: ## every page a person sees, light and dark
	mkdir -p $(SHOTS)
	cd e2e && COGAUTH_SCREENSHOTS=$(SHOTS) go test -count=1 -run TestPages -v ./...
	@echo "pictures are in $(SHOTS)"

build: ## as released
	mkdir -p dist
	CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o dist/cogauth ./cmd/cogauth
