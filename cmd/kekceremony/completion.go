package main

import (
	"io"

	"github.com/spf13/cobra"
)

// shells are those that completions are written for.
var shells = map[string]func(*cobra.Command, io.Writer) error{
	"bash": func(root *cobra.Command, w io.Writer) error { return root.GenBashCompletionV2(w, true) },
	"zsh":  func(root *cobra.Command, w io.Writer) error { return root.GenZshCompletion(w) },
	"fish": func(root *cobra.Command, w io.Writer) error { return root.GenFishCompletion(w, true) },
}

func completionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print what completes commands and flags in bash, zsh or fish",
		Long: `completion prints a script for a shell, which then completes commands, flags, kinds
of ceremonies and directories of bundles at the tab key. Completing reads no store and
opens no token.

  bash  kekceremony completion bash >/etc/bash_completion.d/kekceremony
  zsh   kekceremony completion zsh >"${fpath[1]}/_kekceremony"
  fish  kekceremony completion fish >~/.config/fish/completions/kekceremony.fish`,
		Args:      oneArgument,
		ValidArgs: []string{"bash", "zsh", "fish"},
		RunE: ran(func(cmd *cobra.Command, args []string) error {
			write, ok := shells[args[0]]
			if !ok {
				return unknown("completion for", args[0], cmd.ValidArgs)
			}
			return write(cmd.Root(), cmd.OutOrStdout())
		}),
	}
}

// completed says what stands for the arguments and flags that the shells cannot know.
func completed(root *cobra.Command) *cobra.Command {
	_ = root.RegisterFlagCompletionFunc("ui", cobra.FixedCompletions([]string{"auto", "tui", "line", "none"},
		cobra.ShellCompDirectiveNoFileComp))
	_ = root.RegisterFlagCompletionFunc("size", cobra.FixedCompletions([]string{"80x24", "100x30", "132x43"},
		cobra.ShellCompDirectiveNoFileComp))
	for _, path := range [][]string{{"transcript", "show"}, {"transcript", "render"}, {"transcript", "replay"},
		{"transcript", "verify"}} {
		if cmd, _, err := root.Find(path); err == nil {
			cmd.ValidArgsFunction = cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs)
		}
	}
	if cmd, _, err := root.Find([]string{"script"}); err == nil {
		cmd.ValidArgs = kinds()
	}
	return root
}
