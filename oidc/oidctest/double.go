package oidctest

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxForm bounds every form that a double reads, in bytes.
const maxForm = 1 << 20

// Double is what Okta, Entra and Plain have in common: the people and clients they know, the faults a test
// puts into them and the record of what was asked of them. It is an http.Handler that serves everything below
// its base URL, so a program can mount several of them on one listener under different path prefixes.
type Double struct {
	*Directory
	*Faults
	*Journal

	base       *url.URL
	now        func() time.Time
	random     *random
	autoSignIn bool
	mux        *http.ServeMux
	ledger     *ledger
	page       pageStyle
	stop       func()
	caPEM      []byte
}

// settings are the options that every double takes, whatever it calls its own.
type settings struct {
	baseURL    string
	now        func() time.Time
	random     io.Reader
	autoSignIn bool
	page       pageStyle
	newID      func(email string, nth int) string
}

func newDouble(s settings) (*Double, error) {
	base, err := url.Parse(s.baseURL)
	if err != nil {
		return nil, fmt.Errorf("reading the base URL %q: %w", s.baseURL, err)
	}
	if base.Scheme == "" || base.Host == "" {
		return nil, fmt.Errorf("the base URL %q must be absolute, for example http://localhost:4190/okta",
			s.baseURL)
	}
	if strings.HasSuffix(base.Path, "/") || base.RawQuery != "" || base.Fragment != "" {
		return nil, fmt.Errorf("the base URL %q must end without a slash, query or fragment", s.baseURL)
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.random == nil {
		s.random = rand.Reader
	}
	return &Double{
		Directory:  newDirectory(s.now, s.newID),
		Faults:     newFaults(),
		Journal:    &Journal{},
		base:       base,
		now:        s.now,
		random:     &random{source: s.random},
		autoSignIn: s.autoSignIn,
		mux:        http.NewServeMux(),
		ledger:     newLedger(),
		page:       s.page,
		stop:       func() {},
	}, nil
}

// BaseURL is the URL below which the double serves everything, without a trailing slash.
func (d *Double) BaseURL() string { return d.base.String() }

// CAPEM is the PEM certificate that the double serves TLS with, for a client's ca_file. Nil on plain http.
func (d *Double) CAPEM() []byte { return bytes.Clone(d.caPEM) }

// Close stops the listener of a double that a Start function made. It releases every
// request that a fault holds.
func (d *Double) Close() {
	d.Faults.release()
	d.stop()
}

// ServeHTTP answers as the provider would. Requests may carry the path prefix of the
// base URL or come without it.
func (d *Double) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if rest, ok := strings.CutPrefix(r.URL.Path, d.base.Path); ok && d.base.Path != "" &&
		strings.HasPrefix(rest, "/") {
		http.StripPrefix(d.base.Path, d.mux).ServeHTTP(w, r)
		return
	}
	d.mux.ServeHTTP(w, r)
}

// handle serves a pattern as one named endpoint: counted, faulted, answered.
func (d *Double) handle(pattern string, endpoint Endpoint, answer http.HandlerFunc) {
	d.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		d.Journal.count(endpoint)
		d.Faults.around(endpoint, answer).ServeHTTP(w, r)
	})
}

// url is an absolute URL of the double.
func (d *Double) url(path string) string { return d.base.String() + path }

// readForm parses the request's parameters, from the query and from a form body, within maxForm.
func readForm(r *http.Request) (url.Values, error) {
	if err := r.ParseForm(); err != nil {
		var tooBig *http.MaxBytesError
		if errors.As(err, &tooBig) {
			return nil, fmt.Errorf("the form is larger than %d bytes", maxForm)
		}
		return nil, fmt.Errorf("reading the form: %w", err)
	}
	return r.Form, nil
}
