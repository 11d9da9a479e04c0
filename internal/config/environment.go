package config

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/store"
)

// A variable of the environment sets a key that has one value: CERTAUTOPILOT_ and the key's
// path in upper case, with _ for each dot. An empty variable sets nothing. The application's
// own variables begin in the same way, so a name that no key has is refused only where the
// whole section is of this configuration.
const (
	// Prefix begins the name of every variable that sets a key.
	Prefix          = "CERTAUTOPILOT_"
	storeVariable   = Prefix + "DATABASE_URI" // as the application calls it
	currentVariable = Prefix + "ENCRYPTION_CURRENT_VERSION"
)

// own are the sections in which every variable has a key.
var own = []string{Prefix + "ENCRYPTION_", Prefix + "REHEARSAL_", Prefix + "ADOPTED_"}

// ErrCurrentVersion: the environment names another active version than the store.
var ErrCurrentVersion = errors.New("the environment and the store disagree on the active version")

// Source is where a value comes from that is not the file's.
type Source struct {
	Key  string `json:"key"`  // its path, such as encryption.provider
	From string `json:"from"` // a variable's name, or a flag such as --store
}

// VariableError is a variable that is refused. It never shows a value.
type VariableError struct{ Name, Why string }

func (e *VariableError) Error() string {
	return fmt.Sprintf("read the environment: %s: %s", printable.Text(e.Name), e.Why)
}

// environment is the variables that begin with Prefix, and what became of them.
type environment struct {
	values map[string]string
	known  map[string]bool // names of keys, set or not
	used   []Source
}

// newEnvironment takes ours out of all variables, as os.Environ gives them.
func newEnvironment(all []string) *environment {
	e := &environment{values: map[string]string{}, known: map[string]bool{}}
	for _, line := range all {
		if name, value, ok := strings.Cut(line, "="); ok && strings.HasPrefix(name, Prefix) {
			e.values[name] = value
		}
	}
	return e
}

// variable is the name of a key's variable.
func variable(key string) string {
	if key == "store" {
		return storeVariable
	}
	return Prefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// set puts the values of variables into the fields of a section: a pointer to a struct. Path is
// the section's, with a dot at its end; empty: the whole file.
func (e *environment) set(section any, path string) error {
	return e.fields(reflect.ValueOf(section).Elem(), path)
}

func (e *environment) fields(section reflect.Value, path string) error {
	for i := range section.NumField() {
		f, tag := section.Field(i), section.Type().Field(i).Tag.Get("yaml")
		var err error
		switch {
		case tag == "" || tag == "-": // no key
		case tag == ",inline":
			err = e.fields(f, path)
		case f.Kind() == reflect.Struct:
			err = e.fields(f, path+tag+".")
		default:
			err = e.field(f, path+tag)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// field sets one key, if its variable is there.
func (e *environment) field(f reflect.Value, key string) error {
	name := variable(key)
	text, there := e.values[name]
	form := formOf(f.Type())
	switch {
	case form == "" && there:
		return &VariableError{name, key + " has more than one value: set it in the file"}
	case form == "":
		return nil
	}
	e.known[name] = true
	if text == "" {
		return nil
	}
	e.used = append(e.used, Source{key, name})
	if f.Kind() == reflect.Pointer {
		f.Set(reflect.New(f.Type().Elem()))
		f = f.Elem()
	}
	if f.Kind() == reflect.String {
		f.SetString(text)
		return nil
	}
	if err := Decode([]byte(text), f.Addr().Interface()); err != nil { // which may quote the value
		return &VariableError{name, "want " + form}
	}
	return nil
}

// formOf is the form of a key's one value; empty: it has more than one.
func formOf(t reflect.Type) string {
	if t == reflect.TypeFor[time.Duration]() {
		return "a duration, such as 30s"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return formOf(t.Elem())
	case reflect.String:
		return "text"
	case reflect.Int:
		return "a number"
	case reflect.Bool:
		return "true or false"
	}
	return ""
}

// currentVersion is that of older releases of the application; 0: there is none.
func (e *environment) currentVersion() (kek.Version, error) {
	text := e.values[currentVariable]
	e.known[currentVariable] = true
	if text == "" {
		return 0, nil
	}
	v, err := kek.ParseVersion(text)
	if err != nil {
		return 0, &VariableError{currentVariable, fmt.Sprintf("want a number from 1 to %d", kek.MaxVersion)}
	}
	return v, nil
}

// unknown refuses a variable of our sections that sets no key and that no kind of provider reads.
func (e *environment) unknown(kinds []provider.Settings) error {
	for name := range e.values {
		mine := slices.ContainsFunc(own, func(section string) bool { return strings.HasPrefix(name, section) })
		reads := func(k provider.Settings) bool { return k.Inherits(name) }
		if !mine || e.known[name] || slices.ContainsFunc(kinds, reads) {
			continue
		}
		switch words := strings.Split(name, "_"); {
		case slices.Contains(words, "PIN"):
			return &VariableError{name, "a PIN is never read from the environment: " +
				"use encryption.pin_file, encryption.pin_credential or the terminal, and unset the variable"}
		case strings.HasPrefix(name, Prefix+"REHEARSAL_"):
			return &VariableError{name, "only the file marks a rehearsal"}
		case strings.HasPrefix(name, Prefix+"ADOPTED_"):
			return &VariableError{name, "only the file describes an adopted database"}
		}
		return &VariableError{name, "no key of the configuration has this name"}
	}
	return nil
}

// SetBy records that a flag set a key, whatever else did.
func (c *Config) SetBy(key, flag string) {
	c.Sources = slices.DeleteFunc(c.Sources, func(s Source) bool { return s.Key == key })
	c.Sources = append(c.Sources, Source{key, flag})
}

// CheckPointer refuses a store whose active version is not the one that the environment names:
// ErrCurrentVersion. A store that has no active version yet passes.
func (c Config) CheckPointer(ctx context.Context, s store.Keys) error {
	if c.current == 0 {
		return nil
	}
	active, err := s.Active(ctx)
	switch {
	case errors.Is(err, store.ErrNotFound) || err == nil && active.Version == c.current:
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("%s is %d, and version %d is active in the store: %w", currentVariable, c.current,
		active.Version, ErrCurrentVersion)
}
