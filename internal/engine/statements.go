package engine

import (
	"os"
	"path/filepath"
)

// signingDir is where statements lie until they are signed: in the directory
// named for the exchange, else beside the bundle, which holds only what the log
// holds.
func (e *engine) signingDir() string {
	if e.site.Exchange == "" {
		return e.log.Dir + ".signing"
	}
	return filepath.Join(e.site.Exchange, filepath.Base(e.log.Dir)+".signing")
}

// guide is for people who find the directory on a stick.
const guide = `Statements of a key ceremony, to be signed on other machines.

NAME.txt is what a person signs: read it. Then, on the machine with your key, run
    sh NAME.sh KEY
where KEY is the file of the private key. Bring NAME.txt.sig back beside NAME.txt, and
run the command of the ceremony again: it takes each signature that lies here.

At the end of a ceremony there is one statement for each verdict. Sign ONE of yours:
    final.PERSON.followed.txt      the ceremony went as its steps say
    final.PERSON.deviations.txt    it went otherwise; the words that say how are in it
    final.PERSON.disagree.txt      this is not what you saw
While two of one person are signed, nothing is taken: remove the .sig of one.

There is no statement with deviations of a person whose words nobody has written down.
To have one, say what deviated at the console, or put it into the file of answers and
run the command again:
    words.PERSON: what deviated, in your own words, at most 240 characters
The same line says why, if the verdict is disagree. A line
    verdict.PERSON: followed
(or deviations, or disagree) has that statement alone written for this person.
`

// clearSigning takes away what was written for signing. A stick that was pulled out takes
// its copies along.
func (e *engine) clearSigning() error { return os.RemoveAll(e.signingDir()) }
