package tui

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

var update = flag.Bool("update", false, "write the screens of testdata/pages again")

const (
	sceneFile  = "page.yaml"
	screenSize = "80x24" // which a file without a screen gets
)

// sizeOf reads columns, rows and the form from the name of a section.
var sizeOf = regexp.MustCompile(`^([0-9]+)x([0-9]+)( ascii| colors)?$`)

// TestPages draws each page of testdata/pages in every size that its file has a section
// for. -update writes the screens again.
func TestPages(t *testing.T) {
	for name, page := range pageFiles(t) {
		t.Run(name, func(t *testing.T) {
			drawn := redrawn(t, page)
			if *update {
				if err := os.WriteFile(pathOf(name), txtar.Format(drawn), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if len(bytes.TrimSpace(page.Comment)) == 0 {
				t.Error("it does not say what this page is")
			}
			for i, f := range drawn.Files {
				if i == len(page.Files) {
					t.Errorf("no screen; go test ./internal/tui -run TestPages -update draws it:\n%s", f.Data)
				} else if want := page.Files[i].Data; !bytes.Equal(f.Data, want) {
					t.Errorf("%s is now\n%s\nand was\n%s", f.Name, f.Data, want)
				}
			}
		})
	}
}

// pageFiles are the files of testdata/pages by name.
func pageFiles(t *testing.T) map[string]*txtar.Archive {
	t.Helper()
	paths, err := filepath.Glob(pathOf("*"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d pages, %v", len(paths), err)
	}
	pages := map[string]*txtar.Archive{}
	for _, path := range paths {
		page, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		pages[strings.TrimSuffix(filepath.Base(path), ".txtar")] = page
	}
	return pages
}

func pathOf(name string) string { return filepath.Join("testdata", "pages", name+".txtar") }

// redrawn is a page's file with the screens as they are now.
func redrawn(t *testing.T, page *txtar.Archive) *txtar.Archive {
	t.Helper()
	s := sceneIn(t, page)
	files := slices.Clone(page.Files)
	if len(files) == 1 {
		files = append(files, txtar.File{Name: screenSize})
	}
	for i := range files[1:] {
		f := &files[i+1]
		size := sizeOf.FindStringSubmatch(f.Name)
		if size == nil {
			t.Fatalf("section %q is no size", f.Name)
		}
		width, _ := strconv.Atoi(size[1]) // digits only
		height, _ := strconv.Atoi(size[2])
		f.Data = []byte(s.form(t, size[3], width, height))
	}
	return &txtar.Archive{Comment: page.Comment, Files: files}
}

// form draws the scene in Unicode, in ASCII alone, or as a list of what is colored.
func (s scene) form(t *testing.T, form string, width, height int) string {
	t.Helper()
	switch form {
	case " ascii":
		return screen(s.draw(t, asciiGlyphs, width, height))
	case " colors":
		return colored(func() string { return s.draw(t, unicodeGlyphs, width, height) })
	}
	return screen(s.draw(t, unicodeGlyphs, width, height))
}

// colored lists what is colored of what is drawn.
func colored(draw func() string) string {
	before := lipgloss.ColorProfile()
	lipgloss.SetColorProfile(termenv.ANSI)
	defer lipgloss.SetColorProfile(before)
	return attributeList(draw())
}

// sceneIn reads the scene, which is a file's first section.
func sceneIn(t *testing.T, page *txtar.Archive) scene {
	t.Helper()
	if len(page.Files) == 0 || page.Files[0].Name != sceneFile {
		t.Fatalf("the first section is not %s", sceneFile)
	}
	s, err := sceneOf(page.Files[0].Data)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestPagesCoverSteps: each step of each ceremony has a page, and each question.
func TestPagesCoverSteps(t *testing.T) {
	seen := map[string]bool{}
	for _, page := range pageFiles(t) {
		s := sceneIn(t, page)
		seen[s.Ceremony], seen[s.Step] = true, true
		if s.Ask != nil {
			seen[s.Step+"."+s.Ask.Name] = true
		}
	}
	for _, c := range steps.All() {
		if !seen[c.Kind] {
			t.Errorf("no page of %s", c.Kind)
		}
		all := c.Steps(engine.Facts{transcript.FactGenerate: "yes", transcript.FactRebuild: "2",
			transcript.FactPointer: "none", transcript.FactFence: transcript.Fenced, transcript.FactOnToken: "no",
			transcript.FactRelisted: "1"})
		if c.Void != nil {
			all = append(all, c.Void.Steps(transcript.State{})...)
		}
		if c.Keep != nil {
			all = append(all, c.Keep()...)
		}
		for _, step := range all {
			if !seen[step.Name] {
				t.Errorf("no page of step %s", step.Name)
			}
			for _, f := range fieldsOf(step) {
				if !seen[step.Name+"."+f.Name] {
					t.Errorf("no page of question %s of step %s", f.Name, step.Name)
				}
			}
		}
	}
}

func fieldsOf(s engine.Step) []engine.Field {
	if s.Ask == nil {
		return nil
	}
	return s.Ask.Fields
}
