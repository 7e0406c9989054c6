package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vexa-sso/mapping/keyring"
	"vexa-sso/mapping/vexa/vexatest"
	"vexa-sso/oidc/oidctest"

	"golang.org/x/sync/errgroup"
)

// S6, S5: the real program, killed with -9 at random moments under load and started again. In the end
// everybody is served with a key of their own, nobody was ever served with another's, and Vexa has exactly
// one user and one live key of each: no stray, no lost account. VEXA_SSO_TEST_SOAK says for how long to go on
// killing: .ci/run does so for a while, .ci/soak for ten minutes.
func TestKilledUnderLoad(t *testing.T) {
	t.Parallel()
	text := os.Getenv("VEXA_SSO_TEST_SOAK")
	if text == "" {
		t.Skip("takes more than a minute: set VEXA_SSO_TEST_SOAK=20s")
	}
	soak, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	s := newSoaked(t)

	load, stopLoad := context.WithCancel(t.Context())
	var workers sync.WaitGroup
	for i := range 4 {
		workers.Go(func() { s.work(load, i) })
	}
	kills := 0
	for began := time.Now(); time.Since(began) < soak; kills++ {
		run := s.start()
		select {
		case <-time.After(time.Duration(200+random.IntN(1300)) * time.Millisecond):
		case <-t.Context().Done():
		}
		_ = run.Process.Kill()
		_ = run.Wait()
	}
	run := s.start()
	defer func() {
		_ = run.Process.Kill()
		_ = run.Wait()
	}()
	stopLoad()
	workers.Wait()
	t.Logf("%d kills, %d people, %d requests served", kills, s.people.Load(), s.served.Load())

	// Whoever was killed in the middle of a mint had a lease; when it is over, what is left is put right.
	looks := time.NewTicker(time.Second)
	defer looks.Stop()
	enough := time.After(5 * time.Minute)
	for problem := s.settled(); problem != ""; problem = s.settled() {
		_ = exec.Command(s.program, "reconcile", "--config", s.config).Run()
		select {
		case <-looks.C:
		case <-enough:
			t.Fatal(problem)
		}
	}
}

// soaked is a Vexa and an Okta in this process, and a bridge that is another.
type soaked struct {
	t               *testing.T
	vexa            *vexatest.Server
	okta            *oidctest.Okta
	program, config string
	public          string

	people, served atomic.Int64
	mu             sync.Mutex
	jars           map[string]http.CookieJar
}

func newSoaked(t *testing.T) *soaked {
	dir := t.TempDir()
	s := &soaked{
		t: t, program: filepath.Join(dir, "vexa-sso"), config: filepath.Join(dir, "vexa-sso.yaml"),
		jars: map[string]http.CookieJar{},
	}
	if out, err := exec.Command("go", "build", "-o", s.program, ".").CombinedOutput(); err != nil {
		t.Fatalf("building the program: %v: %s", err, out)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.public = "http://" + free.Addr().String()
	free.Close()
	s.vexa = vexatest.Start(t)
	s.okta = oidctest.StartOkta(t, oidctest.OktaOptions{})
	s.okta.AddClient(oidctest.Client{
		ID: "0oa1", Secrets: []string{"secret"}, RedirectURIs: []string{s.public + "/sso/callback/okta"},
	})
	ring, err := keyring.Generate()
	if err != nil {
		t.Fatal(err)
	}
	document := fmt.Sprintf(`instance: soak
public_url: %[1]s
listen: %[2]s
metrics: { listen: 127.0.0.1:0 }
vexa: { gateway_url: "%[3]s", admin_url: "%[4]s", admin_token: %[5]s }
providers:
  - { name: okta, type: okta, issuer: "%[6]s", client_id: 0oa1, client_secret: secret, scopes: [groups], trusted_domains: [acme.example] }
rules:
  - { name: staff, match: { groups: [vexa-users] }, grant: { scopes: [bot, tx] } }
store: { url: "sqlite:%[7]s/bridge.db" }
keyring_file: ring.json
`, s.public, strings.TrimPrefix(s.public, "http://"), s.vexa.GatewayURL, s.vexa.AdminURL,
		vexatest.DefaultAdminToken, s.okta.Issuer(), dir)
	for name, text := range map[string][]byte{"vexa-sso.yaml": []byte(document), "ring.json": ring} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s *soaked) start() *exec.Cmd {
	s.t.Helper()
	cmd := exec.Command(s.program, "serve", "--config", s.config)
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	return cmd
}

// work is what people do: new ones sign in, and all ask Vexa who they are.
func (s *soaked) work(ctx context.Context, worker int) {
	for n := 0; ctx.Err() == nil; n++ {
		email := fmt.Sprintf("worker%d-%d@acme.example", worker, n)
		s.okta.AddPerson(oidctest.Person{Email: email, Groups: []string{"vexa-users"}})
		s.people.Add(1)
		// who cannot be served soon is looked at in the end
		for served, asked := 0, 0; served < 50 && asked < 500 && ctx.Err() == nil; asked++ {
			if s.ask(ctx, email) {
				served++
			}
		}
	}
}

// ask signs a person in if need be and asks Vexa who they are. That the bridge is away is no error; that it
// takes them for somebody else is.
func (s *soaked) ask(ctx context.Context, email string) bool {
	jar := s.jar(email)
	client := &http.Client{Jar: jar, Timeout: 5 * time.Second}
	status, body := get(ctx, client, s.public+"/auth/me")
	if status == http.StatusUnauthorized {
		if !s.signIn(ctx, client, email) {
			return false
		}
		status, body = get(ctx, client, s.public+"/auth/me")
	}
	if status != http.StatusOK {
		return false
	}
	var me struct{ Email string }
	if err := json.Unmarshal([]byte(body), &me); err != nil || me.Email != email {
		s.t.Errorf("%s was served as %s", email, body)
	}
	s.served.Add(1)
	return true
}

func (s *soaked) jar(email string) http.CookieJar {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.jars[email] == nil {
		s.jars[email], _ = cookiejar.New(nil)
	}
	return s.jars[email]
}

func (s *soaked) signIn(ctx context.Context, client *http.Client, email string) bool {
	stay := *client
	stay.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	req, _ := http.NewRequestWithContext(ctx, "GET", s.public+"/sso/login", nil)
	res, err := stay.Do(req)
	if err != nil {
		return false
	}
	res.Body.Close()
	if res.StatusCode != http.StatusSeeOther {
		return false
	}
	callback, err := s.okta.SignIn(ctx, res.Header.Get("Location"), email)
	if err != nil {
		return false
	}
	status, _ := get(ctx, &stay, callback.URL)
	return status == http.StatusSeeOther
}

func get(ctx context.Context, client *http.Client, address string) (int, string) {
	req, err := http.NewRequestWithContext(ctx, "GET", address, nil)
	if err != nil {
		return 0, err.Error()
	}
	res, err := client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(body)
}

// settled says what is not yet as it must be in the end.
func (s *soaked) settled() string {
	s.mu.Lock()
	var people []string
	for email := range s.jars {
		people = append(people, email)
	}
	s.mu.Unlock()
	var asking errgroup.Group
	asking.SetLimit(4)
	for _, email := range people {
		asking.Go(func() error {
			if !s.ask(s.t.Context(), email) {
				return errors.New(email + " is not served")
			}
			return nil
		})
	}
	if err := asking.Wait(); err != nil {
		return err.Error()
	}
	users := s.vexa.Users()
	if len(users) != len(people) {
		return fmt.Sprintf("Vexa has %d users for %d people", len(users), len(people))
	}
	held := map[int64][]vexatest.Token{}
	for _, token := range s.vexa.Tokens() {
		held[token.UserID] = append(held[token.UserID], token)
	}
	for _, user := range users {
		if tokens := held[user.ID]; len(tokens) != 1 || !strings.HasPrefix(tokens[0].Name, "vsso:soak:") {
			return fmt.Sprintf("%s has %d keys", user.Email, len(tokens))
		}
	}
	return ""
}
