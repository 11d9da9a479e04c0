package rehearsal

import (
	"fmt"
	"time"
)

// DestroyWait is how long a version stays disabled here before it may be destroyed.
const DestroyWait = 2 * time.Second

// writeAnswers writes the answers to each ceremony of a key's life.
func (p Parts) writeAnswers(provider string) error {
	const notSeen = ": \"n/a: a rehearsal\"\n"
	all := "differed: none\n"
	for _, question := range []string{
		"place", "authorised", "people", "clock", "bags", "evidence", "bags_out", "clock_out",
	} {
		all += question + notSeen
	}
	made := "copies: none, this is a rehearsal\nplanned_end" + notSeen
	gone := "verdicts: none\n"
	if provider == "env" {
		gone += "hosts" + notSeen
	}
	for kind, own := range map[string]string{
		"install":  fmt.Sprintf("roster: %s\nprovider: %s\n%s", p.Roster(), provider, made),
		"rotate":   made,
		"generate": made,
		"disable":  "",
		"destroy":  gone,
	} {
		if err := write(p.Answers(kind), "ceremony: "+kind+"\n"+own+all); err != nil {
			return err
		}
	}
	return nil
}
