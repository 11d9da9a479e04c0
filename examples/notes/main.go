// Command notes is a small HTTP service that keeps customers' secrets: an example of an
// application on the keyring. PUT /notes/ID stores the body, sealed; GET /notes/ID returns it;
// GET /health says which version of the KEK it writes with.
//
// The place notes.body must be in the catalogue of the configuration.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os/signal"
	"syscall"

	"github.com/certautopilot/kekceremony/keyring"
	_ "github.com/certautopilot/kekceremony/keyring/env"
	_ "github.com/certautopilot/kekceremony/keyring/mongo"
	_ "github.com/certautopilot/kekceremony/keyring/pkcs11"
	_ "github.com/certautopilot/kekceremony/keyring/sqlite"
)

const place = "notes.body"

// notes is the service.
type notes struct {
	records
	ring *keyring.Ring
}

func main() {
	config := flag.String("config", "", "kekceremony's configuration")
	database := flag.String("db", "", "path of a SQLite database, or mongodb://HOST/DATABASE")
	create := flag.Bool("create", false, "make the table, or the collection, and end: before kekceremony install")
	listen := flag.String("listen", "127.0.0.1:0", "address")
	flag.Parse()
	if err := keyring.Harden(); err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	db, err := openRecords(ctx, *database)
	if err == nil && !*create {
		err = serve(ctx, *config, *listen, db)
	}
	if err != nil {
		log.Fatal(err)
	}
}

func serve(ctx context.Context, config, listen string, db records) (err error) {
	report := func(line string) { log.Print(line) }
	ring, err := keyring.Open(ctx, keyring.Config{File: config, Role: "notes", Report: report})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ring.Close(context.Background())) }()
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
	if err := n.write(r.Context(), id, e); err != nil {
		fail(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (n notes) get(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	e, err := n.read(r.Context(), id)
	if errors.Is(err, errNone) {
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
	if errors.Is(err, keyring.ErrTokenGone) || errors.Is(err, keyring.ErrTokenBusy) || errors.Is(err, keyring.ErrLease) ||
		errors.Is(err, keyring.ErrCompromised) {
		status = http.StatusServiceUnavailable
	}
	http.Error(w, http.StatusText(status), status)
}
