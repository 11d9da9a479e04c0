package main_test

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/store/mongo/mongotest"
)

var blocks = regexp.MustCompile("(?ms)^```sh( \\w+)?\n(.*?)^```$")

// TestQuickstart runs every line of docs/quickstart.md, with each provider and each database.
func TestQuickstart(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/quickstart.md")
	if err != nil {
		t.Fatal(err)
	}
	pkcs11test.Module(t)
	pkcs11test.Need(t, "curl")
	mongo := mongotest.Start(t)
	for _, c := range [][2]string{{"env", "sqlite"}, {"pkcs11", "mongodb"}} {
		provider, database := c[0], c[1]
		t.Run(provider+" "+database, func(t *testing.T) {
			t.Parallel()
			script := "set -e -o pipefail\n"
			for _, block := range blocks.FindAllStringSubmatch(string(page), -1) {
				if only := strings.TrimSpace(block[1]); only == "" || only == provider || only == database {
					script += block[2]
				}
			}
			cmd := exec.Command("bash", "-c", script)
			cmd.Dir = "../.."
			cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir(), "MONGO="+mongo.Absent(t))
			var errs bytes.Buffer
			cmd.Stderr = &errs
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v\n%s\n%s", err, out, errs.String())
			}
			for _, want := range []string{"the first secret\n{", `"Active":1,"Epoch":1,"Held":[1]`,
				`"Active":2,"Epoch":2,"Held":[1,2]`, "chain       good", "store       good",
				`Good "final-rehearsal-v1@kekceremony" signature for alice`} {
				if !strings.Contains(string(out), want) {
					t.Errorf("it did not print %q:\n%s", want, out)
				}
			}
		})
	}
}
