// Command notes is a small HTTP service that keeps customers' secrets: an example of an
// application on the keyring. PUT /notes/ID stores the body, sealed; GET /notes/ID returns it;
// GET /health says which version of the KEK it writes with.
//
// The place notes.body must be in the catalogue of the configuration.
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os/signal"
	"strings"
	"syscall"

	_ "github.com/mattn/go-sqlite3"

	"github.com/certautopilot/kekceremony/keyring"
	_ "github.com/certautopilot/kekceremony/keyring/env"
	_ "github.com/certautopilot/kekceremony/keyring/pkcs11"
	_ "github.com/certautopilot/kekceremony/keyring/sqlite"
)

const place = "notes.body"

// notes is the service.
type notes struct {
	db   *sql.DB
	ring *keyring.Ring
}

func main() {
	config := flag.String("config", "", "kekceremony's configuration")
	database := flag.String("db", "", "path of the SQLite database")
	listen := flag.String("listen", "127.0.0.1:0", "address")
	flag.Parse()
	if err := keyring.Harden(); err != nil {
		log.Fatal(err)
	}
	if err := serve(*config, *database, *listen); err != nil {
		log.Fatal(err)
	}
}

func serve(config, database, listen string) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	report := func(line string) { log.Print(line) }
	ring, err := keyring.Open(ctx, keyring.Config{File: config, Role: "notes", Report: report})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ring.Close(context.Background())) }()
	db, err := sql.Open("sqlite3", "file:"+database+"?_busy_timeout=10000&_journal_mode=WAL")
	if err != nil {
		return err
	}
	defer db.Close()
	names, _ := keyring.Envelope{}.Columns("body")
	_, err = db.ExecContext(ctx, fmt.Sprintf("CREATE TABLE IF NOT EXISTS notes "+
		"(id TEXT PRIMARY KEY, kek_version INTEGER, %s BLOB, %s BLOB, %s BLOB, %s INTEGER, %s TEXT)",
		names[0], names[1], names[2], names[3], names[4]))
	if err != nil {
		return err
	}
	n := notes{db, ring}
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /notes/{id}", n.put)
	mux.HandleFunc("GET /notes/{id}", n.get)
	mux.HandleFunc("GET /health", n.health)
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	fmt.Println("http://" + l.Addr().String())
	server := &http.Server{Handler: mux}
	context.AfterFunc(ctx, func() { server.Shutdown(context.Background()) })
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (n notes) put(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		http.Error(w, "at most 1 MiB", http.StatusRequestEntityTooLarge)
		return
	}
	e, err := n.ring.Seal(r.Context(), place, id, text)
	if err != nil {
		fail(w, err)
		return
	}
	names, values := e.Columns("body")
	_, err = n.db.ExecContext(r.Context(), "INSERT OR REPLACE INTO notes (id, kek_version, "+strings.Join(names, ", ")+
		") VALUES (?, ?, ?, ?, ?, ?, ?)", append([]any{id, e.KEKVersion}, values...)...)
	if err != nil {
		fail(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (n notes) get(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	var e keyring.Envelope
	names, into := e.Scan("body")
	query := "SELECT " + strings.Join(names, ", ") + " FROM notes WHERE id = ?"
	err := n.db.QueryRowContext(r.Context(), query, id).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		http.NotFound(w, r)
		return
	}
	if err != nil {
		fail(w, err)
		return
	}
	text, err := n.ring.Open(r.Context(), place, id, e)
	if err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Write(text)
}

// health is 503 while nothing can be sealed.
func (n notes) health(w http.ResponseWriter, _ *http.Request) {
	s := n.ring.Status()
	w.Header().Set("Content-Type", "application/json")
	if s.Trouble != "" || s.Active == 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	json.NewEncoder(w).Encode(s)
}

// fail tells the client nothing of the keys.
func fail(w http.ResponseWriter, err error) {
	log.Print(err)
	status := http.StatusInternalServerError
	if errors.Is(err, keyring.ErrTokenGone) || errors.Is(err, keyring.ErrTokenBusy) || errors.Is(err, keyring.ErrLease) {
		status = http.StatusServiceUnavailable
	}
	http.Error(w, http.StatusText(status), status)
}
