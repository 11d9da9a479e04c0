package main_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/login"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/keeper"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/store/mongo"
	"github.com/certautopilot/kekceremony/internal/store/sqlite"
)

// TestRehearsal runs install and rotate unattended on SoftHSM2, and checks the
// transcripts with stock tools.
func TestRehearsal(t *testing.T) {
	t.Parallel()
	parts, bundles := rehearse(t, "--provider", "pkcs11", "--records", "300")
	if len(bundles) != 2 {
		t.Fatalf("bundles: %v", bundles)
	}
	for _, b := range bundles {
		must(t, "transcript", "verify", b)
		chainBySum(t, b)
		for _, name := range rehearsal.Operators {
			finalBySSH(t, b, name)
		}
	}
	zeroAt(t, parts, 2)
	applicationsRead(t, parts)
	t.Run("one byte changed", func(t *testing.T) { flipBytes(t, bundles[1]) })
	t.Run("finals removed", func(t *testing.T) { removeFinals(t, bundles[1]) })
	t.Run("nothing due", func(t *testing.T) {
		pkcs11test.Setenv(t, "SOFTHSM2_CONF", parts.Token())
		code, _, errs := run(t, "rotate", "--to-version", "2", "--config", parts.Config(), "--ui", "none")
		if code != 0 || errs != "kekceremony: version 2 is active: nothing is due\n" {
			t.Errorf("exit %d, %s", code, errs)
		}
	})
	t.Run("a second install", func(t *testing.T) {
		code, _, errs := run(t, "install", "--config", parts.Config(), "--ui", "none", "--answers", parts.Answers("install"))
		if code != 3 || !strings.Contains(errs, "this store is already installed") {
			t.Errorf("exit %d, %s", code, errs)
		}
	})
	t.Run("key 1 destroyed", func(t *testing.T) { destroyKey(t, parts) })
}

// TestRehearsalEnv runs the whole life of a key: at its end the old one is removed.
func TestRehearsalEnv(t *testing.T) {
	t.Parallel()
	parts, bundles := rehearseLife(t, "--provider", "env", "--records", "100")
	if len(bundles) != 4 {
		t.Fatalf("bundles: %v", bundles)
	}
	must(t, "transcript", "verify", "--chain", parts.Bundles(), "--store", "sqlite:"+parts.Store())
	zeroAt(t, parts, 2)
	applicationsRead(t, parts)
}

var opened = regexp.MustCompile(`it opened [1-9]\d* records`)

// applicationsRead demands that each of the fleet's applications opened records throughout, and that
// none failed.
func applicationsRead(t *testing.T, parts rehearsal.Parts) {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(parts.Dir, "application-*.log"))
	if err != nil || len(logs) != rehearsal.Processes {
		t.Fatalf("logs %v, %v", logs, err)
	}
	for _, path := range logs {
		log, err := os.ReadFile(path)
		if err != nil || !opened.Match(log) || strings.Contains(string(log), "application: open ") {
			t.Errorf("%s, %v:\n%s", path, err, log)
		}
	}
}

// chainBySum reproduces every prev with sha256sum alone.
func chainBySum(t *testing.T, bundle string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(bundle, "events.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	prev := ""
	for line := range strings.Lines(string(data)) {
		var e struct{ Prev string }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if prev != "" && e.Prev != prev {
			t.Fatalf("prev %s, sha256sum %s", e.Prev, prev)
		}
		cmd := exec.Command("sha256sum")
		cmd.Stdin = strings.NewReader(line)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		prev = strings.Fields(string(out))[0]
	}
}

func finalBySSH(t *testing.T, bundle, name string) {
	t.Helper()
	final, err := os.Open(filepath.Join(bundle, "final."+name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer final.Close()
	cmd := exec.Command("ssh-keygen", "-Y", "verify", "-f", "roster", "-I", name, "-n", "final-rehearsal-v1@kekceremony",
		"-s", "final."+name+".txt.sig")
	cmd.Dir, cmd.Stdin = bundle, final
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", name, err, out)
	}
}

// zeroAt demands that every envelope is at one version.
func zeroAt(t *testing.T, parts rehearsal.Parts, v kek.Version) {
	t.Helper()
	db := openStore(t, parts)
	counts, err := db.Census(t.Context(), envelope.DefaultCatalogue())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range counts {
		if c.Version != v {
			t.Errorf("%d envelopes of %s are at version %d", c.N, c.Place, c.Version)
		}
	}
	keks, err := db.KEKs(t.Context())
	if err != nil || len(keks) < int(v) {
		t.Errorf("%d versions, %v", len(keks), err)
	}
	for _, k := range keks {
		if (k.State == store.Live) != (k.Version == v) {
			t.Errorf("version %d is %s", k.Version, k.State)
		}
	}
}

// database is a store with an application's records.
type database interface {
	store.Store
	rehearsal.Records
}

// openStore opens a rehearsal's store.
func openStore(t *testing.T, parts rehearsal.Parts) (db database) {
	t.Helper()
	var err error
	if uri := mongoURI(t, parts); uri != "" {
		db, err = mongo.Open(t.Context(), uri)
	} else {
		db, err = sqlite.Open(t.Context(), parts.Store())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

var mongoStore = regexp.MustCompile(`(?m)^store: (mongodb:.*)$`)

// mongoURI is the store that a rehearsal's configuration names; empty: it is in SQLite.
func mongoURI(t *testing.T, parts rehearsal.Parts) string {
	t.Helper()
	config, err := os.ReadFile(parts.Config())
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // a rehearsal that is being made has none yet
		t.Fatal(err)
	}
	found := mongoStore.FindSubmatch(config)
	if found == nil {
		return ""
	}
	return string(found[1])
}

// flipBytes changes one byte of each file, at the start, the end and somewhere
// between: each must be found, and named.
func flipBytes(t *testing.T, bundle string) {
	dir := filepath.Join(t.TempDir(), "b")
	if err := os.CopyFS(dir, os.DirFS(bundle)); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		path := filepath.Join(dir, f.Name())
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []int{0, len(good) - 1, rand.IntN(len(good))} {
			bad := append([]byte{}, good...)
			bad[at] ^= 1
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			code, out, _ := run(t, "transcript", "verify", dir)
			if code != 4 || !(strings.Contains(out, f.Name()) || strings.Contains(out, "events.jsonl line")) {
				t.Errorf("%s byte %d: exit %d, %s", f.Name(), at, code, out)
			}
		}
		if err := os.WriteFile(path, good, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func removeFinals(t *testing.T, bundle string) {
	dir := filepath.Join(t.TempDir(), "b")
	if err := os.CopyFS(dir, os.DirFS(bundle)); err != nil {
		t.Fatal(err)
	}
	for _, name := range rehearsal.Operators {
		for _, suffix := range []string{".txt", ".txt.sig"} {
			if err := os.Remove(filepath.Join(dir, "final."+name+suffix)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if code, out, _ := run(t, "transcript", "verify", dir); code != 5 || !strings.Contains(out, "0 of 2 agree") {
		t.Errorf("exit %d, %s", code, out)
	}
}

// application opens a rehearsal's store and token as an application does.
func application(t *testing.T, parts rehearsal.Parts) rehearsal.Application {
	t.Helper()
	pkcs11test.Setenv(t, "SOFTHSM2_CONF", parts.Token())
	db := openStore(t, parts)
	lock, err := db.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return rehearsal.Application{Records: db, Provider: openToken(t, parts, ""), Chain: lock.Chain}
}

// openToken opens a rehearsal's token and logs in. SoftHSM2 runs in a process of its own:
// a process has one, and tests run side by side.
func openToken(t *testing.T, parts rehearsal.Parts, serial string) (p provider.Provider) {
	t.Helper()
	c := pkcs11.Config{ModulePath: pkcs11test.Module(t), TokenLabel: rehearsal.TokenLabel, TokenSerial: serial,
		Environment: []string{"SOFTHSM2_CONF"}}
	var err error
	pkcs11test.Lend(t, func() { p, err = keeper.Open(t.Context(), c, nil, nil) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	if err := (login.Login{PIN: login.PIN{File: filepath.Join(parts.Dir, "pin")}}).Into(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	return p
}

// destroyKey destroys version 1 with a stock tool; every payload still decrypts.
func destroyKey(t *testing.T, parts rehearsal.Parts) {
	a := application(t, parts)
	one := kek.NameOf(a.Chain, 1)
	pkcs11test.Run(t, "pkcs11-tool", "--module", pkcs11test.Module(t), "--login", "--pin", rehearsal.PIN,
		"--delete-object", "--type", "secrkey", "--label", one.Label)
	if _, err := a.Provider.Find(t.Context(), one); !errors.Is(err, provider.ErrNoKey) {
		t.Fatalf("key 1 is still there: %v", err)
	}
	for i := range 300 {
		if v, err := a.Read(t.Context(), i); err != nil || v != 2 {
			t.Fatalf("record %d: version %d, %v", i, v, err)
		}
	}
}

// sum is SHA-256 of a file, hex.
func sum(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}
