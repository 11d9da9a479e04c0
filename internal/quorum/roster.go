// Package quorum knows who may sign what: the roster, M of N, signing through
// stock ssh-keygen, and the checking of what came back.
package quorum

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/certautopilot/kekceremony/internal/printable"
)

// Purpose of a signature.
type Purpose string

// The purposes.
const (
	Attend  Purpose = "attend"
	Approve Purpose = "approve"
	Final   Purpose = "final"
)

// Mode keeps a rehearsal's signatures apart from production's.
type Mode string

// The modes.
const (
	Production Mode = "production"
	Rehearsal  Mode = "rehearsal"
)

// Namespace is the SSHSIG namespace of a purpose: approve-v1@kekceremony, in a
// rehearsal approve-rehearsal-v1@kekceremony.
func (m Mode) Namespace(p Purpose) string {
	if m == Production {
		return string(p) + "-v1@kekceremony"
	}
	return fmt.Sprintf("%s-%s-v1@kekceremony", p, m)
}

// Member is one line of a roster.
type Member struct {
	Name       string
	Namespaces []string
	Key        ssh.PublicKey
}

// Fingerprint is the key's, as ssh-keygen -l prints it.
func (m Member) Fingerprint() string { return ssh.FingerprintSHA256(m.Key) }

// May reports whether the member's line allows the namespace.
func (m Member) May(namespace string) bool { return slices.Contains(m.Namespaces, namespace) }

// Roster is an OpenSSH allowed_signers file whose first line is "# quorum: M".
type Roster struct {
	Text    []byte
	M       int
	Members []Member
}

// ErrRoster is what every refusal of a roster begins with.
var ErrRoster = errors.New("roster")

// maxRoster bounds a roster in bytes.
const maxRoster = 64 << 10

var (
	quorumLine = regexp.MustCompile(`^# quorum: ([1-9][0-9]?)$`)
	memberName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)
)

// ParseRoster reads a roster and lints it: what stock ssh-keygen would read in
// more than one way is refused. The mode says which namespace approves.
func ParseRoster(text []byte, mode Mode) (Roster, error) {
	r := Roster{Text: text}
	if len(text) == 0 || len(text) > maxRoster || text[len(text)-1] != '\n' {
		return r, fmt.Errorf("%w: %d bytes, want at most %d ending in a line feed", ErrRoster, len(text), maxRoster)
	}
	for i, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		if err := r.add(i, line); err != nil {
			return r, fmt.Errorf("%w: line %d: %w", ErrRoster, i+1, err)
		}
	}
	n := len(r.Who(mode.Namespace(Approve)))
	if r.M > n {
		return r, fmt.Errorf("%w: quorum is %d, but only %d may sign %s", ErrRoster, r.M, n, mode.Namespace(Approve))
	}
	return r, nil
}

func (r *Roster) add(i int, line string) error {
	for _, b := range []byte(line) {
		if b < ' ' || b > '~' {
			return fmt.Errorf("byte 0x%02x, want printable ASCII", b)
		}
	}
	if i == 0 {
		m := quorumLine.FindStringSubmatch(line)
		if m == nil {
			return errors.New(`want "# quorum: M"`)
		}
		_, err := fmt.Sscan(m[1], &r.M)
		return err
	}
	if line == "" || strings.HasPrefix(line, "#") {
		return nil
	}
	member, err := parseMember(line)
	if err != nil {
		return err
	}
	for _, other := range r.Members {
		if other.Name == member.Name {
			return fmt.Errorf("name %s is repeated", member.Name)
		}
		if bytes.Equal(other.Key.Marshal(), member.Key.Marshal()) {
			return fmt.Errorf("the key of %s is also the key of %s", member.Name, other.Name)
		}
	}
	r.Members = append(r.Members, member)
	return nil
}

// parseMember reads `name namespaces="a,b" type base64 [comment]`.
func parseMember(line string) (Member, error) {
	f := strings.Fields(line)
	if len(f) < 4 {
		return Member{}, errors.New(`want: name namespaces="..." key-type key`)
	}
	m := Member{Name: f[0]}
	if strings.ContainsAny(m.Name, ",") {
		return m, errors.New("a comma list of names: give each person a line")
	}
	if strings.ContainsAny(m.Name, "*?!") {
		return m, errors.New("a wildcard in the name")
	}
	if !memberName.MatchString(m.Name) {
		return m, errors.New("the name must be lower-case letters, digits, - and _, at most 32")
	}
	list, ok := strings.CutPrefix(f[1], `namespaces="`)
	list, closed := strings.CutSuffix(list, `"`)
	if !ok || !closed || strings.Contains(list, `"`) {
		return m, fmt.Errorf(`%s: after the name want namespaces="..." and no other option`, m.Name)
	}
	for _, ns := range strings.Split(list, ",") {
		if !slices.Contains(known(), ns) {
			return m, fmt.Errorf("%s: namespace %q is none of kekceremony's", m.Name, ns)
		}
		m.Namespaces = append(m.Namespaces, ns)
	}
	blob, err := base64.StdEncoding.Strict().DecodeString(f[3])
	if err != nil {
		return m, fmt.Errorf("%s: key is not base64", m.Name)
	}
	if m.Key, err = ssh.ParsePublicKey(blob); err != nil {
		return m, fmt.Errorf("%s: key: %s", m.Name, printable.Text(err.Error()))
	}
	if !slices.Contains(keyTypes, m.Key.Type()) { // a certificate would be a second name of a key
		return m, fmt.Errorf("%s: a key of type %s cannot sign here", m.Name, printable.Quote(m.Key.Type()))
	}
	if m.Key.Type() != f[2] {
		return m, fmt.Errorf("%s: the key is of type %s, the line says %s", m.Name, m.Key.Type(), f[2])
	}
	return m, nil
}

// keyTypes are the kinds of keys that people sign with (PROTOCOL.sshsig, 2).
var keyTypes = []string{ssh.KeyAlgoED25519, ssh.KeyAlgoSKED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521,
	ssh.KeyAlgoSKECDSA256, ssh.KeyAlgoRSA}

// known lists every namespace there is.
func known() []string {
	var all []string
	for _, m := range []Mode{Production, Rehearsal} {
		for _, p := range []Purpose{Attend, Approve, Final} {
			all = append(all, m.Namespace(p))
		}
	}
	return all
}

// Digest is SHA-256 of the text, hex.
func (r Roster) Digest() string {
	sum := sha256.Sum256(r.Text)
	return hex.EncodeToString(sum[:])
}

// Member finds a person by name.
func (r Roster) Member(name string) (Member, bool) {
	i := slices.IndexFunc(r.Members, func(m Member) bool { return m.Name == name })
	if i < 0 {
		return Member{}, false
	}
	return r.Members[i], true
}

// Who lists those who may sign in a namespace, in the roster's order.
func (r Roster) Who(namespace string) []Member {
	var who []Member
	for _, m := range r.Members {
		if m.May(namespace) {
			who = append(who, m)
		}
	}
	return who
}
