// Command plain opens a ring with env and MongoDB, for a program that uses Tink.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/certautopilot/kekceremony/keyring"
	_ "github.com/certautopilot/kekceremony/keyring/env"
	_ "github.com/certautopilot/kekceremony/keyring/mongo"
	"github.com/certautopilot/kekceremony/keyring/tinkaead"
)

func main() {
	ring, err := keyring.Open(context.Background(), keyring.Config{File: os.Args[1], Role: "app"})
	if err != nil {
		fmt.Println(err)
		return
	}
	secret := tinkaead.New(context.Background(), ring, "dns_credentials.encrypted_api_key", "one")
	sealed, err := secret.Encrypt([]byte("text"), nil)
	fmt.Println(len(sealed), err, ring.Status(), ring.Close(context.Background()))
}
