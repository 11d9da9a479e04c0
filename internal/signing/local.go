package signing

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/certautopilot/kekceremony/internal/file"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/term"
)

// keys are all private keys that can sign here now.
func (c *Collector) keys(ctx context.Context) []quorum.Key {
	return append(quorum.AgentKeys(ctx), c.Keys...)
}

// keyOf finds the key of a person.
func keyOf(keys []quorum.Key, m quorum.Member) (quorum.Key, bool) {
	for _, k := range keys {
		if k.IsOf(m) {
			return k, true
		}
	}
	return quorum.Key{}, false
}

// signTime bounds the wait for an agent that asks nobody.
const signTime = 30 * time.Second

// sign has ssh-keygen sign a statement with the person's key. The file that it
// signs is in a directory that nobody else can write to.
func (c *Collector) sign(ctx context.Context, m quorum.Member, text []byte) (sig []byte, err error) {
	k, here := keyOf(c.keys(ctx), m)
	if !here {
		return nil, fmt.Errorf("the key of %s is not on this console", m.Name)
	}
	dir, done, err := file.Scratch()
	if err != nil {
		return nil, err
	}
	defer done()
	path := filepath.Join(dir, c.File(m.Name))
	if err := writeFile(path, text); err != nil {
		return nil, err
	}
	if !k.Asks { // nothing that a person does takes time
		ctx, cancel := context.WithTimeoutCause(ctx, signTime, fmt.Errorf("%s: no signature within %s", k, signTime))
		defer cancel()
		sig, err := k.Sign(ctx, c.namespace(), path, nil)
		if err != nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return sig, err
	}
	err = c.Room.Lend(ctx, func(t *term.Terminal) (err error) {
		if _, err := fmt.Fprintf(t.Out, "\r\n%s: ssh-keygen asks for a passphrase or a touch\r\n", m.Name); err != nil {
			return err
		}
		sig, err = k.Sign(ctx, c.namespace(), path, t.In)
		return err
	})
	return sig, err
}
