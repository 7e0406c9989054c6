package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"vexa-sso/oidc/oidctest"
)

// play runs the demo until the test is over and returns the bridge's address: what the demo's last line says.
func play(t *testing.T, args ...string) string {
	t.Helper()
	bridge, _ := listenTo(t, args...)
	return bridge
}

// listenTo is play, and returns all that the demo says, too.
func listenTo(t *testing.T, args ...string) (bridge, said string) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, append([]string{"--listen", "127.0.0.1:0", "--idp-listen", "localhost:0"}, args...),
			w, io.Discard)
		w.CloseWithError(io.EOF)
		done <- err
	}()
	t.Cleanup(func() {
		stop()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("the demo ended with: %v", err)
			}
		case <-time.After(oidctest.Patience):
			t.Error("the demo does not stop")
		}
	})
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if address, ok := strings.CutPrefix(lines.Text(), "ready "); ok {
			go io.Copy(io.Discard, r)
			return strings.TrimSuffix(address, "/"), said
		}
		said += lines.Text() + "\n"
	}
	t.Fatalf("the demo never was ready: %v", <-done)
	return "", ""
}

// script is a client that walks a sign-in as a script would: with demo_auto at the
// provider instead of the page.
type script struct {
	t      *testing.T
	bridge string
	*http.Client
}

func newScript(t *testing.T, bridge string) *script {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &script{t, bridge, &http.Client{Jar: jar, Timeout: oidctest.Patience}}
}

func (s *script) get(address string) (int, string) {
	s.t.Helper()
	res, err := s.Get(address)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func (s *script) signIn(provider, who string) (int, string) {
	s.t.Helper()
	s.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := s.Get(s.bridge + "/sso/login?provider=" + provider + "&login_hint=" + who)
	if err != nil {
		s.t.Fatal(err)
	}
	res.Body.Close()
	s.CheckRedirect = nil
	return s.get(res.Header.Get("Location") + "&demo_auto=1")
}

func TestEverybodyThroughBothProviders(t *testing.T) {
	t.Parallel()
	for _, generation := range []string{"0.12", "0.10"} {
		t.Run(generation, func(t *testing.T) {
			t.Parallel()
			bridge := play(t, "--vexa-generation", generation)
			for _, provider := range []string{"okta", "entra"} {
				for who, scopes := range map[string]string{
					"ada": "bot,tx", "grace": "bot,tx", "tim": "tx", "mallory": "", "guest": "",
				} {
					email := who + "@acme.example"
					if who == "guest" {
						email = "guest@partner.example"
					}
					s := newScript(t, bridge)
					status, body := s.signIn(provider, email)
					if scopes == "" {
						if status != http.StatusForbidden {
							t.Errorf("%s through %s: %d %s", who, provider, status, body)
						}
						continue
					}
					status, body = s.get(bridge + "/sso/whoami")
					var me struct {
						Email  string
						Scopes []string
						Admin  bool
					}
					if err := json.Unmarshal([]byte(body), &me); err != nil || status != http.StatusOK ||
						me.Email != email || strings.Join(me.Scopes, ",") != scopes ||
						me.Admin != (who == "grace") {
						t.Errorf("%s through %s is %d %s", who, provider, status, body)
					}
					if status, body := s.get(bridge + "/meetings"); status != http.StatusOK {
						t.Errorf("%s through %s reads meetings: %d %s", who, provider, status, body)
					}
				}
			}
		})
	}
}

// What the demo says of programs is so: the nightly job gets an access token as it is told to, and reads with
// it, and no more; and a person makes a token that works where a Vexa key did.
func TestPrograms(t *testing.T) {
	t.Parallel()
	bridge, said := listenTo(t)
	told := regexp.MustCompile(`curl -s -u (\S+):(\S+) -d (\S+) -d (\S+) (\S+)`).FindStringSubmatch(said)
	if told == nil {
		t.Fatal(said)
	}
	s := newScript(t, bridge)
	ask := func(method, address, contentType, body string, header ...string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", contentType)
		for i := 0; i+1 < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		res, err := s.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(text)
	}
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(told[1]+":"+told[2]))
	status, body := ask("POST", told[5], "application/x-www-form-urlencoded", told[3]+"&"+told[4],
		"Authorization", basic)
	var given struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(body), &given); err != nil || status != http.StatusOK {
		t.Fatal(status, body)
	}
	bearer := []string{"Authorization", "Bearer " + given.AccessToken}
	if status, body := ask("GET", bridge+"/meetings", "", "", bearer...); status != http.StatusOK {
		t.Errorf("the job reads: %d %s", status, body)
	}
	if status, body := ask("POST", bridge+"/bots", "application/json",
		"{}", bearer...); status != http.StatusForbidden || !strings.Contains(body, "scope_missing") {
		t.Errorf("the job sends a bot: %d %s", status, body)
	}

	s.signIn("okta", "ada@acme.example")
	status, body = ask("POST", bridge+"/sso/tokens", "application/json",
		`{"name":"script","scopes":["tx"],"expires_in":3600}`, "Origin", bridge, "Accept", "application/json")
	var made struct{ Token string }
	if err := json.Unmarshal([]byte(body), &made); err != nil || status != http.StatusCreated {
		t.Fatal(status, body)
	}
	s.Jar = nil
	if status, body := ask("GET", bridge+"/meetings", "", "",
		"X-API-Key", made.Token); status != http.StatusOK {
		t.Errorf("her script reads: %d %s", status, body)
	}
}

// With a state folder, sessions, accounts and keys survive a restart.
func TestStateSurvives(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	listen := "127.0.0.1:0"
	var jar http.CookieJar
	t.Run("before", func(t *testing.T) {
		bridge := play(t, "--state-dir", dir, "--listen", listen)
		listen = strings.TrimPrefix(bridge, "http://")
		s := newScript(t, bridge)
		if status, body := s.signIn("okta", "ada@acme.example"); status != http.StatusOK {
			t.Fatalf("%d %s", status, body)
		}
		jar = s.Jar
	})
	t.Run("after", func(t *testing.T) {
		bridge := play(t, "--state-dir", dir, "--listen", listen)
		s := newScript(t, bridge)
		s.Jar = jar
		if status, body := s.get(bridge + "/sso/whoami"); status != http.StatusOK ||
			!strings.Contains(body, "ada@acme.example") {
			t.Errorf("after a restart: %d %s", status, body)
		}
	})
	if _, err := os.Stat(filepath.Join(dir, "vexa-sso.db")); err != nil {
		t.Error(err)
	}
}

func TestWrongUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"extra"}, {"--vexa-generation", "0.11"}, {"--vexa-gateway", "http://x"}, {"--nope"},
	} {
		err := run(t.Context(), args, io.Discard, io.Discard)
		if _, ok := err.(usageError); !ok {
			t.Errorf("%v: %v", args, err)
		}
	}
}
