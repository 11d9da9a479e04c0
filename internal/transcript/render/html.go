package render

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"html/template"
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

const styles = `
@page { size: A4; margin: 20mm 16mm 22mm; @bottom-left { content: "FOOTER"; font: 7pt monospace; } ` +
	`@bottom-right { content: "page " counter(page) " of " counter(pages); font: 7pt monospace; } }
body { font: 10pt/1.4 serif; max-width: 178mm; margin: 0 auto; padding: 1em; color: #000; background: #fff; }
h1 { font-size: 16pt; } h2 { font-size: 12pt; margin: 1.4em 0 .3em; break-after: avoid; }
.notice { border: 2px solid #000; padding: .4em .6em; font-weight: bold; }
table { border-collapse: collapse; width: 100%; } thead { display: table-header-group; } tr { break-inside: avoid; }
th, td { border: 1px solid #888; padding: .2em .4em; text-align: left; vertical-align: top; ` +
	`white-space: pre-wrap; overflow-wrap: anywhere; font-size: 8.5pt; }
th, td:first-child { white-space: nowrap; }
td:empty { min-width: 6.5em; height: 1.9em; }
pre { border: 1px solid #888; padding: .4em; white-space: pre-wrap; overflow-wrap: anywhere; font-size: 8.5pt; }
footer { font: 7pt monospace; margin-top: 2em; } @media print { footer { display: none; } body { padding: 0; } }
`

var page = template.Must(template.New("page").Parse(`<!DOCTYPE html>
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
{{end}}{{range .Sections}}<h2>{{.Title}}</h2>
{{range .Text}}<p>{{.}}</p>
{{end}}{{if .Rows}}<table>
<thead><tr>{{range .Head}}<th>{{.}}</th>{{end}}</tr></thead>
<tbody>
{{range .Rows}}<tr>{{range .}}<td>{{.}}</td>{{end}}</tr>
{{end}}</tbody>
</table>
{{end}}{{with .Code}}<pre>{{.}}</pre>
{{end}}{{end}}<footer>{{.Footer}}</footer>
</body>
</html>
`))
