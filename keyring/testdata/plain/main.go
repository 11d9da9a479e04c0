// Command plain opens a ring with env and MongoDB.
package main

import (
	"context"
	"fmt"

	"github.com/certautopilot/kekceremony/keyring"
	_ "github.com/certautopilot/kekceremony/keyring/env"
	_ "github.com/certautopilot/kekceremony/keyring/mongo"
)

func main() {
	ring, err := keyring.Open(context.Background(), keyring.Config{Role: "app"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(ring.Status(), ring.Close(context.Background()))
}
