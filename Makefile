# make test      everything that needs no root: unit tests, the API server tests
# make e2e       the rest, on a real node with real containers (root, Debian)
# make race      the tests of the library with the race detector
# make lint      gofmt, go vet on six platforms, staticcheck
# make bench     what the provider costs beside client-go alone
# make bench-logs  what following logs loses and how fast it is, beside stern (root, Debian)
# make cluster   a Kubernetes to play with; make cluster-down removes it

GO ?= go
TESTCLUSTER = $(GO) run ./internal/testcluster/cmd/testcluster
STATICCHECK = $(GO) run honnef.co/go/tools/cmd/staticcheck@v0.7.0

# The components of Kubernetes are built before the tests, whose time limits
# are for tests. It takes minutes once; the result is kept in the user's cache.
.PHONY: test
test: cluster-binaries
	$(GO) test -timeout 20m ./...

# The race detector needs a C compiler.
.PHONY: race
race: cluster-binaries
	$(GO) test -race -timeout 30m . ./fake/... ./internal/configs ./internal/cron ./internal/loglines ./provider/... ./kubernetes

# E2E selects end-to-end tests by name. By default it is those that the tag
# adds: make test runs the others.
.PHONY: e2e
e2e: cluster-binaries
	$(TESTCLUSTER) check
	added=$$(cat $$(git ls-files '*_e2e_test.go') | sed -n 's/^func \(Test[A-Za-z0-9_]*\)(t .*/\1/p' | paste -sd '|'); \
	$(GO) test -tags e2e -timeout 45m -p 1 -parallel 8 -run "$(or $(E2E),^($$added)$$)" ./kubernetes/... ./examples/... ./internal/testcluster/...

.PHONY: bench
bench: cluster-binaries
	$(GO) test -run '^$$' -bench . -benchtime 1x -timeout 30m ./kubernetes

# docs/logs.md explains the table that it prints. It builds stern once, into
# the user's cache, and takes about five minutes.
.PHONY: bench-logs
bench-logs: cluster-binaries
	$(TESTCLUSTER) check
	$(GO) test -tags e2e -run '^$$' -bench '^BenchmarkLogsBesideStern$$' -benchtime 1x -v -timeout 30m ./kubernetes

.PHONY: cluster
cluster:
	@$(TESTCLUSTER) up

.PHONY: cluster-down
cluster-down:
	@$(TESTCLUSTER) down

.PHONY: cluster-binaries
cluster-binaries:
	$(TESTCLUSTER) build

.PHONY: lint
lint:
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "gofmt would change:"; echo "$$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags e2e ./...
	for os in linux darwin windows; do for arch in amd64 arm64; do \
		echo "vet $$os/$$arch"; CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch $(GO) vet ./... || exit 1; \
	done; done
	$(STATICCHECK) ./...
	$(STATICCHECK) -tags e2e ./...
	$(GO) mod tidy -diff
