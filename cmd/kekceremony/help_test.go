package main_test

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the goldens of docs/ again")

// TestHelp compares docs/commands.txt with what --help says of each command.
func TestHelp(t *testing.T) {
	t.Parallel()
	const path = "../../docs/commands.txt"
	var text strings.Builder
	listed := regexp.MustCompile(`(?m)^  ([a-z0-9-]+) +\S`)
	var visit func(args ...string)
	visit = func(args ...string) {
		help := must(t, append(args, "--help")...)
		if !strings.Contains(help, "\nExamples:\n") || !strings.Contains(help, "\nExit codes:\n") {
			t.Errorf("%v: its help has no example, or no exit codes: guide.go", args)
		}
		text.WriteString("$ kekceremony " + strings.Join(append(args, "--help"), " ") + "\n" + help + "\n")
		_, commands, found := strings.Cut(help, "Available Commands:\n")
		if !found {
			return
		}
		commands, _, _ = strings.Cut(commands, "\n\n")
		for _, m := range listed.FindAllStringSubmatch(commands, -1) {
			if m[1] != "help" {
				visit(append(args[:len(args):len(args)], m[1])...)
			}
		}
	}
	visit()
	if *update {
		if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if text.String() != string(golden) {
		t.Errorf("%s is not what --help says; go test -run TestHelp -update writes it again", path)
	}
	if n := strings.Count(text.String(), "\nUsage:\n"); n < 14 {
		t.Errorf("only %d commands", n)
	}
}
