package keyring_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/certautopilot/kekceremony/keyring"
)

// exampleRing is a ring on an installed store, and how it ends.
func exampleRing() (ring *keyring.Ring, closed func()) {
	dir, err := os.MkdirTemp("", "kekceremony-example-")
	if err != nil {
		panic(err)
	}
	x := &example{dir: dir}
	x.Cleanup(func() { os.RemoveAll(dir) })
	return newHouse(x).open(keyring.Config{}), x.end
}

// example stands in for the testing.TB that a runnable example has none of.
type example struct {
	testing.TB
	dir   string
	after []func()
}

func (x *example) Helper()                  {}
func (x *example) Context() context.Context { return context.Background() }
func (x *example) TempDir() string          { return x.dir }
func (x *example) Cleanup(do func())        { x.after = append(x.after, do) }
func (x *example) Fatal(why ...any)         { panic(fmt.Sprint(why...)) }

func (x *example) end() {
	for i := len(x.after) - 1; i >= 0; i-- {
		x.after[i]()
	}
}
