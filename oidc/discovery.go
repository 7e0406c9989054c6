package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
)

const (
	// documentFresh is the age after which a discovery document is refreshed, without holding up who uses it.
	documentFresh = time.Hour
	// documentHeard is how long a fetch counts as the answer to Ping.
	documentHeard = time.Minute
	// documentUsable is the age up to which it is used while it cannot be refreshed: a weekend.
	documentUsable = 72 * time.Hour
)

// document is what we use of a discovery document (OpenID Connect Discovery 1.0, section 3).
type document struct {
	gooidc.ProviderConfig

	EndSessionURL       string   `json:"end_session_endpoint"`
	AuthMethods         []string `json:"token_endpoint_auth_methods_supported"`
	AssertionAlgorithms []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	Scopes              []string `json:"scopes_supported"`
	IssInResponse       bool     `json:"authorization_response_iss_parameter_supported"` // RFC 9207
	CloudInstanceName   string   `json:"cloud_instance_name"`                            // Entra
	GraphHost           string   `json:"msgraph_host"`                                   // Entra
}

// signingAlgorithms are those that an ID token may be signed with. Symmetric ones and none are not among
// them, whatever a document says: with those, whoever knows the public key or nothing at all can sign.
var signingAlgorithms = []string{
	gooidc.RS256, gooidc.RS384, gooidc.RS512, gooidc.PS256, gooidc.PS384, gooidc.PS512,
	gooidc.ES256, gooidc.ES384, gooidc.ES512, gooidc.EdDSA,
}

// algorithms are those the provider says it signs with, less what we never accept; RS256 when it names none.
func (d *document) algorithms() []string {
	if len(d.Algorithms) == 0 {
		return []string{gooidc.RS256}
	}
	return slices.DeleteFunc(slices.Clone(d.Algorithms), func(alg string) bool {
		return !slices.Contains(signingAlgorithms, alg)
	})
}

// discovery holds the provider's document: fetched when first needed, refreshed about hourly without holding
// anybody up, used stale while the provider is down.
type discovery struct {
	name    string // of its fetches in the background
	url     string
	accepts func(issuer string) bool
	expects string // the issuer as configured, for the message when it is another

	client *http.Client
	work   *background
	now    func() time.Time
	log    *slog.Logger

	mu      sync.Mutex
	doc     *document
	fetched time.Time
	backoff backoff
}

// get returns a usable document, at once if there is one. Otherwise it waits for a fetch, or says how long
// until the next is due.
func (d *discovery) get(ctx context.Context) (*document, error) {
	doc, due, refusal := d.look()
	switch {
	case refusal != nil:
		return nil, refusal
	case doc != nil && !due:
		return doc, nil
	}
	done := d.work.singleFlight(d.name, d.fetch)
	if doc != nil {
		return doc, nil
	}
	if err := await(ctx, done); err != nil {
		return nil, err
	}
	return d.latest(), nil
}

// look says what there is: a usable document or none, whether a fetch is due, and the refusal when there is
// nothing and no fetch is due.
func (d *discovery) look() (doc *document, due bool, refusal *Error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	age := now.Sub(d.fetched)
	if d.doc != nil && age < documentUsable {
		doc = d.doc
	}
	if doc != nil && age < documentFresh {
		return doc, false, nil
	}
	due = d.backoff.wait(now) == 0
	if doc == nil && !due {
		return nil, false, d.backoff.refusal(now)
	}
	return doc, due, nil
}

// latest is the last document, however old; nil when there has never been one.
func (d *discovery) latest() *document {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.doc
}

// answers says whether the provider answers, as of the last minute: it fetches the document if the last fetch
// was earlier, even if the document is still fresh.
func (d *discovery) answers(ctx context.Context) error {
	if known, err := d.heard(); known {
		return err
	}
	return await(ctx, d.work.singleFlight(d.name, func(ctx context.Context) error {
		if known, err := d.heard(); known {
			return err // a fetch ended between our caller's look and this one
		}
		return d.refetch(ctx)
	}))
}

// heard is the result of the last fetch, known if that was less than documentHeard ago, or if the next is not
// due yet.
func (d *discovery) heard() (known bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	switch {
	case d.backoff.wait(now) > 0:
		return true, d.backoff.refusal(now)
	case d.backoff.failures > 0:
		return false, nil
	}
	return d.doc != nil && now.Sub(d.fetched) < documentHeard, nil
}

func (d *discovery) fetch(ctx context.Context) error {
	if _, due, refusal := d.look(); refusal != nil {
		return refusal
	} else if !due {
		return nil // a fetch ended between our caller's look and this one
	}
	return d.refetch(ctx)
}

func (d *discovery) refetch(ctx context.Context) error {
	doc, err := d.download(ctx)

	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		d.backoff.failed(d.now(), err)
		d.log.Warn("discovery failed: retried when the document is needed",
			"url", d.url, "error", err, "remedy", err.Remedy, "failures", d.backoff.failures,
			"have_document", d.doc != nil)
		return err
	}
	if d.backoff.failures > 0 {
		d.log.Info("discovery works again", "url", d.url)
	}
	d.backoff.succeeded()
	d.doc, d.fetched = doc, d.now()
	return nil
}

func (d *discovery) download(ctx context.Context) (*document, *Error) {
	res, err := get(ctx, d.client, d.url, nil)
	if err != nil {
		return nil, unreachable("reading the discovery document", err)
	}
	if res.status != http.StatusOK {
		return nil, d.badStatus(res)
	}
	doc := new(document)
	if err := json.Unmarshal(res.body, doc); err != nil {
		return nil, misconfigured("Check that the issuer is that of an OpenID Connect provider.",
			fmt.Errorf("%s is not a discovery document: %w", d.url, reduced(err)))
	}
	if !d.accepts(doc.IssuerURL) {
		return nil, misconfigured(fmt.Sprintf("Write the issuer exactly as the provider does: %s.",
			quoted(doc.IssuerURL)),
			fmt.Errorf("the discovery document at %s is of the issuer %s, not of %s",
				d.url, quoted(doc.IssuerURL), d.expects))
	}
	if err := doc.check(d.url); err != nil {
		return nil, misconfigured(
			"Correct the discovery document at the provider: it cannot be used for sign-in.", err,
		)
	}
	return doc, nil
}

func (d *discovery) badStatus(res *answer) *Error {
	cause := fmt.Errorf("%s answered %d", d.url, res.status)
	if temporary(res.status) {
		return unavailable(cause, retryAfter(res.header, d.now()))
	}
	remedy := "Check the issuer: there is no discovery document below it."
	if res.status >= 300 && res.status < 400 {
		remedy = fmt.Sprintf("The issuer redirects to %s, which is not followed; write the issuer that the "+
			"provider itself uses.", quoted(res.header.Get("Location")))
	}
	if n := aadsts(string(res.body)); n != "" {
		cause = fmt.Errorf("%w (AADSTS%s)", cause, n)
		remedy = "Check tenant and cloud: Entra knows no such tenant there."
	}
	return misconfigured(remedy, cause)
}

// check refuses a document that lacks what sign-in needs, or that would take secrets over plain http when the
// document itself came by https.
func (d *document) check(from string) error {
	endpoints := []struct {
		name, url string
		needed    bool
	}{
		{"authorization_endpoint", d.AuthURL, true},
		{"token_endpoint", d.TokenURL, true},
		{"jwks_uri", d.JWKSURL, true},
		{"userinfo_endpoint", d.UserInfoURL, false},
		{"end_session_endpoint", d.EndSessionURL, false},
	}
	for _, e := range endpoints {
		if e.url == "" && !e.needed {
			continue
		}
		if err := checkEndpoint(e.url, from); err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
	}
	if len(d.algorithms()) == 0 {
		return fmt.Errorf("id_token_signing_alg_values_supported names no asymmetric algorithm: %s",
			quoted(fmt.Sprint(d.Algorithms)))
	}
	return nil
}

func checkEndpoint(endpoint, from string) error {
	if endpoint == "" {
		return errors.New("missing")
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return fmt.Errorf("%s is not a plain absolute URL", quoted(endpoint))
	}
	if u.Scheme == "https" {
		return nil
	}
	source, err := url.Parse(from)
	if err == nil && u.Scheme == "http" && source.Scheme == "http" && loopback(u.Hostname()) {
		return nil
	}
	return fmt.Errorf("%s is not an https URL", quoted(endpoint))
}
