package steps

import (
	"errors"
	"strings"
	"time"
)

// askHosts has the custodian of each host say that the key left that host's configuration: no program
// sees what a file, a deployment or a secret store there has.
func askHosts() Step {
	return Step{
		Name: "hosts", Title: "The other hosts",
		Why: "The key left the secrets file of this console. The custodian of each other host must remove theirs.",
		Ask: &Form{Fields: []Field{{
			Name: "hosts", Question: "Who removed the key from each host?",
			Help:    "HOST: NAME, DATE; HOST: NAME, DATE; with dates as YYYY-MM-DD" + orReason,
			Example: "app-1: bob, 2026-02-01",
			Check:   orNot("hosts", checkHosts), Propose: rehearsed(notSeen),
		}}},
	}
}

// checkHosts wants a name of the roster for each host, and a day that has begun where people may be.
func checkHosts(s *Site, answer string) error {
	for _, part := range openOf(answer) {
		host, who, ok := strings.Cut(part, ": ")
		name, when, dated := strings.Cut(who, ", ")
		if !ok || !dated || host == "" || when == "" {
			return errors.New("want HOST: NAME, DATE; HOST: NAME, DATE")
		}
		if err := known(s, name); err != nil {
			return err
		}
		if err := hasBegun(when); err != nil {
			return err
		}
	}
	return nil
}

// hasBegun demands a day that has begun in some time zone: the first one is 14 hours ahead of UTC.
func hasBegun(day string) error {
	if d, err := time.Parse(time.DateOnly, day); err != nil || time.Until(d) > 14*time.Hour {
		return errors.New("want the day on which it was removed, as YYYY-MM-DD, and not one that is to come")
	}
	return nil
}
