// Package quorum knows who may sign what: the roster, M of N, signing through
// stock ssh-keygen, and the checking of what came back.
package quorum

import (
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

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
	Join    Purpose = "roster" // somebody who joins the roster proves to hold the key
)

// Purposes lists them all.
func Purposes() []Purpose { return []Purpose{Attend, Approve, Final, Join} }

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
	Name          string
	Namespaces    []string
	Key           ssh.PublicKey
	After, Before time.Time // the key is good from After to before Before; zero: no bound

	blob string // of Key, as on the wire
}

// Fingerprint is the key's, as ssh-keygen -l prints it.
func (m Member) Fingerprint() string { return ssh.FingerprintSHA256(m.Key) }

// At says why the key is not good at a time; nil: it is.
func (m Member) At(t time.Time) error {
	switch {
	case !m.After.IsZero() && t.Before(m.After):
		return fmt.Errorf("the key is valid from %s, this is of %s", stamp(m.After), stamp(t))
	case !m.Before.IsZero() && !t.Before(m.Before):
		return fmt.Errorf("the key was valid until %s, this is of %s", stamp(m.Before), stamp(t))
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// May reports whether the member's line allows the namespace.
func (m Member) May(namespace string) bool { return slices.Contains(m.Namespaces, namespace) }

// Roster is an OpenSSH allowed_signers file whose first line is "# quorum: M". A
// line "# user-verification: required" after it demands that FIDO keys verify their
// user, by PIN or finger, beside the touch that they always need.
type Roster struct {
	Text     []byte
	M        int
	Verified bool // FIDO keys must verify their user
	Members  []Member

	names, keys map[string]int // places in Members
}

const verifiedLine = "# user-verification: required"

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
	r := Roster{Text: text, names: map[string]int{}, keys: map[string]int{}}
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
		r.Verified = r.Verified || line == verifiedLine
		if strings.HasPrefix(line, "# user-verification") && line != verifiedLine {
			return fmt.Errorf("want %q", verifiedLine)
		}
		return nil
	}
	member, err := parseMember(line)
	if err != nil {
		return err
	}
	if _, ok := r.names[member.Name]; ok {
		return fmt.Errorf("name %s is repeated", member.Name)
	}
	if i, ok := r.keys[member.blob]; ok {
		return fmt.Errorf("the key of %s is also the key of %s", member.Name, r.Members[i].Name)
	}
	r.names[member.Name], r.keys[member.blob] = len(r.Members), len(r.Members)
	r.Members = append(r.Members, member)
	return nil
}

// parseMember reads `name namespaces="a,b" type base64 [comment]`, where the options
// may continue with valid-after="YYYYMMDDHHMMSSZ" and valid-before, after a comma. Any
// number of spaces may stand before the name and between fields: stock ssh-keygen reads
// them so, and rosters of old ceremonies may have them.
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
	if err := m.options(f[1]); err != nil {
		return m, fmt.Errorf("%s: %w", m.Name, err)
	}
	blob, err := base64.StdEncoding.Strict().DecodeString(f[3])
	if err != nil {
		return m, fmt.Errorf("%s: key is not base64", m.Name)
	}
	if m.Key, err = ssh.ParsePublicKey(blob); err != nil {
		return m, fmt.Errorf("%s: key: %s", m.Name, printable.Text(err.Error()))
	}
	m.blob = string(m.Key.Marshal())
	if !slices.Contains(keyTypes, m.Key.Type()) { // a certificate would be a second name of a key
		return m, fmt.Errorf("%s: a key of type %s cannot sign here", m.Name, printable.Quote(m.Key.Type()))
	}
	if bits := rsaBits(m.Key); bits > 0 && bits < minRSA {
		return m, fmt.Errorf("%s: an RSA key of %d bits, want %d", m.Name, bits, minRSA)
	}
	if m.Key.Type() != f[2] {
		return m, fmt.Errorf("%s: the key is of type %s, the line says %s", m.Name, m.Key.Type(), f[2])
	}
	return m, nil
}

// memberOptions are the options of a line, in their one order.
var memberOptions = regexp.MustCompile(`^namespaces="([^"]*)"(?:,valid-after="([^"]+)")?(?:,valid-before="([^"]+)")?$`)

func (m *Member) options(text string) (err error) {
	o := memberOptions.FindStringSubmatch(text)
	if o == nil {
		return errors.New(`after the name want namespaces="...", then at most ,valid-after="..." and ,valid-before="..."`)
	}
	for _, ns := range strings.Split(o[1], ",") {
		if !slices.Contains(known(), ns) {
			return fmt.Errorf("namespace %q is none of kekceremony's", ns)
		}
		m.Namespaces = append(m.Namespaces, ns)
	}
	if m.After, err = validTime(o[2]); err != nil {
		return fmt.Errorf("valid-after: %w", err)
	}
	if m.Before, err = validTime(o[3]); err != nil {
		return fmt.Errorf("valid-before: %w", err)
	}
	if !m.Before.IsZero() && !m.After.Before(m.Before) {
		return errors.New("valid-after is not before valid-before")
	}
	return nil
}

// validTime reads the one form of allowed_signers (ssh-keygen(1)) that means the
// same on every machine: without the Z it would be the local time of anyone who looks.
func validTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse("20060102150405Z", text)
	if err != nil {
		return t, fmt.Errorf("%q: want YYYYMMDDHHMMSSZ, in UTC, with the Z", text)
	}
	if t.Unix() <= 0 { // stock ssh-keygen refuses it
		return t, fmt.Errorf("%q: want a time after 1970-01-01 00:00:00", text)
	}
	return t, nil
}

// keyTypes are the kinds of keys that people sign with (PROTOCOL.sshsig, 2).
var keyTypes = []string{
	ssh.KeyAlgoED25519, ssh.KeyAlgoSKED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384,
	ssh.KeyAlgoECDSA521, ssh.KeyAlgoSKECDSA256, ssh.KeyAlgoRSA,
}

// minRSA is the shortest RSA key that may sign, in bits (NIST SP 800-57 part 1).
const minRSA = 2048

// rsaBits is the length of an RSA key; 0 for any other.
func rsaBits(k ssh.PublicKey) int {
	c, _ := k.(ssh.CryptoPublicKey)
	if c == nil {
		return 0
	}
	if key, ok := c.CryptoPublicKey().(*rsa.PublicKey); ok {
		return key.N.BitLen()
	}
	return 0
}

// known lists every namespace there is.
func known() []string {
	var all []string
	for _, m := range []Mode{Production, Rehearsal} {
		for _, p := range Purposes() {
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
	i, ok := r.names[name]
	if !ok {
		return Member{}, false
	}
	return r.Members[i], true
}

// Joining lists the members whose name and key are not together in the old roster:
// each must prove to hold the key.
func (r Roster) Joining(old Roster) (members []Member) {
	for _, m := range r.Members {
		if o, ok := old.Member(m.Name); !ok || o.blob != m.blob {
			members = append(members, m)
		}
	}
	return members
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
