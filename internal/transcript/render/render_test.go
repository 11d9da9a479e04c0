package render_test

import (
	"crypto/sha256"
	"encoding/base64"
	"regexp"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"

	"github.com/certautopilot/kekceremony/internal/transcript"
	"github.com/certautopilot/kekceremony/internal/transcript/render"
	"github.com/certautopilot/kekceremony/internal/transcript/transcripttest"
)

// hostile are texts that would be something else than text.
var hostile = []string{
	`<script>alert(1)</script>`, `</pre></td><img src=x onerror=alert(1)>`, "a | b | c", "`code` ``",
	"[x](javascript:alert(1))", "![x](http://evil.example/x.png)",
	"https://evil.example/", "www.evil.example", "<https://evil.example>", "mail@evil.example", "*a* _b_ ~~c~~",
	"# heading", "- item", "+ item", "1. item", "1) item", "> quote",
	"| a |\n|---|\n| b |", "```\ncode\n```", "a\n===", "---", "&lt;b&gt; &#60;", `\`, "[ref]: http://evil.example",
	"<!-- x", "|", "a\n\n# b\n\n<b>c</b>", "$(touch x)", "x://y",
}

func document() render.Document {
	d := render.Document{Title: hostile[0], Notice: hostile[1], Footer: `" } body { display: none } \ </style><script>`}
	for _, h := range hostile {
		d.Lead = append(d.Lead, render.Pair{Name: h, Value: h + " 2026-11-24 " + h})
		d.Sections = append(d.Sections, render.Section{
			Title:   h,
			Text:    []string{h},
			Picture: &render.Timeline{Title: h, Steps: []string{h}, Runs: make([]render.Run, 1), Bars: make([]render.Bar, 1)},
			Head:    []string{h, "b"},
			Rows:    [][]string{{h, "x"}, {"x", h}},
			Marks:   []render.Mark{render.Resume, render.Deviates},
			Code:    h,
		})
	}
	return d
}

// TestD02Markdown: a real parser finds nothing in it but headings, paragraphs, tables
// and code of ours.
func TestD02Markdown(t *testing.T) {
	source := render.Markdown(document())
	md := goldmark.New(goldmark.WithExtensions(extension.GFM))
	headings, tables := 0, 0
	_ = ast.Walk(md.Parser().Parse(text.NewReader(source)), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch kind := n.Kind().String(); kind {
		case "Heading":
			headings++
		case "Table":
			tables++
		case "RawHTML": // <br> in a cell is ours
			r := n.(*ast.RawHTML)
			if got := string(r.Segments.Value(source)); got != "<br>" {
				t.Errorf("raw HTML %q", got)
			}
		case "Document", "Paragraph", "Text", "TableHeader", "TableRow", "TableCell", "CodeBlock", "Emphasis":
		default:
			t.Errorf("a %s:\n%s", kind, n.Text(source))
		}
		return ast.WalkContinue, nil
	})
	if headings != 1+len(hostile) || tables != 1+2*len(hostile) {
		t.Errorf("%d headings, %d tables", headings, tables)
	}
}

// ours are the attributes that the page and its picture have.
var ours = regexp.MustCompile(`^( (class="[a-z]+"|xmlns="http://www.w3.org/2000/svg"|viewBox="[0-9 ]+"|width="100%"|` +
	`role="img"|font-family="sans-serif"|(x|y|width|height|font-size)="[0-9.]+"|fill="#[0-9a-f]+"|text-anchor="end"))+/?$`)

// TestD02HTML: nothing runs, nothing is fetched, and no text leaves its element.
func TestD02HTML(t *testing.T) {
	page := string(render.HTML(document()))
	body := page[strings.Index(page, "<body>"):]
	tags := map[string]bool{}
	for _, m := range regexp.MustCompile(`<\s*/?\s*([a-zA-Z!][a-zA-Z0-9]*)([^>]*)>`).FindAllStringSubmatch(body, -1) {
		tags[m[1]] = true
		if m[2] != "" && !ours.MatchString(m[2]) {
			t.Errorf("a tag with attributes: %s", m[0])
		}
	}
	for _, want := range []string{"body", "h1", "h2", "p", "table", "thead", "tbody", "tr", "th", "td", "pre", "footer",
		"section", "dl", "dt", "dd", "span", "svg", "title", "g", "rect", "text"} {
		delete(tags, want)
	}
	delete(tags, "html")
	if len(tags) > 0 {
		t.Errorf("tags %v", tags)
	}
	if strings.Count(page, "<style>") != 1 || strings.Count(page, "</style>") != 1 || strings.Contains(page, "<script") {
		t.Error("the style was left")
	}
	style := page[strings.Index(page, "<style>")+7 : strings.Index(page, "</style>")]
	sum := sha256.Sum256([]byte(style))
	policy := "style-src &#39;sha256-" + base64.StdEncoding.EncodeToString(sum[:])
	if !strings.Contains(page, policy) && !strings.Contains(page, strings.ReplaceAll(policy, "+", "&#43;")) {
		t.Errorf("the policy does not allow the page's own style:\n%s", page[:700])
	}
	if !strings.Contains(page, "default-src &#39;none&#39;") || !strings.Contains(style, "counter(page)") {
		t.Error("no policy, or no page numbers")
	}
}

// TestReport: deviations, participants and digests come first, and the notice of a bad
// bundle before them.
func TestReport(t *testing.T) {
	d := transcripttest.Rotation(t)
	d.Insert(d.Find(transcript.Closed, "", ""), transcript.Deviation, "leaving",
		transcript.Facts{"what": "reported by the operators", "expected": hostile[0], "seen": "s", "decided": "d", "by": "b"})
	good := d.Build().Write(t.TempDir())
	r, err := transcript.Verify(good)
	if err != nil {
		t.Fatal(err)
	}
	md := string(render.Markdown(render.Report(r, nil)))
	order := []string{
		"# Ceremony 1: rotate", "## Deviations", `\<script\>alert\(1\)\</script\>`, "## Participants", "| dora |",
		"touched, counter 1", "## Digests", transcript.Groups(r.FinalSum), "## What happened",
		"## Place and people", "| place | Vault 3 | 8 |", "## Plan of line 9", "## Rules",
	}
	at := 0
	for _, want := range order {
		i := strings.Index(md[at:], want)
		if i < 0 {
			t.Fatalf("%q is not there, or not in its place:\n%s", want, md)
		}
		at += i
	}
	d.Files["events.jsonl"][100] ^= 1
	r, err = transcript.Verify(d.Write(t.TempDir()))
	md = string(render.Markdown(render.Report(r, err)))
	if !strings.HasPrefix(md, "# Ceremony 1: rotate\n\n**BAD: do not rely on this transcript") {
		t.Errorf("%v\n%.300s", err, md)
	}
}
