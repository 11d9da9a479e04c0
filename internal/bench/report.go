package main

import (
	"context"
	"fmt"
	"io"
)

func (l lab) report(ctx context.Context, w io.Writer, most int) error {
	for n := 10_000; n <= most; n *= 10 {
		r, err := l.rotation(ctx, n)
		if err != nil {
			return err
		}
		fmt.Printf("%+v rate %.0f share %.2f\n", r, r.rate(), r.share())
	}
	return nil
}
