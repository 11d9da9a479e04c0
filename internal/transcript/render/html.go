package render

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"regexp"
	"strings"
)

// HTML writes one page without script and without anything from elsewhere; its policy
// allows nothing but its own style. Each printed page carries footer and number.
func HTML(d Document) []byte {
	style := strings.ReplaceAll(styles, "FOOTER", cssText(d.Footer))
	sum := sha256.Sum256([]byte(style))
	var b bytes.Buffer
	err := page.Execute(&b, struct {
		Document
		Style  template.CSS
		Policy string
	}{d, template.CSS(style), "default-src 'none'; base-uri 'none'; form-action 'none'; " +
		"style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"})
	if err != nil {
		panic(err) // the template and its data are ours
	}
	return b.Bytes()
}

// cssText makes a text harmless between double quotes in a style.
func cssText(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune(`"\<>`, r) {
			return ' '
		}
		return r
	}, s)
}

// styles are those of the screen and of the printed page. A word is broken only where it has no
// room in a line of its own; a date and a digest's group never are.
const styles = `
@page { size: A4; margin: 18mm 16mm 20mm; @bottom-left { content: "FOOTER"; font: 7pt monospace; } ` +
	`@bottom-right { content: "page " counter(page) " of " counter(pages); font: 7pt monospace; } }
body { font: 10pt/1.45 "Liberation Sans", "DejaVu Sans", Arial, sans-serif; max-width: 178mm; margin: 0 auto; ` +
	`padding: 1em; color: #111; background: #fff; overflow-wrap: break-word; }
h1 { font-size: 18pt; line-height: 1.2; margin: 0 0 .5em; border-bottom: 2px solid #111; padding-bottom: .2em; }
h2 { font-size: 11.5pt; margin: 1em 0 .25em; break-after: avoid; } p { margin: .3em 0; }
.notice { border: 2px solid #b3261e; color: #7d1a15; padding: .4em .6em; font-weight: bold; }
dl { display: grid; grid-template-columns: 30mm 1fr; gap: .1em 4mm; margin: .5em 0; } dd, dt { margin: 0; }
dt { color: #555; } dd { min-width: 0; font-weight: 600; }
table { border-collapse: collapse; width: 100%; } thead { display: table-header-group; } tr { break-inside: avoid; }
th, td { border-bottom: 1px solid #bbb; padding: .17em .6em .17em 0; text-align: left; vertical-align: top; ` +
	`white-space: pre-wrap; font-size: 8.5pt; }
.long { overflow-wrap: anywhere; }
th { border-bottom: 1.5px solid #111; color: #555; font-weight: 600; } th, td:first-child { white-space: nowrap; }
td:empty { min-width: 6.5em; height: 1.9em; border: 1px solid #bbb; }
.at, .word { white-space: nowrap; } .hex, .key { font: 7.4pt monospace; } td .key { white-space: nowrap; }
td .hex { display: inline-block; width: 40ch; }
.facts { table-layout: fixed; } .facts th:first-child { width: 48mm; } .facts th:last-child { width: 12mm; }
.facts td:first-child { white-space: normal; color: #555; }
.resume td { background: #eef1f4; border-top: 1.5px solid #8a94a0; } .deviation td { background: #fff3d6; }
.failed td { background: #fde7e5; }
.keep, svg { break-inside: avoid; } svg { display: block; margin: .4em 0; }
pre { border: 1px solid #bbb; padding: .5em .7em; white-space: pre-wrap; overflow-wrap: anywhere; font-size: 8pt; }
pre { break-inside: avoid; }
footer { font: 7pt monospace; margin-top: 2em; }
@media print { footer { display: none; } body { padding: 0; max-width: none; } .chapter { break-before: page; } }
`

var page = template.Must(template.New("page").Funcs(template.FuncMap{"whole": whole}).Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{{.Policy}}">
<title>{{.Title}}</title>
<style>{{.Style}}</style>
</head>
<body>
<h1>{{.Title}}</h1>
{{with .Notice}}<p class="notice">{{.}}</p>
{{end}}{{with .Lead}}<dl>
{{range .}}<dt>{{.Name}}</dt><dd>{{whole .Value}}</dd>
{{end}}</dl>
{{end}}{{range .Sections}}{{$s := .}}<section{{if or .Picture .Code}} class="keep"{{end}}>
<h2{{if .Chapter}} class="chapter"{{end}}>{{.Title}}</h2>
{{range .Text}}<p>{{whole .}}</p>
{{end}}{{with .Picture}}{{.SVG}}
{{end}}{{if .Rows}}<table{{if .Facts}} class="facts"{{end}}>
<thead><tr>{{range .Head}}<th>{{.}}</th>{{end}}</tr></thead>
<tbody>
{{range $i, $r := .Rows}}<tr{{with $s.Mark $i}} class="{{.}}"{{end}}>{{range $r}}<td>{{whole .}}</td>
{{- end}}</tr>
{{end}}</tbody>
</table>
{{end}}{{with .Code}}<pre>{{.}}</pre>
{{end}}</section>
{{end}}<footer>{{.Footer}}</footer>
</body>
</html>
`))

// unbroken are dates and times, which have hyphens at which a browser breaks, digests in groups, of which a table
// has eight to a line, as on the screen, and fingerprints of keys. Then what is too long for a line is broken
// anywhere, and a shorter word with a hyphen or a slash is not.
var unbroken = regexp.MustCompile(`(?P<at>[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}Z?)?)?)|` +
	`(?P<hex>\b[0-9a-f]{4}( [0-9a-f]{4}){7,}\b)|(?P<key>\bSHA256:[A-Za-z0-9+/]{43})|(?P<long>[^\s]{28,})|` +
	`(?P<word>[^\s]*[^\s/-][-/][^\s]+)`)

// whole escapes a text, and keeps its dates and digests in one piece each.
func whole(text string) template.HTML {
	var b strings.Builder
	for text != "" {
		at := unbroken.FindStringSubmatchIndex(text)
		if at == nil {
			break
		}
		b.WriteString(template.HTMLEscapeString(text[:at[0]]))
		for _, class := range []string{"at", "hex", "key", "long", "word"} {
			if at[2*unbroken.SubexpIndex(class)] >= 0 {
				b.WriteString(`<span class="` + class + `">` + template.HTMLEscapeString(text[at[0]:at[1]]) + "</span>")
			}
		}
		text = text[at[1]:]
	}
	return template.HTML(b.String() + template.HTMLEscapeString(text))
}
