package keeper_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/login"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/env"
	"github.com/certautopilot/kekceremony/internal/provider/keeper"
	"github.com/certautopilot/kekceremony/internal/provider/memorytest"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
)

const chain = kek.Chain("00112233445566778899aabbccddeeff")

// TestMain is the keeper too: it is this very program.
func TestMain(m *testing.M) {
	keeper.Register(env.Config{}, pkcs11.Config{}, memorytest.Settings{}, partners{})
	if len(os.Args) > 1 && os.Args[1] == keeper.Command {
		if err := keeper.Serve(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// config is a token behind a module, with some settings changed.
func config(module string, change ...func(*pkcs11.Config)) pkcs11.Config {
	settings := pkcs11.Config{ModulePath: module, TokenLabel: pkcs11test.Label, Environment: []string{"SOFTHSM2_CONF"},
		Keepers: 1}
	for _, c := range change {
		c(&settings)
	}
	return settings
}

func open(t testing.TB, c provider.Settings) provider.Provider {
	t.Helper()
	p, err := tryOpen(t, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// tryOpen is keeper.Open with the variables of the test.
func tryOpen(t testing.TB, c provider.Settings) (p provider.Provider, err error) {
	t.Helper()
	pkcs11test.Lend(t, func() { p, err = keeper.OpenMany(t.Context(), c, nil, nil) })
	return p, err
}

// pinFile is a file with the PIN of the test's tokens.
func pinFile(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(path, []byte(pkcs11test.PIN+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func logIn(t testing.TB, p provider.Provider) {
	t.Helper()
	if err := (login.Login{PIN: login.PIN{File: pinFile(t)}}).Into(t.Context(), p); err != nil {
		t.Fatal(err)
	}
}

// pin is the login of a provider that has one.
func pin(t testing.TB, p provider.Provider) provider.PINLogin {
	t.Helper()
	in, ok := p.(provider.PINLogin)
	if !ok {
		t.Fatalf("%T has no PIN", p)
	}
	return in
}

// keys makes versions 1 and 2 and wraps n DEKs with the first.
func keys(t testing.TB, p provider.Provider, n int) (deks [][]byte, items []provider.Item) {
	t.Helper()
	for v := kek.Version(1); v <= 2; v++ {
		if err := p.Generate(t.Context(), kek.NameOf(chain, v)); err != nil {
			t.Fatal(err)
		}
	}
	one := kek.NameOf(chain, 1)
	for i := range n {
		dek := bytes.Repeat([]byte{byte(i), byte(i >> 8), 7, 9}, kek.Size/4)
		wrapped, err := p.Wrap(t.Context(), one, dek)
		if err != nil {
			t.Fatal(err)
		}
		deks, items = append(deks, dek), append(items, provider.Item{From: one, Wrapped: wrapped})
	}
	return deks, items
}

// TestKeeper asks a kept provider everything, and gets what it gets in this process.
func TestKeeper(t *testing.T) {
	t.Parallel()
	pkcs11test.TokensForPrograms(t, pkcs11test.Label)
	p := open(t, config(pkcs11test.Module(t)))
	tries, err := pin(t, p).Tries(t.Context())
	if err != nil || !tries.Ask || tries.Token != pkcs11test.Label || tries.Serial == "" {
		t.Fatalf("%v, %+v", err, tries)
	}
	logIn(t, p)
	var lines []string
	err = p.Probe(t.Context(), func(v provider.Verdict) {
		if v.Outcome != provider.Trying {
			lines = append(lines, v.Line+" "+string(v.Outcome))
		}
	})
	const want = "mechanism ok, key ok, IV ok, round trip ok, tamper ok, identity ok, size query ok, " +
		"key wrap ok, messages ok, throughput ok"
	if got := strings.Join(lines, ", "); err != nil || got != want {
		t.Fatalf("%v, %s", err, got)
	}
	one, two := kek.NameOf(chain, 1), kek.NameOf(chain, 2)
	if _, err := p.Find(t.Context(), one); !errors.Is(err, provider.ErrNoKey) || errors.Is(err, provider.ErrGone) {
		t.Errorf("find before generate: %v", err)
	}
	deks, items := keys(t, p, 300)
	k, err := p.Find(t.Context(), one)
	if err != nil || k.Doubt != nil || k.Name.Label != one.Label || k.Attributes["local"] != "true" {
		t.Errorf("%v, %+v", err, k)
	}
	items = append(items, provider.Item{From: two, Wrapped: items[0].Wrapped}, provider.Item{From: one, Wrapped: nil})
	out, err := p.Rewrap(t.Context(), items, two)
	if err != nil || len(out) != 302 || out[300].Err == nil || out[300].New != nil || out[301].Err == nil {
		t.Fatalf("%v, %d answers", err, len(out))
	}
	into := make([]byte, kek.Size)
	for i, dek := range deks {
		if err := p.Unwrap(t.Context(), two, out[i].New, into); err != nil || !bytes.Equal(into, dek) ||
			!bytes.Equal(out[i].Old, items[i].Wrapped) {
			t.Fatalf("item %d: %v", i, err)
		}
	}
	if provider.Workers(p) == "" {
		t.Error("nobody works")
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if _, err := p.Describe(t.Context()); !errors.Is(err, provider.ErrKeeper) {
		t.Errorf("after the end: %v", err)
	}
}

// TestErrors: what callers decide by arrives.
func TestErrors(t *testing.T) {
	t.Parallel()
	pkcs11test.TokensForPrograms(t, pkcs11test.Label)
	c := config(pkcs11test.Module(t), func(c *pkcs11.Config) { c.TokenLabel = "other" })
	const none = `find token "other": no such token`
	if _, err := tryOpen(t, c); !errors.Is(err, provider.ErrNoToken) || err.Error() != none {
		t.Errorf("%v", err)
	}
	p := open(t, config(pkcs11test.Module(t)))
	wrong := filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(wrong, []byte("4321"), 0o644); err != nil {
		t.Fatal(err)
	}
	refused := login.Login{PIN: login.PIN{File: wrong}}
	if err := refused.Into(t.Context(), p); err == nil || !strings.Contains(err.Error(), "mode 0644") {
		t.Errorf("a file that others read: %v", err)
	}
	if err := os.Chmod(wrong, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := refused.Into(t.Context(), p); !errors.Is(err, provider.ErrPINRefused) {
			t.Errorf("%v", err)
		}
	}
}

// TestInherited: a descriptor that was open when this process began, as a shell leaves
// one, is not the child's. A module could read what it is of, or write there.
func TestInherited(t *testing.T) {
	path := filepath.Join(t.TempDir(), "another secret")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(path, unix.O_RDWR, 0) // without O_CLOEXEC
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	t.Setenv(env.Variable(1), strings.Repeat("42", kek.Size))
	open(t, env.Config{})
	for _, child := range keepers(t) {
		list, err := filepath.Glob("/proc/" + child + "/fd/*")
		if err != nil || len(list) < 3 {
			t.Fatalf("descriptors %v, %v", list, err)
		}
		for _, d := range list {
			if to, _ := os.Readlink(d); to == path { // some have gone since
				t.Errorf("the child has %s", to)
			}
		}
	}
}

// keepers are the process numbers of this process's children, for root to look into.
func keepers(t *testing.T) []string {
	t.Helper()
	if os.Geteuid() != 0 {
		pkcs11test.Missing(t, "root, to look into a keeper; the right to")
	}
	return strings.Fields(pkcs11test.Run(t, "pgrep", "-P", strconv.Itoa(os.Getpid()), "-f", "keeper$"))
}

// TestEnvironment: the child has the variables that it is given, and no other.
func TestEnvironment(t *testing.T) {
	t.Setenv(env.Variable(1), strings.Repeat("42", kek.Size))
	t.Setenv("LD_PRELOAD_NOT", "x")
	p := open(t, env.Config{})
	if _, err := p.Find(t.Context(), kek.NameOf(chain, 1)); err != nil {
		t.Error(err)
	}
	for _, child := range keepers(t) {
		its, err := os.ReadFile("/proc/" + child + "/environ")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(its), "GODEBUG=asyncpreemptoff=1\x00") {
			t.Error("a signal may leave registers of the child in memory that nobody wipes")
		}
	}
	t.Setenv("SOFTHSM2_CONF", "/nowhere")
	pkcs11test.NewTokens(t, pkcs11test.Label)
	c := config(pkcs11test.Module(t))
	c.Environment = nil
	if _, err := keeper.Open(t.Context(), c, nil, nil); err == nil {
		t.Error("SOFTHSM2_CONF reached the module without leave")
	}
}
