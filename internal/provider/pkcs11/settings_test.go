package pkcs11_test

import (
	"bytes"
	"encoding/gob"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/provider/pkcs11"
)

// TestSettingsTravel: to the keeper, with what somebody set to false.
func TestSettingsTravel(t *testing.T) {
	no := false
	sent := pkcs11.Config{ModulePath: "/m.so", IVFromHSM: &no, UseMessages: &no, Identity: pkcs11.Identity{Label: "id"},
		Adopted: map[string]pkcs11.AdoptedKey{"1": {Label: "old"}}, Deadline: time.Minute, Process: true, Digest: "d"}
	var wire bytes.Buffer
	var got pkcs11.Config
	if err := errors.Join(gob.NewEncoder(&wire).Encode(sent), gob.NewDecoder(&wire).Decode(&got)); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, sent) {
		t.Errorf("got %+v", got)
	}
}
