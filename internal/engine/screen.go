package engine

import (
	"github.com/certautopilot/kekceremony/internal/fleet"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/rewrap"
	"github.com/certautopilot/kekceremony/internal/term"
)

// What a room shows and steers, by the engine's names: a wizard imports nothing beneath it.
type (
	Terminal = term.Terminal

	Purpose = quorum.Purpose

	Verdict = provider.Verdict
	Outcome = provider.Outcome

	Fleet   = fleet.Table
	Process = fleet.Process

	Shortage = fleet.Shortage // of processes
	Wait     = fleet.Wait

	Progress = rewrap.Progress
	ETA      = rewrap.ETA
	Control  = rewrap.Control
	Action   = rewrap.Action
)

// The purposes of signatures.
const (
	Attend  = quorum.Attend
	Approve = quorum.Approve
	Join    = quorum.Join
	Final   = quorum.Final
)

// ErrTyped is what reading a terminal ends with on ctrl+c.
var ErrTyped = term.ErrInterrupted

// InAgent is where a signer's key is when an ssh-agent has it.
const InAgent = quorum.InAgent

// The outcomes of a line of the probe.
const (
	Trying = provider.Trying
	Passed = provider.Passed
	Failed = provider.Failed
)

// What people ask of a re-wrap, and two of its states.
const (
	Pause   = rewrap.Pause
	Resume  = rewrap.Resume
	Slower  = rewrap.Slower
	Faster  = rewrap.Faster
	SetRate = rewrap.SetRate
	Running = rewrap.Running
	Paused  = rewrap.Paused
)
