package main

import (
	"os"
	"regexp"
	"strings"

	"github.com/certautopilot/kekceremony/internal/config"
	"github.com/certautopilot/kekceremony/internal/printable"
)

// programName is the program as people started it, if by a path; else a shell finds it by its name.
func programName() string {
	if strings.Contains(os.Args[0], "/") {
		return typed(os.Args[:1])
	}
	return "kekceremony"
}

// shown is a command of this program as people would type it.
func shown(args []string) string {
	return strings.TrimSpace(programName() + " " + typed(args))
}

// typed are words of a command as people would type them. They give the password of a store themselves.
func typed(args []string) string {
	var words []string
	for _, arg := range args {
		words = append(words, printable.Word(config.WithoutPassword(arg)))
	}
	return strings.Join(words, " ")
}

// given are the flags with which another command acts on the same parts as this run.
func (o *options) given() (args []string) {
	if o.config != "" {
		args = append(args, "--config", o.config)
	}
	if o.store != "" {
		args = append(args, "--store", o.store)
	}
	for _, key := range o.keys {
		args = append(args, "--key", key)
	}
	return args
}

// again is the whole command that continues this run.
func (o *options) again() string {
	if o.rerun != "" {
		return o.rerun
	}
	return shown(o.args)
}

// typing is a text whose commands of this program act on the same parts as this run, as people type them. It is
// the only place where a command gets this program's path and this run's flags to be shown.
func (o *options) typing(text string) string {
	return commandInText.ReplaceAllStringFunc(text, func(found string) string {
		words := strings.Fields(found)[1:]
		name := words[0]
		if len(words) > 1 {
			if _, ok := guides[name+" "+words[1]]; ok {
				name += " " + words[1]
			}
		}
		if _, ok := guides[name]; !ok {
			return found
		}
		command, after := found, ""
		if len(words) > 1 && !strings.Contains(name, " ") && !strings.HasPrefix(words[1], "--") {
			command, after = "kekceremony "+name, strings.TrimPrefix(found, "kekceremony "+name) // the sentence goes on
		}
		command = programName() + strings.TrimPrefix(command, "kekceremony")
		if flags := typed(o.given()); flags != "" && readsConfiguration(name) && !strings.HasSuffix(command, " --help") {
			command += " " + flags
		}
		return command + after
	})
}

// commandInText is a command of this program in a text, with its flags. It may have one more word, of a sentence.
var commandInText = regexp.MustCompile(`\bkekceremony [a-z]+( [a-z]+)?( --[a-z-]+( ([A-Z]+|[0-9]+)\b)?)*`)

// readsConfiguration reports whether a command needs the flags of given: those that read a bundle do not, and a
// rehearsal has parts of its own.
func readsConfiguration(command string) bool {
	switch command {
	case "answers check", "rehearse", "transcript show", "transcript verify",
		"transcript render", "transcript replay", "version":
		return false
	}
	return true
}
