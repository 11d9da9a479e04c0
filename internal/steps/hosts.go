package steps

import (
	"errors"
	"strings"
)

// askHosts has the custodian of each host say that the key left that host's configuration: no program
// sees what a file, a deployment or a secret store there has.
func askHosts() Step {
	return Step{
		Name: "hosts", Title: "The other hosts",
		Why: "The key left the secrets file of this console. The custodian of each other host must remove theirs.",
		Ask: &Form{Fields: []Field{{
			Name: "hosts", Question: "Who removed the key from each host?", Help: "HOST: NAME, DATE; HOST: NAME, DATE",
			Example: "app-1: bob, 2027-02-01",
			Check:   orNot("hosts", checkHosts), Propose: rehearsed(notSeen),
		}}},
	}
}

// checkHosts wants a name of the roster for each host.
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
	}
	return nil
}
