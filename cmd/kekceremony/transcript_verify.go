package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/audit"
	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/login"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// verification is one run of transcript verify, and what it is asked to compare.
type verification struct {
	*options
	chain   string
	expect  []string
	stock   bool
	revoked string
	token   bool
	census  *audit.Census // of a whole chain's store
	foreign []string      // entries of the chain's directory that are no bundles
}

func verifyTranscriptCommand(o *options) *cobra.Command {
	a := &verification{options: o}
	cmd := &cobra.Command{
		Use:   "verify [BUNDLE...]",
		Short: "Check bundles: exit 0 good, 4 bad, 5 incomplete or void",
		Long: `verify checks each bundle by itself. With --chain DIR the bundles in DIR must be
all the ceremonies of one chain. With --store URI the bundles, the lock and the
versions must match the store; without a bundle, everything is rebuilt from the
store and checked as a chain, and the envelopes are counted: exit 6 while some are
at another version than the last ceremony left active. --expect takes what was written down on paper: a
final digest, or a chain. An install that was given up is void: neither good nor bad,
and in no chain.`,
		RunE: ran(func(cmd *cobra.Command, dirs []string) error { return a.run(cmd.Context(), cmd.OutOrStdout(), dirs) }),
	}
	f := cmd.Flags()
	f.StringVar(&a.chain, "chain", "", "directory that holds every bundle of a chain")
	f.StringArrayVar(&a.expect, "expect", nil, "final digest or chain from paper; may be repeated")
	f.BoolVar(&a.stock, "stock", false, "have stock ssh-keygen verify every signature as well")
	f.StringVar(&a.revoked, "revoked", "", "file of revoked keys, for stock ssh-keygen")
	f.BoolVar(&a.token, "token", false, "compare the configured module and token as well, without a login")
	return cmd
}

func (a *verification) run(ctx context.Context, w io.Writer, dirs []string) error {
	var reports []transcript.Report
	var found []finding
	var worst error
	err := a.verify(ctx, dirs, func(r transcript.Report, err error) {
		reports, found = append(reports, r), append(found, findingOf(r, err))
		if a.chain == "" || !errors.Is(err, transcript.ErrVoid) { // what is outside of a chain takes nothing from it
			worst = worse(worst, err)
		}
	})
	if err != nil {
		return err
	}
	together, err := a.together(ctx, reports)
	if err != nil {
		return err
	}
	for _, j := range together.Rules {
		if j.Standing != transcript.Good {
			worst = worse(worst, errors.New(string(j.Rule)+": "+j.Detail))
		}
	}
	if len(together.Rules) > 0 {
		found = append(found, together)
	}
	for _, name := range a.foreign {
		found = append(found, finding{Bundle: name, Standing: foreign})
	}
	checks := len(found) - len(a.foreign)
	if a.census != nil {
		found = append(found, finding{Standing: transcript.Good, Census: a.census})
	}
	if a.json {
		err = writeJSON(w, found)
	} else {
		err = printFindings(w, found)
	}
	if err == nil && worst != nil {
		bad := 0
		for _, f := range found {
			if f.Standing != transcript.Good && f.Standing != foreign && (f.Standing != transcript.Void || a.chain == "") {
				bad++
			}
		}
		err = fmt.Errorf("%d of %d checks are not good: %w", bad, checks, &badTranscript{worst})
	}
	if err == nil && a.census != nil && a.census.Due > 0 {
		err = fmt.Errorf("the transcripts are good; %s: %w", a.census, errDue)
	}
	return err
}

// ownNote reports whether a file of a chain's directory is one that this program writes beside bundles.
func ownNote(name string) bool {
	bundle, beside := transcript.BesideBundle(name)
	return beside && history.BundleName.MatchString(bundle) || login.AttemptsName.MatchString(name)
}

// verify checks each bundle by itself: the arguments, those of a chain's directory, or,
// with a store alone, what the store holds.
func (a *verification) verify(ctx context.Context, dirs []string, each func(transcript.Report, error)) error {
	if a.chain != "" {
		list, err := os.ReadDir(a.chain)
		if err != nil {
			return &usageError{err}
		}
		for _, d := range list {
			path := filepath.Join(a.chain, d.Name())
			if looksLikeBundle(path) {
				dirs = append(dirs, path)
			} else if !ownNote(d.Name()) {
				a.foreign = append(a.foreign, d.Name())
			}
		}
	}
	for _, dir := range dirs {
		if err := isBundle(dir); err != nil {
			return err
		}
		each(transcript.Verify(dir))
	}
	switch {
	case len(dirs) > 0:
		return nil
	case a.chain != "":
		return &usageError{fmt.Errorf("--chain %s: no bundle is in this directory", printable.Text(a.chain))}
	case a.store == "":
		return &usageError{errors.New("no bundle: name one, or a directory with --chain, or a store with --store")}
	}
	return a.rebuilt(ctx, each)
}

// rebuilt checks what the store holds, which must be a chain.
func (a *verification) rebuilt(ctx context.Context, each func(transcript.Report, error)) error {
	db, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	bundles, err := history.Rebuilt(ctx, db)
	var void []transcript.Bundle
	if err == nil {
		void, err = history.RebuiltVoids(ctx, db)
	}
	if transcript.IsBroken(err) {
		return &badTranscript{err}
	}
	if err != nil {
		return err
	}
	bundles = append(bundles, void...)
	if len(bundles) == 0 {
		return &usageError{errors.New("the store holds no ceremony")}
	}
	a.chain = a.store
	for _, b := range bundles {
		each(b.Verify())
	}
	return nil
}

// open opens the store. That of an adopted chain needs the configuration, which names its records.
func (a *verification) open(ctx context.Context) (database, error) {
	db, err := openStore(ctx, a.store)
	if err != nil || a.config == "" {
		return db, err
	}
	cfg, err := a.readConfig()
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	db.Under(cfg.Adopted.Prefix())
	return db, nil
}

// together checks what needs more than one bundle.
func (a *verification) together(ctx context.Context, reports []transcript.Report) (finding, error) {
	f := finding{Standing: transcript.Good}
	reports, void, err := transcript.Apart(reports)
	if a.chain != "" {
		if err == nil {
			err = transcript.VerifyChain(reports)
		}
		f.judge(transcript.RuleChain, err)
	}
	for _, paper := range a.expect {
		err := transcript.Expect(reports, paper)
		if errors.Is(err, transcript.ErrPaper) {
			return f, &usageError{fmt.Errorf("--expect %w", err)}
		}
		f.judge(transcript.RuleExpect, err)
	}
	if a.stock || a.revoked != "" {
		err := stock(ctx, reports, a.revoked)
		if ctx.Err() != nil { // it says nothing of the signatures
			return f, ctx.Err()
		}
		f.judge(transcript.RuleStock, err)
	}
	if a.store != "" {
		err := a.besideStore(ctx, reports, void)
		if err != nil && !transcript.IsBroken(err) {
			return f, err
		}
		f.judge(transcript.RuleStore, err)
	}
	if a.token {
		err := a.besideToken(ctx, reports)
		if err != nil && !transcript.IsBroken(err) {
			return f, err
		}
		f.judge(transcript.RuleToken, err)
	}
	return f, nil
}

// judge adds how all bundles together stand to a rule.
func (f *finding) judge(rule transcript.Rule, err error) {
	j := transcript.Judgement{Rule: rule, Standing: transcript.StandingOf(err)}
	var broken *transcript.RuleError
	if errors.As(err, &broken) {
		j.Detail = broken.Err.Error()
	} else if err != nil {
		j.Detail = err.Error()
	}
	f.Rules = append(f.Rules, j)
	if j.Standing != transcript.Good {
		f.Standing = j.Standing
	}
}

// besideStore compares bundles with the store, and counts its envelopes.
func (a *verification) besideStore(ctx context.Context, reports, void []transcript.Report) error {
	db, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	err = audit.Store(ctx, db, reports, a.chain != "")
	if err == nil {
		err = audit.Voids(ctx, db, reports, void, a.chain != "")
	}
	if err != nil && !transcript.IsBroken(err) {
		return err
	}
	if counted := a.count(ctx, db, reports); counted != nil {
		return counted
	}
	return err
}

// besideToken compares bundles with what the provider says of itself.
func (a *verification) besideToken(ctx context.Context, reports []transcript.Report) error {
	cfg, err := a.readConfig()
	if err != nil {
		return err
	}
	p, err := openProvider(ctx, cfg, nil, nil)
	if err != nil {
		return err
	}
	defer p.Close()
	return audit.Provider(ctx, cfg.Encryption.Settings, p, reports)
}

// count takes the census of a chain that is closed, with the fields of the configuration, if
// one is named.
func (a *verification) count(ctx context.Context, db store.Store, reports []transcript.Report) error {
	if a.chain == "" || len(reports) == 0 || reports[len(reports)-1].Outcome == "" {
		return nil
	}
	catalogue := envelope.DefaultCatalogue()
	if a.config != "" {
		cfg, err := a.readConfig()
		if err != nil {
			return err
		}
		if catalogue, err = cfg.FullCatalogue(); err != nil {
			return err
		}
	}
	var logs []transcript.State
	for _, r := range reports {
		logs = append(logs, r.State)
	}
	census, err := audit.CensusOf(ctx, db, catalogue, logs)
	a.census = &census
	return err
}

// stock has ssh-keygen verify every signature of every bundle.
func stock(ctx context.Context, reports []transcript.Report, revoked string) error {
	for _, r := range reports {
		for _, s := range r.Signatures() {
			if err := s.Roster.Stock(ctx, s.Namespace, s.Signed, revoked); err != nil {
				return fmt.Errorf("%s: %w", printable.Text(r.Bundle.Name), err)
			}
		}
	}
	return nil
}

// worse keeps the worst of two: bad before incomplete, and that before void.
func worse(a, b error) error {
	badness := func(err error) int {
		return slices.Index([]transcript.Standing{transcript.Good, transcript.Void, transcript.Incomplete, transcript.Bad},
			transcript.StandingOf(err))
	}
	if badness(b) > badness(a) {
		return b
	}
	return a
}
