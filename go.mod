module github.com/certautopilot/kekceremony

go 1.26.8

require (
	github.com/mattn/go-sqlite3 v1.14.53
	github.com/miekg/pkcs11 v1.1.2
	golang.org/x/sys v0.49.0
)
