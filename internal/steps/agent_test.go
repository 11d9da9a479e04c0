package steps_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/steps"
)

// lyingAgent holds alice's key and signs as lie says.
type lyingAgent struct {
	agent.Agent
	lie func(a agent.Agent, key ssh.PublicKey, data []byte) (*ssh.Signature, error)
}

func (l lyingAgent) Sign(key ssh.PublicKey, data []byte) (*ssh.Signature, error) {
	return l.lie(l.Agent, key, data)
}

// serve offers alice's key at a socket of its own.
func serve(t *testing.T, parts rehearsal.Parts, lie func(agent.Agent, ssh.PublicKey, []byte) (*ssh.Signature, error)) {
	t.Helper()
	pem, err := os.ReadFile(parts.Key("alice"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.ParseRawPrivateKey(pem)
	if err != nil {
		t.Fatal(err)
	}
	keyring := agent.NewKeyring()
	if err := keyring.Add(agent.AddedKey{PrivateKey: key}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	t.Setenv("SSH_AUTH_SOCK", path)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _ = agent.ServeAgent(lyingAgent{keyring, lie}, c) }()
		}
	}()
}

// TestLyingAgent: an agent that signs with another key, or over other bytes, is
// refused, and nothing of it is kept (case S15).
func TestLyingAgent(t *testing.T) {
	for _, c := range []struct {
		name string
		lie  func(agent.Agent, ssh.PublicKey, []byte) (*ssh.Signature, error)
		want string // of what is said; empty: it signs
	}{
		{"honest",
			func(a agent.Agent, key ssh.PublicKey, data []byte) (*ssh.Signature, error) { return a.Sign(key, data) }, ""},
		{"another key", func(_ agent.Agent, _ ssh.PublicKey, data []byte) (*ssh.Signature, error) {
			_, other, err := ed25519.GenerateKey(rand.Reader)
			return &ssh.Signature{Format: ssh.KeyAlgoED25519, Blob: ed25519.Sign(other, data)}, err
		}, "signature of alice in attend-rehearsal-v1@kekceremony: ssh: signature did not verify"},
		{"other bytes", func(a agent.Agent, key ssh.PublicKey, data []byte) (*ssh.Signature, error) {
			return a.Sign(key, append(data, '\n'))
		}, "signature of alice in attend-rehearsal-v1@kekceremony: ssh: signature did not verify"},
		{"refuses", func(agent.Agent, ssh.PublicKey, []byte) (*ssh.Signature, error) { return nil, errors.New("locked") },
			"with ssh-agent: ssh-keygen: exit status 255"},
	} {
		t.Run(c.name, func(t *testing.T) {
			parts, err := makeParts(t)
			if err != nil {
				t.Fatal(err)
			}
			serve(t, parts, c.lie)
			s := site(t, parts)
			s.Keys = nil // no key is on this console but the agent's
			var reported []string
			room := &engine.Unattended{Signs: true, Report: func(line string) { reported = append(reported, line) },
				Answers: answers(parts)}
			err = engine.Run(t.Context(), *s, room, steps.Install())
			var waiting *engine.WaitingError
			if !errors.As(err, &waiting) {
				t.Fatal(err)
			}
			if kept := waiting.Have == 1; kept != (c.want == "") ||
				c.want != "" && !strings.Contains(strings.Join(reported, "\n"), c.want) {
				t.Errorf("%d signatures were kept; reported %q", waiting.Have, reported)
			}
			log, err := filepath.Glob(filepath.Join(parts.Bundles(), "*-install", "*-attend.alice.txt.sig"))
			if err != nil || (len(log) == 1) != (c.want == "") {
				t.Errorf("in the bundle: %v, %v", log, err)
			}
		})
	}
}
