# make test      everything that needs no root: unit tests, the API server tests
# make e2e       the rest, on a real node with real containers (root, Debian)
# make race      the tests of the library with the race detector
# make lint      gofmt, go vet on three platforms, staticcheck
# make bench     what the Kubernetes provider costs beside client-go alone, what 10,000 policies cost, and what REST costs
# make bench-logs  what following logs loses and how fast it is, beside stern (root, Debian)
# make cluster   a Kubernetes to play with; make cluster-down removes it

GO ?= go
TESTCLUSTER = $(GO) run ./internal/testcluster/cmd/testcluster
STATICCHECK = $(GO) run honnef.co/go/tools/cmd/staticcheck@v0.7.0

# Most tests of the Kubernetes provider wait for the API server, so more of them
# run at a time than there are processors.
PARALLEL = -parallel 8

# The components of Kubernetes are built before the tests, whose time limits
# are for tests. It takes minutes once; the result is kept in the user's cache.
.PHONY: test
test: cluster-binaries
	$(GO) test -timeout 20m $(PARALLEL) ./...

# The race detector needs a C compiler. It sees one process at a time, so tests
# that are about several, and start dozens of them, are left to make test: what
# each process does is done by other tests, too.
PROCESSES = ^Test(SuiteFindsDefects|KillingFindsDefects|.*WhenTheProcessIsKilled|(Create|Apply)KilledAfterAnyWrite.*|TwoProcesses.*)$$
.PHONY: race
race: cluster-binaries
	$(GO) test -race -timeout 20m $(PARALLEL) -skip '$(PROCESSES)' . ./autoscale/... ./discovery/... ./volume/... ./fake/... ./httpapi/... ./internal/configs ./internal/cron ./internal/intercept ./internal/loglines ./internal/pipehttp ./examples/server ./provider/... ./kubernetes

# E2E selects end-to-end tests by name. By default it is those that the tag
# adds: make test runs the others.
.PHONY: e2e
e2e: cluster-binaries
	$(TESTCLUSTER) check
	added=$$(cat $$(find . -name '*_e2e_test.go') | sed -n 's/^func \(Test[A-Za-z0-9_]*\)(t .*/\1/p' | paste -sd '|'); \
	$(GO) test -tags e2e -timeout 45m -p 1 $(PARALLEL) -run "$(or $(E2E),^($$added)$$)" ./kubernetes/... ./examples/... ./internal/testcluster/...

# 10,000 instances keep the controllers busy for minutes after they are gone, so
# they come last, on an API server of their own.
.PHONY: bench
bench: cluster-binaries
	$(GO) test -run '^$$' -bench . -benchtime 1x -timeout 10m ./httpapi
	$(GO) test -run '^$$' -bench . -benchtime 20x -timeout 10m ./autoscale
	$(GO) test -run '^$$' -bench 'ALine|Create' -benchtime 1x -timeout 30m ./kubernetes
	$(GO) test -run '^$$' -bench Cache -benchtime 1x -timeout 60m ./kubernetes

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

# Every system and every architecture is vetted once. More pairs would find
# nothing: no file is for some architectures only. Each takes minutes at first,
# in which Kubernetes' client is compiled for it.
.PHONY: lint
lint:
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "gofmt would change:"; echo "$$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags e2e ./...
	CGO_ENABLED=0 GOOS=darwin GOARCH=arm64 $(GO) vet ./...
	CGO_ENABLED=0 GOOS=windows GOARCH=amd64 $(GO) vet ./...
	$(STATICCHECK) ./...
	$(STATICCHECK) -tags e2e ./...
	$(GO) mod tidy -diff
