# make rehearse: a whole key life with temporary parts, in the wizard; with UI=none
# unattended; with DIR in that directory, which continues one that was stopped.
# make check: vet, and the tests of the packages that need no token, no server, no
# terminal and not the whole program, with the fewest random draws; under a minute.
# make test: every test, of what is long a short form; some minutes on two cores. What tests
# write is in memory where there is room; with TMPDIR set it is there.
# make torture: the slow form of what make test has a short one of: 200 rotations killed at
# random (100 on MongoDB), with old versions disabled, enabled and destroyed in between, token
# and store gone for a minute, the module ended in every way in every place, the second verifier on every
# specimen, every interrupted ceremony finished, a rotation stopped on every page, 200 sequences
# of random keys, each refusal of an adoption taken away, the versions of adopted databases
# destroyed under their applications, one command of each kind swallowed by the network of the
# store, elections, silence and a lost majority in each step of a ceremony; an hour or two.
# With BRIEF=1 less of it, which is what .ci/run does.
# Also the tests of provider/pkcs11 under the address sanitizer, with BRIEF=1 those with a
# hostile module. It does not look for leaks: modules stay loaded.
# make interrupted LATER=PROGRAM: interrupts the later ceremonies again, for TestInterrupted;
# docs/design.md says when.
# make pictures: draws docs/pictures again, from the ceremony of internal/tui/testdata/rehearsal.
# make house: prints how long functions and files are, and how packages hang together.
# make bench: writes docs/performance.md, some minutes.
# make bench-growth: writes docs/growth.md, up to 10 million envelopes: some minutes, and 8 GB of disk.
# make bench-peers: writes docs/peers.md: a rotation beside OpenBao (BAO names its program) and beside the
# driver's RewrapManyDataKey (with libmongocrypt, on the server of KEKCEREMONY_TEST_MONGO_URI; KEYS of them).
# make example: three processes of examples/notes read and write while the KEK is rotated twice.
# make fuzz: each fuzz target for FUZZTIME.
GO ?= go
BIN := $(CURDIR)/bin/kekceremony
RECORDS ?= 1000
FUZZTIME ?= 10m
KEYS ?= 10000
# Tests mostly wait: so many run side by side in a package, also on two cores.
PARALLEL ?= 6
TEST := ./scripts/inmemory $(GO) test
SLOW := cmd/kekceremony|provider/keeper|provider/pkcs11|rewrap|store/mongo

.PHONY: rehearse example check test build deps testdeps mutate torture interrupted house pictures bench bench-growth bench-peers fuzz

rehearse: deps build
	$(BIN) rehearse --provider pkcs11 --records $(RECORDS) $(if $(UI),--ui $(UI)) $(if $(DIR),--dir $(DIR))

example: build
	$(GO) build -o $(dir $(BIN)) ./examples/notes
	$(GO) run ./examples/notes/demo $(dir $(BIN))

check:
	$(GO) vet ./...
	$(TEST) -short -parallel $(PARALLEL) $$($(GO) list ./... | grep -vE '/($(SLOW))$$')

test: testdeps
	$(GO) vet ./...
	$(TEST) -timeout 20m -p 4 -parallel $(PARALLEL) ./...

mutate: testdeps
	$(TEST) -timeout 20m -tags mutate -run TestMutations -v ./cmd/kekceremony

torture: testdeps
	$(if $(BRIEF),,$(TEST) -timeout 1h -tags mutate -run TestRefusals -v ./cmd/kekceremony)
	$(if $(BRIEF),,$(TEST) -timeout 1h -parallel 12 -run 'TestKeys$$' ./cmd/kekceremony -args -keys 200)
	$(TEST) -run TestDifferential ./internal/quorum -args -signatures $(if $(BRIEF),1000,20000)
	$(TEST) -tags torture -run TestLayoutMoved ./internal/provider/pkcs11
	$(if $(BRIEF),,$(TEST) -tags torture -run 'TestTransient|TestSwallowed|TestListGoesOn|TestSlowLinkLong' ./internal/store/mongo)
	$(TEST) -run TestPython ./internal/transcript -args -mutations $(if $(BRIEF),200,500)
	ASAN_OPTIONS=detect_leaks=0 $(TEST) -asan $(if $(BRIEF),-run TestHostile) ./internal/provider/pkcs11
	$(TEST) -timeout 3h -parallel $(PARALLEL) -run 'TestAnyInterruptions|TestReconcileDying|TestDisableDying|TestHonestCourses' ./internal/steps -args $(if $(BRIEF),-seeds 25 -courses 20,-seeds 500 -courses 100)
	$(TEST) -timeout 4h -tags torture -parallel $(PARALLEL) -v -run 'TestTorture(Mongo)?Long|TestElections|TestTokenOut|TestStoreOut|TestCrash|TestSpecimens|TestInterrupted|TestAbortInterrupted|TestStopOnEveryPageOfRotation$(if $(BRIEF),,|TestAdopted$$|TestAdoptedLife|TestRosterGrammar|TestSwallowed$$|TestElectionOfEachKind|TestHole|TestMajorityLost|TestSlowRotationLong)' ./cmd/kekceremony $(if $(BRIEF),-args -brief)

interrupted: testdeps
	$(TEST) -timeout 30m -run 'TestInterrupted$$' -v ./cmd/kekceremony $(if $(LATER),-later $(LATER))

house:
	$(GO) run ./internal/house

pictures:
	$(GO) test ./internal/tui -run 'TestPictures$$' -update

bench: deps
	$(GO) run ./internal/bench

bench-growth: deps
	$(GO) run ./internal/bench -growth -out docs/growth.md -most 10000000

bench-peers: deps
	$(GO) run $(if $(shell pkg-config --atleast-version 1.15 libmongocrypt && echo yes),-tags cse) ./internal/bench -peers -out docs/peers.md -keys $(KEYS)

fuzz:
	for t in FuzzArmor FuzzBlob FuzzRoster; do $(GO) test -run '^$$' -fuzz "^$$t$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x ./internal/quorum || exit 1; done
	for t in FuzzEvents FuzzStatement; do $(GO) test -run '^$$' -fuzz "^$$t$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x ./internal/transcript || exit 1; done
	$(GO) test -run '^$$' -fuzz '^FuzzParse$$' -fuzztime $(FUZZTIME) -fuzzminimizetime 10x ./keyring/tinkaead

build:
	$(GO) build -o $(BIN) ./cmd/kekceremony

deps:
	@./scripts/deps

testdeps:
	@./scripts/deps test
