//go:build torture

package main_test

import (
	"testing"
	"time"
)

func init() { outage, everyEnd, everyCase = time.Minute, true, true }

// TestTortureLong is TestTorture at its full length; make torture runs it.
func TestTortureLong(t *testing.T) { torture(t, 200, 5000) }
