# make rehearse: the whole thing with throw-away parts. make test: every test.
# make torture: 200 rotations killed at random, token and store gone for a minute,
# the module ended in every way in every place, every interrupted ceremony finished;
# some 30 minutes.
# make interrupted OLD=PROGRAM: interrupts the ceremonies of an older program again, for
# TestInterrupted; docs/design.md says when.
# make bench: writes docs/performance.md, some minutes.
# make fuzz: each fuzz target for FUZZTIME.
GO ?= go
BIN := $(CURDIR)/bin/kekceremony
RECORDS ?= 1000
FUZZTIME ?= 10m

.PHONY: rehearse test build deps testdeps mutate torture interrupted bench fuzz

rehearse: deps build
	$(BIN) rehearse --provider pkcs11 --records $(RECORDS)

test: testdeps
	$(GO) vet ./...
	$(GO) test -timeout 60m ./...

mutate: testdeps
	$(GO) test -timeout 20m -tags mutate -run TestMutations -v ./cmd/kekceremony

torture: testdeps
	$(GO) test -timeout 4h -tags torture -run 'TestTortureLong|TestTokenOut|TestStoreOut|TestCrash|TestInterrupted|TestAbortInterrupted' -v ./cmd/kekceremony

interrupted: testdeps
	$(GO) test -timeout 30m -run 'TestInterrupted$$' -v ./cmd/kekceremony -old $(OLD)

bench: deps
	$(GO) run ./internal/bench

fuzz:
	for t in FuzzArmor FuzzBlob FuzzRoster; do $(GO) test -run '^$$' -fuzz "^$$t$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x ./internal/quorum || exit 1; done
	for t in FuzzEvents FuzzStatement; do $(GO) test -run '^$$' -fuzz "^$$t$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x ./internal/transcript || exit 1; done

build:
	$(GO) build -o $(BIN) ./cmd/kekceremony

deps:
	@./scripts/deps

testdeps:
	@./scripts/deps test
