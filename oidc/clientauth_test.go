package oidc

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// tokenRequests answers the token endpoint by the secret shown, and keeps what was shown.
type tokenRequests struct {
	mu    sync.Mutex
	shown []string // "basic:secret", "post:secret", "none"
	good  string
}

func (r *tokenRequests) serve(f *idp) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		secret, how := "", "none"
		if s := req.PostForm.Get("client_secret"); s != "" {
			secret, how = s, "post:"+s
		}
		if _, s, ok := req.BasicAuth(); ok {
			secret, how = s, how[:0]+"basic:"+s
			if req.PostForm.Has("client_secret") || req.PostForm.Has("client_id") {
				how += " and post"
			}
		} else if req.PostForm.Get("client_id") != clientID {
			how += " without client_id"
		}
		r.mu.Lock()
		r.shown = append(r.shown, how)
		good := secret == r.good
		r.mu.Unlock()
		if !good {
			status(401, `{"error":"invalid_client","error_description":"The client secret supplied for a confidential client is invalid."}`)(w, req)
			return
		}
		f.mu.Lock()
		token := f.idToken
		f.mu.Unlock()
		status(200, `{"access_token":"at-canary-5d1f","token_type":"Bearer","id_token":"`+token+`"}`)(w, req)
	}
}

func (r *tokenRequests) take(good string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	shown := r.shown
	r.shown, r.good = nil, good
	return shown
}

func TestClientAuthentication(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		cfg     Config
		methods []string // of the document
		want    string
	}{
		"public":  {want: "none"},
		"default": {cfg: Config{ClientSecret: "one"}, want: "basic:one"},
		"basic": {
			cfg:     Config{ClientSecret: "one"},
			methods: []string{"client_secret_basic", "client_secret_post"}, want: "basic:one",
		},
		"post before basic": {cfg: Config{ClientSecret: "one"}, methods: []string{
			"client_secret_post", "private_key_jwt", "client_secret_basic",
		}, want: "post:one"},
		"post alone": {
			cfg: Config{ClientSecret: "one"}, methods: []string{"client_secret_post"}, want: "post:one",
		},
		"a list of one":         {cfg: Config{ClientSecrets: []string{"one"}}, want: "basic:one"},
		"public, though others": {methods: []string{"client_secret_basic"}, want: "none"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newIDP(t)
			p := f.okta(t, test.cfg)
			f.document["token_endpoint_auth_methods_supported"] = test.methods
			r := &tokenRequests{}
			r.take(map[bool]string{true: "one"}[test.cfg.ClientSecret+"x" != "x" ||
				test.cfg.ClientSecrets != nil])
			f.answer("token", r.serve(f))
			f.signedIn(t, p, f.oktaClaims())
			if got := r.take(""); !slices.Equal(got, []string{test.want}) {
				t.Errorf("shown %q, want %q", got, test.want)
			}
		})
	}
}

// Two secrets during a rotation: the second is tried on invalid_client alone, and what
// works comes first next time.
func TestTwoSecrets(t *testing.T) {
	t.Parallel()
	f := newIDP(t)
	p := f.okta(t, Config{ClientSecrets: []string{"new", "old"}})
	r := &tokenRequests{}
	f.answer("token", r.serve(f))
	for _, step := range []struct {
		good string
		want []string
	}{
		{"old", []string{"basic:new", "basic:old"}}, // the new one is not active yet
		{"old", []string{"basic:old"}},
		{"new", []string{"basic:old", "basic:new"}}, // the old one is gone
		{"new", []string{"basic:new"}},
	} {
		r.take(step.good)
		f.signedIn(t, p, f.oktaClaims())
		if got := r.take(""); !slices.Equal(got, step.want) {
			t.Errorf("%s works: shown %q, want %q", step.good, got, step.want)
		}
	}
	r.take("neither")
	_, err := f.signIn(t, p, f.oktaClaims())
	refused(t, err, CodeProviderMisset)
	if got := r.take(""); len(got) != 2 {
		t.Errorf("neither works: shown %q", got)
	}
}

// A code that may have been redeemed is not sent again.
func TestCodeIsNotSentAgain(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"invalid_grant":   status(400, `{"error":"invalid_grant"}`),
		"invalid_request": status(400, `{"error":"invalid_request"}`),
		"server error":    status(500, `{"error":"server_error"}`),
		"connection lost": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"nonsense":        status(401, `<html>`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newIDP(t)
			p := f.okta(t, Config{ClientSecrets: []string{"new", "old"}})
			f.answer("token", answer)
			if _, err := f.signIn(t, p, f.oktaClaims()); err == nil {
				t.Fatal("signed in")
			}
			if n := f.count("token"); n != 1 {
				t.Errorf("%d token requests", n)
			}
		})
	}
}

// Secrets that are replaced while the provider is in use come into force with the next request; S2: neither
// the new nor the old is in any error.
func TestSecretsAreReplaced(t *testing.T) {
	t.Parallel()
	f := newIDP(t)
	p := f.okta(t, Config{ClientSecret: "first-canary"})
	r := &tokenRequests{}
	f.answer("token", r.serve(f))
	for _, step := range []struct {
		set     []string
		changed bool
		good    string
		want    []string
	}{
		{[]string{"first-canary"}, false, "first-canary", []string{"basic:first-canary"}},
		{[]string{"second", "first-canary"}, true, "first-canary", []string{
			"basic:second", "basic:first-canary",
		}},
		{[]string{"second", "first-canary"}, false, "first-canary", []string{"basic:first-canary"}},
		// the first comes first, though the second did last
		{[]string{"third", "second"}, true, "third", []string{"basic:third"}},
		{[]string{"second"}, true, "second", []string{"basic:second"}},
		{nil, false, "second", []string{"basic:second"}},
	} {
		if changed := p.SetSecrets(step.set); changed != step.changed {
			t.Errorf("%q are other ones: %v", step.set, changed)
		}
		r.take(step.good)
		f.signedIn(t, p, f.oktaClaims())
		if got := r.take(""); !slices.Equal(got, step.want) {
			t.Errorf("%q: shown %q, want %q", step.set, got, step.want)
		}
	}
	p.SetSecrets([]string{"last-canary"})
	f.answer("token",
		status(400, `{"error":"invalid_grant","error_description":"last-canary took the place of second"}`))
	_, err := f.signIn(t, p, f.oktaClaims())
	e := refused(t, err, CodeSignInInvalid)
	if said := e.Error() + e.Message; strings.Contains(said, "canary") || strings.Contains(said, "second") {
		t.Errorf("%v", said)
	}
	public := f.okta(t, Config{})
	if public.SetSecrets([]string{"x"}) {
		t.Error("a public client was given a secret")
	}
}

// Whoever redeems while secrets are replaced has one of them; run with the race detector.
func TestSecretsAreReplacedUnderWay(t *testing.T) {
	t.Parallel()
	f := newIDP(t)
	p := f.okta(t, Config{ClientSecret: "0"})
	if err := p.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for n := range 4 {
		wg.Go(func() {
			for i := range 10 {
				p.SetSecrets([]string{strconv.Itoa(n), strconv.Itoa(i)}[:1+i%2])
				_, _ = p.redeem(t.Context(), p.discovery.latest(),
					url.Values{"grant_type": {"refresh_token"}})
			}
		})
	}
	wg.Wait()
	if n := len(p.auth.credentials.Load().current); n != 1 && n != 2 {
		t.Errorf("%d credentials", n)
	}
}
