package fleet_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/fleet"
)

// TestWait: each wait says how many of which role are missing, or who is not ready, and names the command that helps.
// A role that a heartbeat brings is part of no command unless it is one.
func TestWait(t *testing.T) {
	app := func(p fleet.Process) []fleet.Process {
		p.Name, p.Role = "host/app/1/1", "app"
		return []fleet.Process{p}
	}
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	for name, c := range map[string]struct {
		table       fleet.Table
		of          func(fleet.Table) fleet.Wait
		why, remedy string
	}{
		"nobody": {fleet.Table{Missing: []fleet.Shortage{{Role: "app", Expected: 3}, {Role: "worker", Expected: 1}}},
			fleet.Table.Behind, "no live process: 0 of 3 app, 0 of 1 worker",
			"Start the application on its host, or there: kekceremony agent --role app (3 missing), --role worker (1 missing)"},
		"nobody, and none is expected": {fleet.Table{}, fleet.Table.Lacking, "no live process",
			"Start the application on its host, or there: kekceremony agent --role ROLE"},
		"some": {fleet.Table{Processes: app(fleet.Process{Has: true}), Missing: []fleet.Shortage{{"app", 1, 3}}},
			fleet.Table.Holding, "only 1 of 3 app",
			"Start the application on its host, or there: kekceremony agent --role app (2 missing)"},
		"without the key": {fleet.Table{Target: 2, Processes: app(fleet.Process{})}, fleet.Table.Lacking,
			"processes without version 2: host/app/1/1",
			"Make the key of version 2 reachable on the host of each. If that is not " +
				"enough, restart it there: the application, or kekceremony agent --role app"},
		"without the key, a heartbeat later at most": {fleet.Table{Target: 2, Now: at(9), Fair: at(5),
			Processes: slices.Concat(app(fleet.Process{Age: 5 * time.Second}),
				app(fleet.Process{Age: time.Second, Has: true}))}, fleet.Table.Lacking,
			"processes without version 2: host/app/1/1", "Each looks for its key at its next heartbeat."},
		"without the key, and one had its time": {fleet.Table{Target: 2, Now: at(9), Fair: at(5), Processes: slices.Concat(
			app(fleet.Process{Age: 5 * time.Second}), app(fleet.Process{Age: 4 * time.Second}))}, fleet.Table.Lacking,
			"processes without version 2: host/app/1/1, host/app/1/1",
			"Make the key of version 2 reachable on the host of each. If that is not " +
				"enough, restart it there: the application, or kekceremony agent --role app"},
		"not writing": {fleet.Table{Target: 2, Processes: app(fleet.Process{Has: true})}, fleet.Table.Behind,
			"processes that do not write version 2 yet: host/app/1/1",
			"Each switches at its next heartbeat. For one that does not: set its " +
				"pointer to version 2, and restart it: the application, or kekceremony agent --role app"},
		"writing": {fleet.Table{Target: 2, Processes: app(fleet.Process{Writes: true})}, fleet.Table.Writing,
			"processes that still write version 2: host/app/1/1",
			"Each stops writing at its next heartbeat. Stop one that does not, " +
				"on its host."},
		"not dropped, of a hostile role": {fleet.Table{Target: 2, Dropped: 1, Processes: []fleet.Process{
			{Name: "host/x/1/1", Role: "x; rm -rf /", Has: true, Holds: true}}}, fleet.Table.Holding,
			"processes that still have version 1: host/x/1/1",
			"Each drops it at its next heartbeat. Restart one that does not: the " +
				"application, or kekceremony agent --role ROLE"},
		"not dropped, of no role": {fleet.Table{Target: 2, Dropped: 1, Now: at(9), Fair: at(9), Processes: []fleet.Process{
			{Name: "host//1/1", Has: true, Holds: true, Age: time.Second}}}, fleet.Table.Holding,
			"processes that still have version 1: host//1/1", "Each drops it at its next heartbeat."},
		"still writing, early": {fleet.Table{Target: 2, Now: at(9), Fair: at(9), Processes: app(
			fleet.Process{Writes: true, Age: time.Second})}, fleet.Table.Writing,
			"processes that still write version 2: host/app/1/1", "Each stops writing at its next heartbeat."},
		"not writing, early": {fleet.Table{Target: 2, Now: at(9), Fair: at(9), Processes: app(
			fleet.Process{Has: true, Age: time.Second})}, fleet.Table.Behind,
			"processes that do not write version 2 yet: host/app/1/1", "Each switches at its next heartbeat."},
		"ready": {fleet.Table{Target: 2, Processes: app(fleet.Process{Has: true, Writes: true})}, fleet.Table.Behind, "", ""},
	} {
		if got := c.of(c.table); got != (fleet.Wait{Why: c.why, Remedy: c.remedy}) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	out, err := json.Marshal(fleet.Table{Missing: []fleet.Shortage{{"app", 1, 3}}})
	if want := `{"target":0,"processes":null,"missing":["1 of 3 app"]}`; err != nil || string(out) != want {
		t.Errorf("%s, %v", out, err)
	}
}
