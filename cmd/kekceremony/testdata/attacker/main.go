// Command attacker is another process of the user who runs the program. It waits for the
// first instructions of the console or of its keeper, slows them down with SIGSTOP, and
// gets hold of the memory there: by a descriptor, or as a tracer. Much later it reads.
//
//	attacker mem|trace console|keeper PID-OF-THE-CONSOLE
//
// It prints "watching", attacks until a line of standard input gives it a text in hex to
// search for, and prints what it got hold of and how often the text is there.
package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
)

func main() {
	runtime.LockOSThread() // a tracer is a thread
	console, err := strconv.Atoi(os.Args[3])
	if err != nil {
		panic(err)
	}
	a := &attack{console: console, trace: os.Args[1] == "trace", keeper: os.Args[2] == "keeper"}
	var ended atomic.Bool
	text := make(chan []byte, 1)
	go func() {
		in := bufio.NewScanner(os.Stdin)
		in.Scan()
		needle, err := hex.DecodeString(in.Text())
		if err != nil {
			panic(err)
		}
		text <- needle
		ended.Store(true)
	}()
	last := newest()
	fmt.Println("watching")
	for !ended.Load() && a.held == 0 {
		if !a.keeper {
			a.try(console)
			continue
		}
		for now := newest(); last < now; last++ {
			a.child(last + 1)
		}
	}
	for !ended.Load() {
		a.goOn()
	}
	found := a.search(<-text)
	fmt.Printf("tried %t, held %t, found %d\n", a.tries > 0, a.held != 0, found)
}

// newest is the highest process number that the kernel gave.
func newest() int {
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		panic(err)
	}
	fields := strings.Fields(string(load))
	n, _ := strconv.Atoi(fields[len(fields)-1]) // the kernel prints numbers
	return n
}
