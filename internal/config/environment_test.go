package config_test

import (
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/config"
	"github.com/certautopilot/kekceremony/internal/provider/env"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11"
)

const plain = "store: mongodb://h/db\ntranscripts: TR\n" +
	"encryption: {provider: env, pkcs11: {module_path: /a.so, token_label: a}}\n"

// scalars are values for every key of the configuration that has one value. A new key needs a
// line here, and none in the code.
var scalars = map[string]string{
	"DATABASE_URI": "mongodb://u:secret@h/app", "TRANSCRIPTS": "TR", "EXCHANGE": "/media", "REVOKED": "/revoked",
	"FOUNDING": "cd72", "CHAIN": "0123456789abcdef0123456789abcdef", "ENCRYPTION_PROVIDER": "pkcs11",
	"ENCRYPTION_PIN_FILE": "", "ENCRYPTION_PIN_CREDENTIAL": "token-pin", "ENCRYPTION_PIN_PARTS": "2",
	"ENCRYPTION_PIN_TRIES": "5", "FLEET_BEAT": "2s", "FLEET_LIVE": "9s", "FLEET_UNFENCED": "true",
	"ENCRYPTION_PKCS11_MODULE_PATH": "/b.so",
	"POLICY_MAX_AGE":                "9000h", "POLICY_WARNING": "100h", "POLICY_BACKUP_RETENTION": "2160h",
	"POLICY_DESTROY_WAIT":           "9h",
	"ENCRYPTION_PKCS11_TOKEN_LABEL": "007", "ENCRYPTION_PKCS11_TOKEN_SERIAL": "true",
	"ENCRYPTION_PKCS11_USE_GCM_IV_FROM_HSM": "true", "ENCRYPTION_PKCS11_USE_MESSAGES": "true",
	"ENCRYPTION_PKCS11_SESSIONS":  "3",
	"ENCRYPTION_PKCS11_PROCESSES": "2",
	"ENCRYPTION_PKCS11_IDENTITY":  "id", "ENCRYPTION_PKCS11_IDENTITY_PUBLIC": "/id.pem",
	"ENCRYPTION_PKCS11_LOAD_BY_PATH": "true", "ENCRYPTION_PKCS11_INIT_ARGS": "configdir='x' flags=",
	"ENCRYPTION_PKCS11_DEADLINE": "3m",
	"ENCRYPTION_PKCS11_USER":     "0x80000001", "ENCRYPTION_ENV_SECRETS_FILE": "/secrets.env",
}

// TestEveryKey: each key that has one value is set by its variable, text as it is.
func TestEveryKey(t *testing.T) {
	path := write(t, plain, 0o644)
	for name, value := range scalars {
		t.Setenv(config.Prefix+name, strings.ReplaceAll(value, "TR", filepath.Join(filepath.Dir(path), "tr")))
	}
	t.Setenv("CREDENTIALS_DIRECTORY", "/run/credentials/x.service")
	c, err := config.Read(path, kinds...)
	if err != nil {
		t.Fatal(err)
	}
	yes := true
	want := pkcs11.Config{ModulePath: "/b.so", TokenLabel: "007", TokenSerial: "true", IVFromHSM: &yes, UseMessages: &yes,
		Sessions: 3, Keepers: 2,
		Identity: pkcs11.Identity{Label: "id", Public: "/id.pem"}, LoadByPath: true, InitArgs: "configdir='x' flags=",
		Deadline: 3 * time.Minute, User: "0x80000001"}
	if !reflect.DeepEqual(c.Encryption.Settings, want) {
		t.Errorf("got %+v", c.Encryption.Settings)
	}
	if c.Store != "mongodb://u:secret@h/app" || c.Fleet.Heartbeat != 2*time.Second || c.Encryption.PINTries != 5 ||
		c.Encryption.PINFile != "/run/credentials/x.service/token-pin" {
		t.Errorf("got %+v", c)
	}
	if len(c.Sources) != len(scalars)-1 { // one is empty, which sets nothing
		t.Errorf("%d sources of %d variables: %v", len(c.Sources), len(scalars), c.Sources)
	}
	for _, key := range one(reflect.TypeOf(c), "") {
		set(t, key)
	}
	for _, k := range kinds {
		for _, key := range one(reflect.TypeOf(k), "encryption."+k.Name()+".") {
			set(t, key)
		}
	}
}

func set(t *testing.T, key string) {
	name := strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
	if key == "store" {
		name = "DATABASE_URI"
	}
	if _, ok := scalars[name]; !ok && !strings.HasPrefix(key, "rehearsal.") {
		t.Errorf("this test sets no %s", key)
	}
}

// one lists the keys that have one value.
func one(t reflect.Type, path string) (all []string) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag, kind := f.Tag.Get("yaml"), f.Type.Kind()
		switch {
		case tag == "" || tag == "-" || kind == reflect.Slice || kind == reflect.Map:
		case tag == ",inline":
			all = append(all, one(f.Type, path)...)
		case kind == reflect.Struct:
			all = append(all, one(f.Type, path+tag+".")...)
		case kind == reflect.Pointer && f.Type.Elem().Kind() == reflect.Struct:
		default:
			all = append(all, path+tag)
		}
	}
	return all
}

// TestVariables: what is refused is named, and no value is shown.
func TestVariables(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"ENCRYPTION_PKCS11_PIN", "hunter2", "a PIN is never read from the environment"},
		{"ENCRYPTION_PIN", "hunter2", "a PIN is never read from the environment"},
		{"ENCRYPTION_PKCS11_USER_PIN", "", "a PIN is never read from the environment"},
		{"REHEARSAL_PIN", "hunter2", "a PIN is never read from the environment"},
		{"ENCRYPTION_PKCS11_MODUL_PATH", "hunter2", "no key of the configuration has this name"},
		{"ENCRYPTION_ENV_KEK_V1", "hunter2", ""}, // the provider's own, which checks it
		{"ENCRYPTION_ENV_KEK", "hunter2", "no key of the configuration has this name"},
		{"ENCRYPTION_PKCS11_ENVIRONMENT", "hunter2", "has more than one value: set it in the file"},
		{"CATALOGUE", "hunter2", "has more than one value: set it in the file"},
		{"REHEARSAL", "hunter2", "has more than one value: set it in the file"},
		{"ENCRYPTION_PIN_PARTS", "hunter2", "want a number"},
		{"ENCRYPTION_PKCS11_LOAD_BY_PATH", "hunter2", "want true or false"},
		{"ENCRYPTION_PKCS11_DEADLINE", "hunter2", "want a duration, such as 30s"},
		{"ENCRYPTION_CURRENT_VERSION", "hunter2", "want a number from 1 to 999999"},
		{"DATABASE_URI", "postgres://u:hunter2@h/db", "store: want mongodb://HOST/DATABASE"},
		{"ENCRYPTION_PIN_CREDENTIAL", "../hunter", "want the name of a credential, without /"},
		{"SERVER_PORT", "hunter2", ""}, // the application's
		{"STORE", "hunter2", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv(config.Prefix+c.name, c.value)
			_, err := config.Read(write(t, plain, 0o644), kinds...)
			if c.want == "" && err == nil {
				return
			}
			if err == nil || c.want == "" || !strings.Contains(err.Error(), config.Prefix+c.name) ||
				!strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestPasswordElsewhere: the file does not hold a password that the environment brings.
func TestPasswordElsewhere(t *testing.T) {
	t.Setenv(config.Prefix+"DATABASE_URI", "mongodb://u:hunter2@h/db")
	if _, err := config.Read(write(t, plain, 0o644), kinds...); err != nil {
		t.Error(err)
	}
}

// TestCredential: where no unit runs, people type the PIN; a process has nobody who could.
func TestCredential(t *testing.T) {
	const named = "store: mongodb://h/db\ntranscripts: TR\nencryption: {provider: env, pin_credential: token-pin}\n"
	c, err := config.Read(write(t, named, 0o644), kinds...)
	if err != nil || c.Encryption.PINFile != "" || !errors.Is(c.Encryption.CheckCredential(), config.ErrNoCredential) {
		t.Errorf("a console: %q, %v", c.Encryption.PINFile, err)
	}
	if _, err := config.ReadProcess(write(t, named, 0o644), kinds...); !errors.Is(err, config.ErrNoCredential) {
		t.Errorf("a process: %v", err)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", "/run/credentials/x.service")
	c, err = config.ReadProcess(write(t, named, 0o644), env.Config{})
	if err != nil || c.Encryption.PINFile != "/run/credentials/x.service/token-pin" {
		t.Errorf("a unit: %q, %v", c.Encryption.PINFile, err)
	}
	both := strings.Replace(named, "}", ", pin_file: /pin}", 1)
	_, err = config.Read(write(t, both, 0o644), kinds...)
	if err == nil || !strings.Contains(err.Error(), "want one of them") {
		t.Errorf("both: %v", err)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", "here")
	if _, err = config.Read(write(t, named, 0o644), kinds...); err == nil {
		t.Error("a directory that is not absolute")
	}
}
