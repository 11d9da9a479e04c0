package keyring_test

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/env"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/rewrap"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/store/sqlite"
	"github.com/certautopilot/kekceremony/internal/transcript"
	"github.com/certautopilot/kekceremony/keyring"
	_ "github.com/certautopilot/kekceremony/keyring/env"
	_ "github.com/certautopilot/kekceremony/keyring/sqlite"
)

const place = "dns_credentials.encrypted_api_key"

// house is an installed store, its people and its configuration.
type house struct {
	t     testing.TB
	parts rehearsal.Parts
	db    database
}

// database is a store that an application makes its collections in.
type database interface {
	store.Store
	CreateCollection(context.Context, envelope.Collection) error
}

// newHouse has a SQLite store.
func newHouse(t testing.TB) house {
	t.Helper()
	parts := rehearsal.Parts{Dir: filepath.Join(t.TempDir(), "r")}
	return newHouseOn(t, parts, "sqlite:"+parts.Store(), func(ctx context.Context) (database, error) {
		return sqlite.Create(ctx, parts.Store())
	})
}

// newHouseOn has a store of that name, which create makes.
func newHouseOn(
	t testing.TB, parts rehearsal.Parts, name string, create func(context.Context) (database, error),
) house {
	t.Helper()
	h := house{t: t}
	parts, err := rehearsal.Make(t.Context(), parts.Dir, "env", name, func(ctx context.Context) (err error) {
		h.db, err = create(ctx)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	h.parts = parts
	t.Cleanup(func() { h.db.Close() })
	for _, c := range envelope.DefaultCatalogue().Collections() {
		if err := h.db.CreateCollection(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	h.configure("secrets.env", "live: 4s", "live: 2s", "beat: 1s", "beat: 100ms", "app: 3", "app: 1")
	if err := h.run(steps.Install()); err != nil {
		t.Fatal(err)
	}
	return h
}

// configure changes the configuration, with another file of secrets.
func (h house) configure(secrets string, oldnew ...string) (path string) {
	h.t.Helper()
	text, err := os.ReadFile(h.parts.Config())
	if err != nil {
		h.t.Fatal(err)
	}
	changed := strings.NewReplacer(append(oldnew, "secrets.env", secrets)...).Replace(string(text))
	path = h.parts.Config()
	if secrets != "secrets.env" {
		path = filepath.Join(h.parts.Dir, secrets+".yaml")
	}
	if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
		h.t.Fatal(err)
	}
	return path
}

// run holds a ceremony.
func (h house) run(c engine.Ceremony, change ...func(*engine.Parts)) error {
	h.t.Helper()
	s := engine.Parts{Mode: quorum.Rehearsal, Store: h.db, Bundles: h.parts.Bundles(), Kind: env.Config{},
		Tool: engine.Tool{Version: "test", SHA256: transcript.Digest(nil)},
		OpenProvider: func(context.Context, func(map[string]string) error) (provider.Provider, error) {
			return env.Open(env.Config{SecretsFile: filepath.Join(h.parts.Dir, "secrets.env")}, nil)
		},
		Catalogue: envelope.DefaultCatalogue(), Control: rewrap.NewControl(0),
		Fleet: engine.FleetConfig{Heartbeat: 100 * time.Millisecond, Live: 2 * time.Second, Expect: map[string]int{"app": 1}},
	}
	if c.Kind == transcript.KindInstall {
		s.Fleet.Expect = nil
	}
	answers := map[string]string{"roster": h.parts.Roster(), "provider": "env", "copies": "none", "differed": "none",
		"deviation.fell_silent": "it was stopped by the test"}
	for _, q := range []string{"place", "authorised", "people", "clock", "bags", "evidence", "bags_out", "clock_out",
		"planned_end"} {
		answers[q] = "n/a: a test"
	}
	for _, name := range rehearsal.Operators {
		k, err := quorum.OpenKeyFile(h.t.Context(), h.parts.Key(name))
		if err != nil {
			h.t.Fatal(err)
		}
		s.Keys = append(s.Keys, k)
	}
	for _, c := range change {
		c(&s)
	}
	return engine.Run(h.t.Context(), s, &engine.Unattended{Signs: true, Report: func(string) {}, Answers: answers}, c)
}

func (h house) open(c keyring.Config) *keyring.Ring {
	h.t.Helper()
	if c.File == "" {
		c.File = h.parts.Config()
	}
	c.Role = "app"
	r, err := keyring.Open(h.t.Context(), c)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { r.Close(context.Background()) })
	return r
}

// write puts an envelope into the database, as an application does.
func (h house) write(id string, e keyring.Envelope) {
	h.t.Helper()
	if err := writeTo(h.t.Context(), h.parts.Store(), id, e); err != nil {
		h.t.Fatal(err)
	}
}

func writeTo(ctx context.Context, path, id string, e keyring.Envelope) error {
	db, err := sql.Open("sqlite3", "file:"+path+"?_busy_timeout=10000")
	if err != nil {
		return err
	}
	defer db.Close()
	names, values := e.Columns("encrypted_api_key")
	_, err = db.ExecContext(ctx, fmt.Sprintf("INSERT OR REPLACE INTO dns_credentials (id, kek_version, %s) "+
		"VALUES (?, ?, ?, ?, ?, ?, ?)", strings.Join(names, ", ")), append([]any{id, e.KEKVersion}, values...)...)
	return err
}

func (h house) read(id string) (e keyring.Envelope) {
	h.t.Helper()
	db, err := sql.Open("sqlite3", "file:"+h.parts.Store())
	if err != nil {
		h.t.Fatal(err)
	}
	defer db.Close()
	names, into := e.Scan("encrypted_api_key")
	err = db.QueryRowContext(h.t.Context(), "SELECT "+strings.Join(names, ", ")+" FROM dns_credentials WHERE id = ?",
		id).Scan(into...)
	if err != nil {
		h.t.Fatal(err)
	}
	return e
}

func TestSealAndOpen(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for _, cache := range []int{0, 2} {
		r := h.open(keyring.Config{Cache: cache})
		ctx := t.Context()
		var all []keyring.Envelope
		for i := range 5 {
			e, err := r.Seal(ctx, place, i, fmt.Appendf(nil, "secret %d", i))
			if err != nil || e.KEKVersion != 1 || e.Provider != "env" {
				t.Fatal(e, err)
			}
			all = append(all, e)
		}
		for range 2 {
			for i, e := range all {
				text, err := r.Open(ctx, place, i, e)
				if err != nil || string(text) != fmt.Sprintf("secret %d", i) {
					t.Errorf("%q, %v", text, err)
				}
			}
		}
		h.write("a", all[0])
		e := h.read("a")
		if !reflect.DeepEqual(e, all[0]) {
			t.Errorf("wrote %v, read %v", all[0], e)
		}
		again, err := r.Reseal(ctx, place, 0, e)
		if text, openErr := r.Open(ctx, place, 0, again); err != nil || openErr != nil || string(text) != "secret 0" {
			t.Errorf("%q, %v, %v", text, err, openErr)
		}
		if slices.Equal(again.WrappedDEK, e.WrappedDEK) || slices.Equal(again.Ciphertext, e.Ciphertext) {
			t.Error("it was not sealed again")
		}
		if _, err := r.Seal(ctx, "notes.body", 1, nil); !errors.Is(err, keyring.ErrPlace) {
			t.Errorf("another place: %v", err)
		}
		broken := all[1]
		broken.WrappedDEK = slices.Clone(broken.WrappedDEK)
		broken.WrappedDEK[20] ^= 1
		payload := all[2]
		payload.Ciphertext = slices.Clone(payload.Ciphertext)
		payload.Ciphertext[0] ^= 1
		short := all[3]
		short.Nonce = nil
		newer, other := all[1], all[1]
		newer.KEKVersion, other.Provider = 2, "pkcs11"
		for name, c := range map[string]struct {
			e    keyring.Envelope
			want error
		}{
			"data key": {broken, keyring.ErrUndecryptable}, "payload": {payload, keyring.ErrUndecryptable},
			"nonce": {short, keyring.ErrUndecryptable}, "version": {newer, keyring.ErrNotHeld},
			"provider": {other, keyring.ErrProvider}, "nothing": {keyring.Envelope{Provider: "env"}, keyring.ErrNotHeld},
		} {
			if _, err := r.Open(ctx, place, 1, c.e); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if s := r.Status(); s.Refusals != 6 || s.Active != 1 || !slices.Equal(s.Held, []int{1}) || s.Trouble != "" {
			t.Errorf("%+v", s)
		}
		if err := errors.Join(r.Close(context.Background()), r.Close(context.Background())); err != nil {
			t.Error(err)
		}
		if _, err := r.Seal(ctx, place, 1, nil); !errors.Is(err, keyring.ErrClosed) {
			t.Errorf("closed: %v", err)
		}
		if _, err := r.Open(ctx, place, 1, all[0]); !errors.Is(err, keyring.ErrClosed) {
			t.Errorf("closed: %v", err)
		}
	}
	all, err := h.db.Heartbeats(t.Context(), time.Time{})
	if err != nil || len(all) != 2 || !all[0].Stopped || all[0].Refusals != 6 || all[0].Epoch != 1 {
		t.Errorf("heartbeats %+v, %v", all, err)
	}
}

// TestFollows: applications seal and open without a pause while versions are rotated. Nothing
// fails, each follows the pointer, and after the last census nothing is at the old version.
func TestFollows(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	var busy sync.WaitGroup
	var done atomic.Bool
	var n atomic.Int64
	for worker := range 3 {
		r := h.open(keyring.Config{})
		for i := range 10 {
			e, err := r.Seal(t.Context(), place, i, []byte("before"))
			if err != nil {
				t.Fatal(err)
			}
			h.write(fmt.Sprintf("%d/%d", worker, i), e)
		}
		busy.Go(func() {
			for i := 0; !done.Load(); i++ {
				id := fmt.Sprintf("%d/%d", worker, i%10)
				e, err := r.Reseal(t.Context(), place, id, h.read(id))
				if err != nil {
					t.Errorf("%s: %v", id, err)
					return
				}
				h.write(id, e)
				n.Add(1)
			}
		})
	}
	for _, to := range []steps.Rotation{{To: 2}, {To: 3}, {To: 2}} {
		if err := h.run(steps.Rotate(to)); err != nil {
			t.Error(err)
		}
	}
	done.Store(true)
	busy.Wait()
	if due := h.due(2); due != 0 {
		t.Errorf("%d are at another version", due)
	}
	t.Logf("%d records were sealed again", n.Load())
}

func (h house) due(v int) int {
	h.t.Helper()
	counts, err := h.db.Census(h.t.Context(), envelope.DefaultCatalogue())
	if err != nil {
		h.t.Fatal(err)
	}
	due := 0
	for _, c := range counts {
		if int(c.Version) != v {
			due += c.N
		}
	}
	return due
}

// TestLease: the store says nothing for longer than fleet.live. Nothing is sealed until it
// answers again; what can be opened is opened.
func TestLease(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	r := h.open(keyring.Config{})
	e, err := r.Seal(t.Context(), place, 1, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	h.exec("ALTER TABLE kek_versions RENAME TO away")
	for ended := false; !ended; {
		_, err := r.Seal(t.Context(), place, 1, nil)
		if ended = errors.Is(err, keyring.ErrLease); err != nil && !ended {
			t.Fatal(err)
		}
	}
	if age := r.Status().Age; age < 2*time.Second {
		t.Errorf("after %s", age)
	}
	if _, err := r.Open(t.Context(), place, 1, e); err != nil {
		t.Error(err)
	}
	h.exec("ALTER TABLE away RENAME TO kek_versions")
	if _, err := r.Seal(t.Context(), place, 1, nil); err != nil {
		t.Error(err)
	}
}

func (h house) exec(statement string) {
	h.t.Helper()
	db, err := sql.Open("sqlite3", "file:"+h.parts.Store()+"?_busy_timeout=10000")
	if err != nil {
		h.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(h.t.Context(), statement); err != nil {
		h.t.Fatal(err)
	}
}

// TestOtherKey: a process with another key under the right number, and one without a key. Both
// report, and prove nothing; neither seals, and a rotation waits for them.
func TestOtherKey(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	envelope, err := h.open(keyring.Config{}).Seal(t.Context(), place, 1, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ secrets, trouble string }{
		"another key": {env.Variable(1) + "=" + strings.Repeat("ab", 32) + "\n", "check canary of version 1"},
		"no key":      {"", "no such key"},
	} {
		file := strings.ReplaceAll(name, " ", "-")
		if err := os.WriteFile(filepath.Join(h.parts.Dir, file), []byte(c.secrets), 0o600); err != nil {
			t.Fatal(err)
		}
		r := h.open(keyring.Config{File: h.configure(file)})
		if _, err := r.Seal(t.Context(), place, 1, nil); !errors.Is(err, keyring.ErrNotHeld) {
			t.Errorf("%s: seal: %v", name, err)
		}
		if _, err := r.Open(t.Context(), place, 1, envelope); !errors.Is(err, keyring.ErrNotHeld) {
			t.Errorf("%s: open: %v", name, err)
		}
		s := r.Status()
		if len(s.Held) > 0 || !strings.Contains(s.Trouble, c.trouble) {
			t.Errorf("%s: %+v", name, s)
		}
	}
	beats, err := h.db.Heartbeats(t.Context(), time.Time{})
	proofs := 0
	for _, b := range beats {
		proofs += len(b.Proofs)
	}
	if err != nil || len(beats) != 3 || proofs != 1 {
		t.Errorf("%d proofs of %d processes, %v", proofs, len(beats), err)
	}
}

// TestMain is the process of an application where the test starts one.
func TestMain(m *testing.M) {
	if config := os.Getenv("KEYRING_TEST_CONFIG"); config != "" {
		if err := application(config); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// application seals on one line of its input, and writes what it sealed on the next.
func application(config string) error {
	ctx := context.Background()
	r, err := keyring.Open(ctx, keyring.Config{File: config, Role: "app"})
	if err != nil {
		return err
	}
	fmt.Println("open")
	var e keyring.Envelope
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		switch what, rest, _ := strings.Cut(in.Text(), " "); what {
		case "seal":
			if e, err = r.Seal(ctx, place, rest, []byte(rest)); err != nil {
				return err
			}
			fmt.Println("version", e.KEKVersion)
		case "die": // as by kill -9, with the error in its hand
			if err := json.Unmarshal([]byte(rest), &e); err != nil {
				return err
			}
			if _, err := r.Open(ctx, place, "a", e); errors.Is(err, keyring.ErrDisabled) {
				return syscall.Kill(os.Getpid(), syscall.SIGKILL)
			}
		case "write":
			if err := writeTo(ctx, rest, "late", e); err != nil {
				fmt.Println("refused:", err)
				continue
			}
			fmt.Println("written")
		}
	}
	return r.Close(context.Background())
}

// TestStopped: a process is stopped (SIGSTOP) before the writers are switched, and goes on when
// the rotation is over. What it seals then is sealed with the new version. What it had sealed
// before, and writes only now, the database refuses. Without a fence, the census finds it.
func TestStopped(t *testing.T) {
	t.Parallel()
	t.Run("fenced", func(t *testing.T) { testStopped(t, false) })
	t.Run("unfenced", func(t *testing.T) { testStopped(t, true) })
}

func testStopped(t *testing.T, unfenced bool) {
	t.Parallel()
	h := newHouse(t)
	h.open(keyring.Config{}) // the live one
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "KEYRING_TEST_CONFIG="+h.parts.Config())
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	says := func(want string) {
		t.Helper()
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("it says %q, want %q", lines.Text(), want)
		}
	}
	says("open")
	fmt.Fprintln(in, "seal early")
	says("version 1")
	h.stop(cmd.Process)
	h.silent()
	rotate := func() error {
		return h.run(steps.Rotate(steps.Rotation{To: 2}), func(p *engine.Parts) { p.Fleet.Unfenced = unfenced })
	}
	if err := rotate(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(in, "write "+h.parts.Store())
	found := 0
	if unfenced {
		found = 1
		says("written")
	} else {
		says("refused: kekceremony fence: no writes with version 1 in table dns_credentials")
	}
	if h.due(2) != found {
		t.Errorf("the census finds %d, want %d", h.due(2), found)
	}
	fmt.Fprintln(in, "seal late")
	says("version 2")
	err = rotate()
	if nothing := errors.Is(err, engine.ErrNothingDue); nothing == unfenced || err != nil && !nothing || h.due(2) != 0 {
		t.Errorf("%d left, %v", h.due(2), err)
	}
}

// stop stops a process where it does not hold the database: SQLite has one writer, and nobody
// else writes while that one sleeps.
func (h house) stop(p *os.Process) {
	h.t.Helper()
	for {
		if err := p.Signal(syscall.SIGSTOP); err != nil {
			h.t.Fatal(err)
		}
		for stopped := false; !stopped; { // the signal is on its way to each thread
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Pid))
			if err != nil {
				h.t.Fatal(err)
			}
			stopped = strings.Contains(string(status), "State:\tT")
		}
		db, err := sql.Open("sqlite3", "file:"+h.parts.Store()+"?_busy_timeout=0&_txlock=immediate")
		if err != nil {
			h.t.Fatal(err)
		}
		tx, err := db.Begin()
		if err == nil {
			err = tx.Rollback()
		}
		db.Close()
		if err == nil {
			return
		}
		if err := p.Signal(syscall.SIGCONT); err != nil {
			h.t.Fatal(err)
		}
	}
}

// silent waits until a process is silent for the fleet.
func (h house) silent() {
	h.t.Helper()
	for {
		now, err := h.db.Now(h.t.Context())
		if err != nil {
			h.t.Fatal(err)
		}
		silent, err := h.db.Silent(h.t.Context(), now.Add(-2*time.Second), "", 1)
		if err != nil {
			h.t.Fatal(err)
		}
		if len(silent) > 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// TestRefusedAtOpen: what a ring says where there is nothing for it.
func TestRefusedAtOpen(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	text, err := os.ReadFile(h.parts.Config())
	if err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(h.parts.Dir, "empty.db")
	db, err := sqlite.Create(t.Context(), empty)
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	for name, c := range map[string]struct {
		old, new, role string
		want           error
		says           string
	}{
		"no install":    {h.parts.Store(), empty, "ap", keyring.ErrNotInstalled, ""},
		"another chain": {"fleet:", "chain: 0123456789abcdef0123456789abcdef\nfleet:", "app", keyring.ErrLockDiffers, ""},
		"a role":        {"fleet:", "fleet:", "App", nil, "want lower-case letters"},
		"a provider that is not": {"provider: env\n  env:\n    secrets_file: " + filepath.Join(h.parts.Dir, "secrets.env"),
			"provider: pkcs11", "app", nil, "want env"},
	} {
		path := filepath.Join(t.TempDir(), "config.yaml")
		changed := strings.Replace(string(text), c.old, c.new, 1)
		if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		told := ""
		report := func(line string) { told += line }
		_, err := keyring.Open(t.Context(), keyring.Config{File: path, Role: c.role, Report: report})
		if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
		if (c.role == "ap") != strings.Contains(told, "fleet.expect has app; did you mean app?") {
			t.Errorf("%s: it was told %q", name, told)
		}
	}
	if all, err := h.db.Heartbeats(t.Context(), time.Time{}); err != nil || len(all) > 0 {
		t.Errorf("%d heartbeats, %v", len(all), err)
	}
}

// TestEnvironment: variables take the place of the file's keys for an application too. One that
// names another active version than the store has, or a key that does not exist, is refused.
func TestEnvironment(t *testing.T) {
	h := newHouse(t)
	t.Setenv("CERTAUTOPILOT_DATABASE_URI", "sqlite:"+h.parts.Store())
	t.Setenv("CERTAUTOPILOT_ENCRYPTION_ENV_SECRETS_FILE", filepath.Join(h.parts.Dir, "secrets.env"))
	t.Setenv("CERTAUTOPILOT_ENCRYPTION_CURRENT_VERSION", "1")
	elsewhere := h.configure("nowhere.env", "store.db", "nowhere.db")
	r := h.open(keyring.Config{File: elsewhere})
	if s := r.Status(); s.Active != 1 || !slices.Equal(s.Held, []int{1}) {
		t.Errorf("%+v", s)
	}
	refused := func(name, value string) error {
		t.Setenv(name, value)
		_, err := keyring.Open(t.Context(), keyring.Config{File: elsewhere, Role: "app"})
		return err
	}
	if err := refused("CERTAUTOPILOT_ENCRYPTION_CURRENT_VERSION", "2"); !errors.Is(err, keyring.ErrCurrentVersion) {
		t.Errorf("another active version: %v", err)
	}
	err := refused("CERTAUTOPILOT_ENCRYPTION_ENV_SECRET_FILE", "/x")
	if err == nil || !strings.Contains(err.Error(), "CERTAUTOPILOT_ENCRYPTION_ENV_SECRET_FILE: no key") {
		t.Errorf("no such key: %v", err)
	}
}
