//go:build third

package main

import "github.com/certautopilot/kekceremony/internal/provider/memorytest"

// In a test build there is a third kind of provider. This is all of the program that knows it.
func init() { providers = append(providers, memorytest.Settings{}) }
