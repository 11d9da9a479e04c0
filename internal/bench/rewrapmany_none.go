//go:build !cse

package main

import (
	"context"
	"fmt"
	"io"
)

// rewrapMany says that the driver was built without libmongocrypt.
func (l lab) rewrapMany(_ context.Context, w io.Writer) error {
	_, err := fmt.Fprint(w, "\n## RewrapManyDataKey\n\nlibmongocrypt is not installed here.\n")
	return err
}
