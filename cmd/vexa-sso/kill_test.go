package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"vexa-sso/mapping/keyring"
	"vexa-sso/mapping/vexa/vexatest"
	"vexa-sso/oidc/oidctest"
)

// mortal is the real program, as a process that can be killed, between an Okta and a Vexa that live on.
type mortal struct {
	t       *testing.T
	dir     string
	okta    *oidctest.Okta
	vexa    *vexatest.Server
	person  *http.Client // Ada's browser
	process *exec.Cmd
	log     *oidctest.LogBook
	address string // where the process listens
	metrics string
	program string // another than this test's own
}

// mortalURL is what people type; their browsers are led to wherever the process listens.
const mortalURL = "http://127.0.0.1:4180"

func newMortal(t *testing.T, generation string) *mortal {
	m := &mortal{
		t: t, dir: t.TempDir(), okta: oidctest.StartOkta(t, oidctest.OktaOptions{}),
		vexa: vexatest.Start(t, vexatest.Generation(generation)),
	}
	m.okta.AddCast()
	m.okta.AddClient(oidctest.Client{
		ID: "0oa1", Secrets: []string{"secret"}, RedirectURIs: []string{mortalURL + "/sso/callback/okta"},
	})
	ring, err := keyring.Generate()
	m.must(err)
	m.write("keyring.json", string(ring))
	m.write("rules.yaml", "- { name: staff, match: { groups: [vexa-users] }, grant: { scopes: [bot, tx], max_concurrent_bots: 2 } }\n")
	m.write("vexa-sso.yaml", fmt.Sprintf(`instance: mortal
public_url: %s
listen: 127.0.0.1:0
metrics: { listen: 127.0.0.1:0 }
vexa: { gateway_url: "%s", admin_url: "%s", admin_token: %s }
providers:
  - { name: okta, type: okta, issuer: "%s", client_id: 0oa1, client_secret: secret, scopes: [groups] } # no trusted domain: nobody adopts a user that is not known to be ours
rules_file: rules.yaml
store: { url: "sqlite:%s" }
keyring_file: keyring.json
`, mortalURL, m.vexa.GatewayURL, m.vexa.AdminURL, vexatest.DefaultAdminToken, m.okta.Issuer(), m.store()))
	jar, err := cookiejar.New(nil)
	m.must(err)
	m.sit(jar)
	t.Cleanup(m.kill)
	return m
}

// sit puts Ada before the process, with the cookies that she has.
func (m *mortal) sit(jar http.CookieJar) {
	lead := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, m.address)
	}
	m.person = &http.Client{
		Jar: jar, Timeout: oidctest.Patience,
		Transport:     &http.Transport{DisableKeepAlives: true, DialContext: lead},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// twin is a second process of the same configuration, before which the same Ada sits.
func (m *mortal) twin() *mortal {
	other := &mortal{t: m.t, dir: m.dir, okta: m.okta, vexa: m.vexa}
	other.sit(m.person.Jar)
	m.t.Cleanup(other.kill)
	return other
}

// settings adds lines to the configuration, for the next start.
func (m *mortal) settings(lines string) {
	m.t.Helper()
	text, err := os.ReadFile(filepath.Join(m.dir, "vexa-sso.yaml"))
	m.must(err)
	m.write("vexa-sso.yaml", string(text)+lines)
}

func (m *mortal) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *mortal) store() string { return filepath.Join(m.dir, "vexa-sso.db") }

func (m *mortal) write(name, text string) {
	m.t.Helper()
	m.must(os.WriteFile(filepath.Join(m.dir, name), []byte(text), 0o600))
}

// command is the program with these arguments. It is this test's own binary, which is the program when
// it is called by its name.
func (m *mortal) command(args ...string) *exec.Cmd {
	m.t.Helper()
	self := m.program
	if self == "" {
		var err error
		self, err = os.Executable()
		m.must(err)
	}
	return &exec.Cmd{Path: self, Args: append([]string{"vexa-sso"},
		append(args, "--config", filepath.Join(m.dir, "vexa-sso.yaml"))...)}
}

// start starts the program and returns once it serves.
func (m *mortal) start() {
	m.t.Helper()
	m.process, m.log = m.command("serve"), &oidctest.LogBook{}
	m.process.Stderr = m.log
	m.must(m.process.Start())
	m.wait("it to serve", func() bool { return m.heard("serving") != nil && m.heard("listening") != nil })
	at := m.heard("listening")
	m.address, m.metrics = at["listen"].(string), at["metrics"].(string)
}

// heard returns the latest line of the log with that message, nil where there is none.
func (m *mortal) heard(message string) (said map[string]any) {
	for line := range strings.Lines(m.log.String()) {
		if strings.Contains(line, `"msg":"`+message+`"`) {
			_ = json.Unmarshal([]byte(line), &said)
		}
	}
	return said
}

// kill kills the process as nothing else does: it learns of nothing.
func (m *mortal) kill() {
	if m.process != nil {
		_ = m.process.Process.Kill()
		_ = m.process.Wait()
		m.process = nil
	}
}

// wait waits until something that happens in the background has.
func (m *mortal) wait(what string, happened func() bool) {
	m.t.Helper()
	if !oidctest.Await(happened) {
		m.t.Fatalf("waited in vain for %s\n%s", what, m.log)
	}
}

// ask has Ada ask for something, and returns a status of 0 where nobody answers.
func (m *mortal) ask(address string) (int, string, http.Header) {
	res, err := m.person.Get(address)
	if err != nil {
		return 0, err.Error(), nil
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err.Error(), nil
	}
	return res.StatusCode, string(body), res.Header
}

// live is what Ada does: she signs in if she has to, and asks Vexa who she is. It returns the last answer.
func (m *mortal) live() (int, string) {
	status, body, _ := m.ask(mortalURL + "/auth/me")
	if status != http.StatusUnauthorized {
		return status, body
	}
	status, body, header := m.ask(mortalURL + "/sso/login")
	if status != http.StatusSeeOther {
		return status, body
	}
	callback, err := m.okta.SignIn(context.Background(), header.Get("Location"), oidctest.Ada)
	if err != nil {
		return 0, err.Error()
	}
	if status, body, _ = m.ask(callback.URL); status != http.StatusSeeOther {
		return status, body
	}
	status, body, _ = m.ask(mortalURL + "/auth/me")
	return status, body
}

// minuteLater moves everything in the store a minute into the past, as if the machine had been off for as
// long, and leases by 5 s: what the dead held is free by then.
func (m *mortal) minuteLater() {
	m.t.Helper()
	db := m.open()
	defer db.Close()
	for _, statement := range []string{
		`UPDATE leases SET until = until - 5000000`,
		`UPDATE keys SET created_at = created_at - 60000000, expires_at = expires_at - 60000000, retry_at = retry_at - 60000000`,
		`UPDATE holds SET retry_at = retry_at - 60000000`,
	} {
		_, err := db.Exec(statement)
		m.must(err)
	}
}

func (m *mortal) open() *sql.DB {
	m.t.Helper()
	db, err := sql.Open("sqlite", "file:"+m.store()+"?_pragma=busy_timeout(5000)")
	m.must(err)
	return db
}

// keys returns how many keys the store has in each state, and which tokens at Vexa they are.
func (m *mortal) keys() (states map[string]int, tokens map[int64]bool) {
	m.t.Helper()
	db := m.open()
	defer db.Close()
	rows, err := db.Query(`SELECT state, vexa_token_id FROM keys`)
	m.must(err)
	defer rows.Close()
	states, tokens = map[string]int{}, map[int64]bool{}
	for rows.Next() {
		var state string
		var token int64
		m.must(rows.Scan(&state, &token))
		states[state]++
		tokens[token] = true
	}
	m.must(rows.Err())
	return states, tokens
}

// stray names a token at Vexa that the store does not know, if there is one.
func (m *mortal) stray() string {
	_, known := m.keys()
	for _, token := range m.vexa.Tokens() {
		if !known[token.ID] {
			return fmt.Sprintf("token %d, %s", token.ID, token.Name)
		}
	}
	return ""
}

// unsettled says what is not as it should be when Ada has been served: one user, one live
// key, and nothing left over.
func (m *mortal) unsettled() string {
	users, tokens := m.vexa.Users(), m.vexa.Tokens()
	states, known := m.keys()
	switch {
	case len(users) != 1 || users[0].Email != oidctest.Ada || users[0].MaxConcurrentBots != 2:
		return fmt.Sprintf("users: %+v", users)
	case len(tokens) != 1 || !known[tokens[0].ID] || !strings.HasPrefix(tokens[0].Name, "vsso:mortal:") ||
		tokens[0].ExpiresAt.IsZero():
		return fmt.Sprintf("tokens: %+v; known: %v", tokens, known)
	case len(states) != 1 || states["active"] != 1:
		return fmt.Sprintf("keys: %v", states)
	}
	return ""
}

// S6: the real program is killed with -9 while a call on the way to somebody's first answer is under way:
// before Vexa has done what it was asked, and when it has and nobody heard. What the store has is then what
// was written before the call, and no more, so that this is before and after each write, too. Started
// again, the program first clears up what nobody knows, then serves her; and there is one user with one
// key, as if nothing had been.
func TestKilledAtEachStep(t *testing.T) {
	t.Parallel()
	for _, generation := range []string{vexatest.Generation012, vexatest.Generation010} {
		for name, at := range map[string]vexatest.Fault{
			"looking for the user": {Method: "GET", Path: "/admin/users/email/ada"},
			"making the user":      {Method: "POST", Path: "/admin/users"},
			"reading the user":     {Method: "GET", Path: "/admin/users/1"},
			"minting":              {Method: "POST", Path: "/admin/users/1/tokens"},
			"asking the gateway":   {Part: vexatest.Gateway, Path: "/auth/me"},
		} {
			moments := map[string]vexatest.Effect{"before": vexatest.HoldBefore, "after": vexatest.HoldAfter}
			if name == "making the user" {
				moments["amid"] = vexatest.BetweenLookupAndInsert
			}
			for moment, effect := range moments {
				fault := at
				fault.Effect = effect
				t.Run(generation+" "+moment+" "+name, func(t *testing.T) {
					t.Parallel()
					dieAt(t, generation, fault)
				})
			}
		}
	}
}

func dieAt(t *testing.T, generation string, at vexatest.Fault) {
	m := newMortal(t, generation)
	m.start()
	release := make(chan struct{})
	at.Until = release
	held := m.vexa.Inject(at)
	lived := make(chan struct{})
	go func() {
		defer close(lived)
		if status, body := m.live(); status != 0 {
			t.Errorf("an answer from the dead: %d %s", status, body)
		}
	}()
	if err := held.Wait(oidctest.Within(t), 1); err != nil {
		t.Fatalf("the call is never made: %v\n%s", err, m.log)
	}
	m.kill()
	<-lived
	held.Heal()
	close(release)

	m.minuteLater()
	m.start()
	m.wait("what nobody knows to be cleared up", func() bool { return m.stray() == "" })
	var status int
	var body string
	m.wait("Ada to be served", func() bool { status, body = m.live(); return status == http.StatusOK })
	if !strings.Contains(body, oidctest.Ada) {
		t.Errorf("she is served as %s", body)
	}
	m.wait("all to be as it should", func() bool { return m.unsettled() == "" })

	// Nor does anything come of it later, with another start.
	m.kill()
	m.minuteLater()
	m.start()
	m.served()
	if problem := m.unsettled(); problem != "" {
		t.Errorf("after another start: %s", problem)
	}
}

// S5: a revocation that was written down outlives the process that was carrying it out.
func TestKilledWhileRevoking(t *testing.T) {
	t.Parallel()
	for _, generation := range []string{vexatest.Generation012, vexatest.Generation010} {
		for moment, effect := range map[string]vexatest.Effect{
			"before": vexatest.HoldBefore, "after": vexatest.HoldAfter,
		} {
			// the token goes, and the user may run no more bots
			for _, method := range []string{"DELETE", "PATCH"} {
				t.Run(generation+" "+moment+" "+method, func(t *testing.T) {
					t.Parallel()
					m := newMortal(t, generation)
					m.start()
					m.served()
					release := make(chan struct{})
					held := m.vexa.Inject(vexatest.Fault{
						Method: method, Path: "/admin/", Effect: effect, Until: release,
					})
					revoke := m.command("accounts", "suspend", oidctest.Ada, "--reason", "left")
					m.must(revoke.Start())
					said := make(chan error, 1)
					go func() { said <- revoke.Wait() }()
					if err := held.Wait(oidctest.Within(t), 1); err != nil {
						t.Fatalf("the call is never made: %v\n%s", err, m.log)
					}
					m.kill()
					_ = revoke.Process.Kill() // whichever of the two was at it
					<-said
					held.Heal()
					close(release)

					m.minuteLater()
					m.start()
					m.wait("the revocation to be carried out", func() bool {
						states, _ := m.keys()
						users := m.vexa.Users()
						return len(m.vexa.Tokens()) == 0 && len(states) == 0 &&
							users[0].MaxConcurrentBots == 0
					})
					if status, body := m.live(); status != http.StatusForbidden ||
						!strings.Contains(body, "suspended") {
						t.Errorf("she is back: %d %s", status, body)
					}
				})
			}
		}
	}
}

// The signals of a service: SIGHUP reads the configuration again and ends nothing, SIGTERM and
// SIGINT end the program well.
func TestSignals(t *testing.T) {
	t.Parallel()
	for _, end := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(end.String(), func(t *testing.T) {
			t.Parallel()
			m := newMortal(t, vexatest.Generation012)
			m.start()
			m.write("rules.yaml", "nonsense")
			m.wait("the file to be looked at", func() bool { return m.failedReloads() == "1" })
			m.must(m.process.Process.Signal(syscall.SIGHUP))
			m.wait("SIGHUP to be heard", func() bool { return m.failedReloads() == "2" })
			m.served()
			m.must(m.process.Process.Signal(end))
			if err := m.process.Wait(); err != nil {
				t.Errorf("it ended with %v\n%s", err, m.log)
			}
			m.process = nil
			if m.heard("stopped") == nil {
				t.Errorf("it does not say that it stopped:\n%s", m.log)
			}
			if status, _ := m.live(); status != 0 {
				t.Errorf("it still answers: %d", status)
			}
		})
	}
}

func (m *mortal) failedReloads() string {
	res, err := http.Get("http://" + m.metrics + "/metrics")
	m.must(err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	m.must(err)
	_, value, _ := strings.Cut(string(text), "\nvexa_sso_rules_reload_failed_total ")
	value, _, _ = strings.Cut(value, "\n")
	return value
}

// S11: with another key ring the program does not start, and says which one is wanted.
func TestStartWithAnotherKeyRing(t *testing.T) {
	t.Parallel()
	m := newMortal(t, vexatest.Generation012)
	right, err := keyring.LoadFile(filepath.Join(m.dir, "keyring.json"))
	m.must(err)
	m.start()
	m.kill()
	ring, err := keyring.Generate()
	m.must(err)
	m.write("keyring.json", string(ring))
	out, err := m.command("serve").CombinedOutput()
	exit, ok := err.(*exec.ExitError)
	if !ok || exit.ExitCode() != exitFailed ||
		!strings.Contains(string(out), "vexa-sso: the store was sealed by key ring "+right.ID()) {
		t.Errorf("%v: %s", err, out)
	}
}
