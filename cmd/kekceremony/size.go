package main

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
)

// size is a flag: that of a terminal, in characters. Zero: as the terminal says itself.
type size struct{ columns, rows int }

// sizes have at least 20 columns and 8 rows.
var sizes = regexp.MustCompile(`^([2-9][0-9]|[1-9][0-9]{2})x([89]|[1-9][0-9]{1,2})$`)

func (s *size) given() bool { return *s != size{} }

func (s *size) String() string {
	if !s.given() {
		return ""
	}
	return fmt.Sprintf("%dx%d", s.columns, s.rows)
}

func (s *size) Type() string { return "string" }

func (s *size) Set(typed string) error {
	m := sizes.FindStringSubmatch(typed)
	if m == nil {
		return errors.New("want COLSxROWS, from 20x8 to 999x999")
	}
	s.columns, _ = strconv.Atoi(m[1]) // digits only
	s.rows, _ = strconv.Atoi(m[2])
	return nil
}
