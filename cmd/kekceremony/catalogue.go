package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/printable"
)

func catalogueCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "catalogue",
		Short: "The places of a database that have envelopes",
		Args:  noArgument,
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "suggest",
		Short: "Search a database for envelopes, and print the entries that the catalogue lacks",
		Long: `suggest reads every record of the store and changes nothing. Each entry is printed
as the configuration takes it, with the number of envelopes and the shape of one,
never its values. What it finds is a guess by length and name: compare it with the
application. Exit code 6 if the catalogue lacks an entry, or says it otherwise.`,
		Args: noArgument,
		RunE: ran(func(cmd *cobra.Command, _ []string) error {
			return suggest(cmd.Context(), cmd.OutOrStdout(), o)
		}),
	})
	return cmd
}

func suggest(ctx context.Context, w io.Writer, o *options) error {
	cfg, err := o.readConfig()
	if err != nil {
		return err
	}
	catalogue, err := cfg.FullCatalogue()
	if err != nil {
		return &usageError{err}
	}
	db, err := openRecords(ctx, cfg.Store)
	if err != nil {
		return err
	}
	defer db.Close()
	db.Under(cfg.Adopted.Prefix())
	var survey envelope.Survey
	err = db.Scan(ctx, func(collection string, record envelope.Tree) error {
		survey.Look(collection, record)
		return nil
	})
	if err != nil {
		return err
	}
	return writeSuggestions(w, catalogue, survey.Suggestions())
}

func writeSuggestions(w io.Writer, catalogue envelope.Catalogue, all []envelope.Suggestion) error {
	lacking := slices.DeleteFunc(all, func(s envelope.Suggestion) bool {
		return slices.Contains(catalogue, s.Place) && len(s.Unclear) == 0
	})
	known := len(all) - len(lacking)
	fmt.Fprintf(w, "# The catalogue has %d of the %d places that were found.\n", known, known+len(lacking))
	if len(lacking) == 0 {
		return nil
	}
	fmt.Fprintln(w, "catalogue:")
	for _, s := range lacking {
		writeSuggestion(w, s)
	}
	return fmt.Errorf("catalogue suggest: %d places: %w", len(lacking), errLacking)
}

// writeSuggestion prints an entry as the configuration takes it. Names of the database that are
// none of a place make it a comment.
func writeSuggestion(w io.Writer, s envelope.Suggestion) {
	fmt.Fprintf(w, "  # %d envelopes; one is {%s}\n", s.N, printable.Text(s.Example))
	for _, why := range s.Unclear {
		fmt.Fprintf(w, "  # unclear: %s\n", printable.Text(why))
	}
	if s.Check() != nil {
		return
	}
	differs := s.Form.String()
	if differs == "" {
		fmt.Fprintf(w, "  - %s\n", s.Place)
		return
	}
	fmt.Fprintf(w, "  - collection: %s\n    path: %s\n", s.Collection, quoted(s.Path))
	var parts []string
	for pair := range strings.SplitSeq(differs, ",") {
		name, value, _ := strings.Cut(pair, "=")
		if name == "bytes" || name == "outer" {
			fmt.Fprintf(w, "    %s: %s\n", name, value)
			continue
		}
		parts = append(parts, name+": "+value)
	}
	if len(parts) > 0 {
		fmt.Fprintf(w, "    parts: {%s}\n", strings.Join(parts, ", "))
	}
}

// quoted is a path in YAML.
func quoted(path string) string {
	if strings.Contains(path, "[") {
		return "'" + path + "'"
	}
	return path
}
