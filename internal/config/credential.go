package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/certautopilot/kekceremony/internal/printable"
)

// ErrNoCredential: the configuration names a credential, and systemd gave this process none.
var ErrNoCredential = errors.New(
	"CREDENTIALS_DIRECTORY is not set: systemd sets it for a unit with LoadCredential= or LoadCredentialEncrypted=")

// credential makes the credential of a systemd unit the file of the PIN. A process that is no
// unit has no such file, as a console at which people type the PIN.
func (e *Encryption) credential() error {
	switch name := e.PINCredential; {
	case name == "":
		return nil
	case e.PINFile != "":
		return errors.New("encryption.pin_credential: encryption.pin_file is set too: want one of them")
	case filepath.Base(name) != name || name == "." || name == "..":
		return fmt.Errorf("encryption.pin_credential: %s: want the name of a credential, without /", printable.Quote(name))
	}
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return nil
	}
	if !filepath.IsAbs(dir) {
		return fmt.Errorf("CREDENTIALS_DIRECTORY: %s: want an absolute path", printable.Quote(dir))
	}
	e.PINFile = filepath.Join(dir, e.PINCredential)
	return nil
}

// CheckCredential returns ErrNoCredential where nobody could type the PIN instead.
func (e Encryption) CheckCredential() error {
	if e.PINCredential != "" && e.PINFile == "" {
		return fmt.Errorf("encryption.pin_credential: %s: %w", printable.Quote(e.PINCredential), ErrNoCredential)
	}
	return nil
}
