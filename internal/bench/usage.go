package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/provider/keeper"
)

// usage is what a process and its keepers use while they run, as the kernel tells it every 20 ms. What it tells at
// the end of a process begins with the peak of its parent. Only root reads what keepers use.
type usage struct {
	pid   int
	stop  chan struct{}
	ended chan struct{}
	last  map[int]used // by process, at its last look
	looks []look
}

// used is what one process has used so far.
type used struct {
	peak, own int // most resident memory, and most of it that is shared with nobody, in KiB
	ran       time.Duration
}

// look is the processor time that was used up to a moment.
type look struct {
	at            time.Time
	main, keepers time.Duration
}

// watch begins to look at a process that runs.
func watch(pid int) *usage {
	u := &usage{pid: pid, stop: make(chan struct{}), ended: make(chan struct{}), last: map[int]used{}}
	go func() {
		defer close(u.ended)
		for {
			select {
			case <-u.stop:
				return
			case <-time.After(20 * time.Millisecond):
				u.look()
			}
		}
	}()
	return u
}

// end stops looking, once the process has ended.
func (u *usage) end() {
	close(u.stop)
	<-u.ended
}

func (u *usage) look() {
	children, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", u.pid))
	all := []string{strconv.Itoa(u.pid)}
	for _, list := range children {
		text, _ := os.ReadFile(list) // a thread may have ended
		all = append(all, slices.DeleteFunc(strings.Fields(string(text)), isNoKeeper)...)
	}
	for _, pid := range all {
		n, _ := strconv.Atoi(pid) // the kernel prints numbers
		now, before := usedBy(pid), u.last[n]
		if now.peak > 0 {
			u.last[n] = used{now.peak, max(before.own, now.own), now.ran}
		}
	}
	l := look{at: time.Now()}
	for pid, one := range u.last {
		if pid == u.pid {
			l.main = one.ran
		} else {
			l.keepers += one.ran
		}
	}
	u.looks = append(u.looks, l)
}

// isNoKeeper reports that a process is another child than a keeper, or not yet one.
func isNoKeeper(pid string) bool {
	line, _ := os.ReadFile("/proc/" + pid + "/cmdline")
	return string(line) != "kekceremony\x00"+keeper.Command+"\x00"
}

// usedBy has a peak of 0 where nothing can be read.
func usedBy(pid string) (u used) {
	status, _ := os.ReadFile("/proc/" + pid + "/status")
	kib := func(name string) int {
		_, rest, _ := strings.Cut(string(status), name)
		f := strings.Fields(rest)
		if len(f) == 0 {
			return 0
		}
		n, _ := strconv.Atoi(f[0]) // the kernel prints numbers
		return n
	}
	u.peak, u.own = kib("\nVmHWM:"), kib("\nRssAnon:")
	stat, _ := os.ReadFile("/proc/" + pid + "/stat")
	_, rest, _ := strings.Cut(string(stat), ") ") // after the name of the program
	if f := strings.Fields(rest); len(f) > 12 {
		for _, ticks := range f[11:13] { // utime and stime, in hundredths of a second (proc_pid_stat(5))
			n, _ := strconv.Atoi(ticks)
			u.ran += time.Duration(n) * 10 * time.Millisecond
		}
	}
	return u
}

// used takes the memory that a rotation used, and the processors of its re-wrap. The log says to the second when that
// was done, so that a second less is certain to be within it.
func (r *rotated) used(done time.Time, took time.Duration) {
	u := r.usage
	if took > 2*time.Second {
		r.main, r.kept = u.processors(done.Add(time.Second-took), took-time.Second)
	}
	r.peak, r.keepers, r.own = u.last[u.pid].peak, nil, 0
	for pid, one := range u.last {
		if pid != u.pid {
			r.keepers, r.own = append(r.keepers, one.peak), max(r.own, one.own)
		}
	}
}

// processors are how many were busy with the process, and with its keepers, from a moment on for a time.
func (u *usage) processors(from time.Time, took time.Duration) (main, keepers float64) {
	var first, last look
	for _, l := range u.looks {
		if l.at.Before(from) {
			first = l
		}
		if !l.at.After(from.Add(took)) {
			last = l
		}
	}
	span := last.at.Sub(first.at).Seconds()
	if first.at.IsZero() || span <= 0 {
		return 0, 0
	}
	return (last.main - first.main).Seconds() / span, (last.keepers - first.keepers).Seconds() / span
}
