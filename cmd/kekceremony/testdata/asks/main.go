// Command asks for a PIN as the wizard must not: with an input of its forms.
package main

import (
	"fmt"
	"runtime"

	"github.com/charmbracelet/huh"
)

func main() {
	if err := ask(); err != nil {
		panic(err)
	}
	runtime.GC()
	runtime.GC()
	fmt.Println("dropped")
	select {}
}

func ask() error {
	var pin string
	return huh.NewForm(huh.NewGroup(huh.NewInput().Title("PIN").EchoMode(huh.EchoModePassword).Value(&pin))).Run()
}
