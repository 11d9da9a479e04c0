package main_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/store/mongo"
	"github.com/certautopilot/kekceremony/internal/store/mongo/mongotest"
	"github.com/certautopilot/kekceremony/internal/store/sqlite"
)

// swift is a rehearsal's parts with an install done, n records written, a fleet
// of one process that reports four times a second, and that process running. The
// application wrote with version 1.
func swift(t *testing.T, n int) (rehearsal.Parts, rehearsal.Application) {
	t.Helper()
	return swiftWith(t, t.TempDir(), pkcs11test.Module(t), n)
}

// swiftWith is swift in a directory and with a module of one's own on the
// console; the fleet has SoftHSM2's.
func swiftWith(t *testing.T, dir, module string, n int) (rehearsal.Parts, rehearsal.Application) {
	t.Helper()
	parts := partsWith(t, dir, module)
	must(t, unattended(parts, "install")...)
	return parts, begun(t, parts, n)
}

// swiftOn is swift on MongoDB.
func swiftOn(t *testing.T, server *mongotest.Server, n int) (rehearsal.Parts, rehearsal.Application) {
	t.Helper()
	parts := hastened(t, mongoRehearsal(t, server), pkcs11test.Module(t))
	must(t, unattended(parts, "install")...)
	return parts, begun(t, parts, n)
}

// mongoRehearsal makes a rehearsal's parts, with a database of MongoDB that was not there.
func mongoRehearsal(t *testing.T, server *mongotest.Server) rehearsal.Parts {
	t.Helper()
	uri := server.Absent(t)
	return rehearsalOn(t, t.TempDir(), uri, func(ctx context.Context, _ rehearsal.Parts) (database, error) {
		return mongo.Create(ctx, uri)
	})
}

// begun writes n records and starts the fleet of what was installed.
func begun(t *testing.T, parts rehearsal.Parts, n int) rehearsal.Application {
	t.Helper()
	a := application(t, parts)
	a.Active = 1
	if err := a.Write(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	fleet(t, parts)
	return a
}

// fleet starts the one process that the parts expect, and waits until it reports:
// SoftHSM2 does not always bear two processes that open one token at once.
func fleet(t *testing.T, parts rehearsal.Parts) {
	t.Helper()
	agent := program(t, "agent", "--role", rehearsal.Role, "--config", filepath.Join(parts.Dir, "agent.yaml"))
	agent.Stderr = t.Output()
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = agent.Process.Signal(os.Interrupt); _ = agent.Wait() })
	anyHeartbeat(t, parts)
}

// rehearsalWith makes a rehearsal's parts below a directory.
func rehearsalWith(t *testing.T, dir string) rehearsal.Parts {
	t.Helper()
	return rehearsalOn(t, dir, "", func(ctx context.Context, parts rehearsal.Parts) (database, error) {
		return sqlite.Create(ctx, parts.Store())
	})
}

// rehearsalOn is rehearsalWith on a store; without a name it is the parts' own.
func rehearsalOn(t *testing.T, dir, name string,
	create func(context.Context, rehearsal.Parts) (database, error)) rehearsal.Parts {
	t.Helper()
	parts := rehearsal.Parts{Dir: filepath.Join(dir, "r")}
	if name == "" {
		name = "sqlite:" + parts.Store()
	}
	parts, err := rehearsal.Make(t.Context(), parts.Dir, "pkcs11", name, func(ctx context.Context) error {
		db, err := create(ctx, parts)
		if err != nil {
			return err
		}
		return db.Close()
	})
	if err != nil {
		t.Fatal(err)
	}
	pkcs11test.Setenv(t, "SOFTHSM2_CONF", parts.Token())
	return parts
}

// partsWith is the parts of swiftWith, before anything is run with them.
func partsWith(t *testing.T, dir, module string) rehearsal.Parts {
	t.Helper()
	return hastened(t, rehearsalWith(t, dir), module)
}

// hastened has a fleet of one process that reports four times a second, and a module on the console.
func hastened(t *testing.T, parts rehearsal.Parts, module string) rehearsal.Parts {
	t.Helper()
	config, err := os.ReadFile(parts.Config())
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("beat: 1s", "beat: 250ms", "live: 4s", "live: 1s",
		fmt.Sprintf("%s: %d", rehearsal.Role, rehearsal.Processes), rehearsal.Role+": 1").Replace(string(config))
	theirs := filepath.Join(parts.Dir, "agent.yaml")
	for path, text := range map[string]string{
		theirs:         text,
		parts.Config(): strings.ReplaceAll(text, pkcs11test.Module(t), module),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return parts
}

// unattended are the arguments of a ceremony with nobody in the room.
func unattended(parts rehearsal.Parts, command string, flags ...string) []string {
	args := append([]string{command, "--ui", "none", "--config", parts.Config()}, flags...)
	if command != "abort" {
		args = append(args, "--answers", parts.Answers(command))
	}
	return args
}

func rotateTo(parts rehearsal.Parts, v kek.Version, flags ...string) []string {
	return unattended(parts, "rotate", append([]string{"--to-version", v.String()}, flags...)...)
}
