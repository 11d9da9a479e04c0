package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// guide is what --help and the man page of a command say beside its text.
type guide struct {
	example string
	exits   []int
}

// Exit codes by what a command does.
var (
	exitsCeremony   = []int{exitDone, exitFailed, exitUsage, exitRefused, exitIncomplete, exitAgain}
	exitsTranscript = []int{exitDone, exitUsage, exitBad, exitIncomplete}
	exitsReader     = []int{exitDone, exitFailed, exitUsage}
)

// guides are by the command without the program's name. One of another name, below kek, has those
// of its own. A command that is not listed has the exit codes of a ceremony.
var guides = map[string]guide{
	"":                  {"kekceremony rehearse\nkekceremony status", []int{exitDone, exitFailed, exitUsage}},
	"abort":             {"kekceremony abort", exitsCeremony},
	"adopt":             {"kekceremony adopt", exitsCeremony},
	"agent":             {"kekceremony agent --role app", []int{exitDone, exitFailed, exitUsage, exitRefused}},
	"answers":           {"kekceremony answers check answers.yaml", []int{exitDone, exitUsage}},
	"answers check":     {"kekceremony answers check answers.yaml", []int{exitDone, exitUsage}},
	"catalogue":         {"kekceremony catalogue suggest", []int{exitDone, exitFailed, exitUsage, exitDue}},
	"catalogue suggest": {"kekceremony catalogue suggest", []int{exitDone, exitFailed, exitUsage, exitDue}},
	"completion":        {"kekceremony completion bash >/etc/bash_completion.d/kekceremony", []int{exitDone, exitUsage}},
	"compromise":        {"kekceremony compromise --version 1", exitsCeremony},
	"destroy":           {"kekceremony destroy --version 1", exitsCeremony},
	"disable":           {"kekceremony disable --version 1", exitsCeremony},
	"enable":            {"kekceremony enable --version 1", exitsCeremony},
	"generate":          {"kekceremony generate --version 2", exitsCeremony},
	"install":           {"kekceremony install", exitsCeremony},
	"kek":               {"kekceremony kek rotate --to-version 2", exitsCeremony},
	"man":               {"kekceremony man rotate | man -l -", []int{exitDone, exitUsage}},
	"probe":             {"kekceremony probe", []int{exitDone, exitFailed, exitUsage, exitRefused}},
	"reconcile":         {"kekceremony reconcile", exitsCeremony},
	"rehearse":          {"kekceremony rehearse\nkekceremony rehearse --ui none --dir /tmp/kek", exitsCeremony},
	"roster":            {"kekceremony roster", exitsCeremony},
	"rotate":            {"kekceremony rotate --to-version 2", exitsCeremony},
	"script":            {"kekceremony script rotate --format html >script.html", []int{exitDone, exitUsage}},
	"status":            {"kekceremony status\nkekceremony status --check --json", append(exitsReader, exitDue)},
	"transcript":        {"kekceremony transcript show BUNDLE", append(exitsTranscript, exitDue)},
	"transcript list":   {"kekceremony transcript list", exitsReader},
	"transcript render": {"kekceremony transcript render --format html BUNDLE >report.html", exitsTranscript},
	"transcript replay": {"kekceremony transcript replay --speed 10 BUNDLE", exitsTranscript},
	"transcript show":   {"kekceremony transcript show BUNDLE", exitsTranscript},
	"transcript verify": {"kekceremony transcript verify --chain transcripts --stock", append(exitsTranscript, exitDue)},
	"verify":            {"kekceremony verify --target 2", []int{exitDone, exitFailed, exitUsage, exitRefused, exitDue}},
	"version":           {"kekceremony version", []int{exitDone, exitFailed}},
}

// guideOf is that of a command.
func guideOf(cmd *cobra.Command) guide {
	_, name, _ := strings.Cut(cmd.CommandPath(), " ")
	if g, ok := guides[name]; ok {
		return g
	}
	if g, ok := guides[strings.TrimPrefix(name, "kek ")]; ok {
		return g
	}
	return guide{exits: exitsCeremony}
}

// meanings are those of the exit codes, as docs/exit-codes.md has them.
var meanings = map[int]string{
	exitDone:       "done, or nothing was due",
	exitFailed:     "failed, or undecryptable envelopes are left; the message says what changed",
	exitUsage:      "flags, configuration or answers",
	exitRefused:    "refused by a rule; nothing was changed",
	exitBad:        "the transcript is bad",
	exitIncomplete: "the transcript is incomplete, or void: an install that was given up",
	exitDue:        "something is due (status --check, verify, transcript verify --store, catalogue suggest)",
	exitAgain:      "people or parts are missing, or it was interrupted: run it again",
}

// exitLines lists the exit codes of a command.
func exitLines(cmd *cobra.Command) string {
	var b strings.Builder
	for _, code := range guideOf(cmd).exits {
		fmt.Fprintf(&b, "  %-3d %s\n", code, meanings[code])
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// guided gives each command its example, its exit codes, and suggestions for what is mistyped.
func guided(root *cobra.Command) *cobra.Command {
	cobra.AddTemplateFunc("exitLines", exitLines)
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(), "{{if .HasHelpSubCommands}}",
		"\n\nExit codes:\n{{exitLines .}}{{if .HasHelpSubCommands}}", 1))
	root.SetFlagErrorFunc(flagRefused)
	helped(root)
	var visit func(*cobra.Command)
	visit = func(cmd *cobra.Command) {
		if example := guideOf(cmd).example; example != "" {
			cmd.Example = "  " + strings.ReplaceAll(example, "\n", "\n  ")
		}
		if cmd.HasSubCommands() {
			grouped(cmd)
		}
		complete(cmd)
		for _, c := range cmd.Commands() {
			visit(c)
		}
	}
	visit(root)
	return root
}

// complete has a command refuse a run without a flag that it needs.
func complete(cmd *cobra.Command) {
	check := cmd.Args
	if check == nil {
		check = cobra.ArbitraryArgs
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		err := check(cmd, args)
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if err == nil && f.Annotations[cobra.BashCompOneRequiredFlag] != nil && !f.Changed {
				example, _, _ := strings.Cut(guideOf(cmd).example, "\n")
				err = fmt.Errorf("--%s is missing; example: %s", f.Name, example)
			}
		})
		return err
	}
}
