# make rehearse: the whole thing with throw-away parts. make test: every test.
GO ?= go
BIN := $(CURDIR)/bin/kekceremony
RECORDS ?= 1000

.PHONY: rehearse test build deps mutate

rehearse: deps build
	$(BIN) rehearse --provider pkcs11 --records $(RECORDS)

test: deps
	$(GO) vet ./...
	$(GO) test -timeout 20m ./...

mutate: deps
	$(GO) test -timeout 20m -tags mutate -run TestMutations -v ./cmd/kekceremony

build:
	$(GO) build -o $(BIN) ./cmd/kekceremony

deps:
	@./scripts/deps
