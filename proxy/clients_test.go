package proxy_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vexa-sso/proxy/page/pagetest"
	"vexa-sso/proxy/proxytest"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"vexa-sso/mapping"
	"vexa-sso/oidc/oidctest"
)

// lookPath finds a program, or skips the test.
func lookPath(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("there is no %s on this machine", name)
	}
	return path
}

// node starts a script with the npm packages that it needs, or skips the test. Its lines come one by one.
func node(t *testing.T, script string, args ...string) *bufio.Scanner {
	t.Helper()
	modules := os.Getenv("VEXA_SSO_TEST_NODE_MODULES")
	if modules == "" {
		t.Skip("VEXA_SSO_TEST_NODE_MODULES is not set: npm install @modelcontextprotocol/sdk ws somewhere, and name its node_modules")
	}
	ctx, cancel := context.WithTimeout(t.Context(), oidctest.Patience)
	t.Cleanup(cancel)
	command := exec.CommandContext(ctx, lookPath(t, "node"),
		append([]string{filepath.Join("testdata", script), modules}, args...)...)
	stdout, err := command.StdoutPipe()
	proxytest.Must(t, err)
	var complaints strings.Builder
	command.Stderr = &complaints
	proxytest.Must(t, command.Start())
	t.Cleanup(func() {
		cancel()
		_ = command.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", script, complaints.String())
		}
	})
	return bufio.NewScanner(stdout)
}

// line reads the next line, as JSON.
func line(t *testing.T, from *bufio.Scanner) (said struct {
	Tools                            []string
	Session, Error, Protocol, Answer string
	Status, Code                     int
},
) {
	t.Helper()
	if !from.Scan() {
		t.Fatalf("it said nothing more: %v", from.Err())
	}
	proxytest.Must(t, json.Unmarshal(from.Bytes(), &said))
	return said
}

// An MCP client of the TypeScript SDK needs nothing but another address and another key.
func TestUnchangedMCPClient(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t, proxytest.TakingBearers)
	w.SignIn(oidctest.Ada)
	_, token := w.NewToken(oidctest.Ada, "bot", "tx")
	for name, shown := range map[string]string{"a token": token, "an access token": w.Bearer(oidctest.Ada)} {
		said := line(t, node(t, "mcp-client.mjs", w.Public+"/mcp", shown))
		if len(said.Tools) != 6 || said.Tools[5] != "list_meetings" || said.Session == "" {
			t.Errorf("%s: %+v", name, said)
		}
	}
	if said := line(
		t, node(t, "mcp-client.mjs", w.Public+"/mcp", proxytest.MadeUp(t)),
	); !strings.Contains(said.Error, "token_invalid") && !strings.Contains(said.Error, "Unauthorized") {
		t.Errorf("a token that is none: %+v", said)
	}
}

// Nor does a WebSocket client of another library; and it hears when the token is revoked.
func TestUnchangedWebSocketClient(t *testing.T) {
	t.Parallel()
	w := proxytest.Start(t)
	w.SignIn(oidctest.Ada)
	token, value := w.NewToken(oidctest.Ada, "tx")
	open := func(headers map[string]string, protocols ...string) *bufio.Scanner {
		h, _ := json.Marshal(headers)
		if protocols == nil {
			protocols = []string{}
		}
		p, _ := json.Marshal(protocols)
		return node(t, "ws-client.mjs", strings.Replace(w.Public, "http", "ws", 1)+"/ws",
			string(h), string(p))
	}
	header, subprotocol := open(map[string]string{"X-API-Key": value}),
		open(nil, "vsso.token."+value, "vexa.v1")
	if said := line(t, header); !strings.Contains(said.Answer, "pong") {
		t.Errorf("by header: %+v", said)
	}
	if said := line(t, subprotocol); !strings.Contains(said.Answer, "pong") || said.Protocol != "vexa.v1" {
		t.Errorf("by subprotocol: %+v", said)
	}
	if said := line(t,
		open(map[string]string{"X-API-Key": proxytest.MadeUp(t)})); said.Status != http.StatusUnauthorized {
		t.Errorf("with a token that is none: %+v", said)
	}
	proxytest.Must(t, w.Accounts.Revoke(t.Context(), mapping.Revocation{
		Kind: mapping.RevokeToken, Account: token.AccountID, Token: token.ID, Reason: "lost",
	}, "ada"))
	for _, socket := range []*bufio.Scanner{header, subprotocol} {
		if said := line(t, socket); said.Code != 4401 {
			t.Errorf("when the token is revoked: %+v", said)
		}
	}
}

// curl is told nothing but where Vexa is and what its key is now.
func TestUnchangedCurl(t *testing.T) {
	t.Parallel()
	curl := lookPath(t, "curl")
	w := proxytest.Start(t)
	w.SignIn(oidctest.Ada)
	_, token := w.NewToken(oidctest.Ada, "bot", "tx")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-H", "X-API-Key: " + token, w.Public + "/meetings"}, `"meetings"`},
		{[]string{
			"-H", "X-API-Key: " + token, "-X", "POST", "--json",
			`{"platform":"google_meet","native_meeting_id":"abc"}`, w.Public + "/bots",
		}, " 201"},
		{[]string{"--oauth2-bearer", token, w.Public + "/sso/whoami"}, oidctest.Ada},
		{[]string{"-L", "-H", "X-API-Key: " + proxytest.MadeUp(t), w.Public + "/meetings"}, " 401"},
		{[]string{"-L", w.Public + "/meetings"}, "unauthenticated"},
	} {
		out, err := exec.CommandContext(t.Context(), curl,
			append([]string{"-sS", "--max-time", "20", "-w", " %{http_code}"}, c.args...)...).
			CombinedOutput()
		if err != nil || !strings.Contains(string(out), c.want) {
			t.Errorf("curl %v: %v %s", c.args, err, out)
		}
	}
}

// A page on a listed origin, in a browser that is signed in here: it does all that its own token may, reads
// what it may not, and gets nothing by the cookie. The same page on an origin that is not listed gets nothing
// but a WebSocket (which shows its token).
func TestForeignPageInBrowser(t *testing.T) {
	t.Parallel()
	chromium := pagetest.Chromium(t)
	listed, other := httptest.NewServer(http.FileServer(http.Dir("testdata"))),
		httptest.NewServer(http.FileServer(http.Dir("testdata")))
	t.Cleanup(listed.Close)
	t.Cleanup(other.Close)
	elsewhere := func(s *httptest.Server) string {
		return strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
	}
	w := proxytest.Start(t, func(o *proxytest.Options) {
		o.Config.CORS.Origins = []string{elsewhere(listed)}
	})
	ada := w.SignIn(oidctest.Ada)
	w.SignIn(oidctest.Tim)
	_, token := w.NewToken(oidctest.Tim, "tx")

	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium),
		chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox, chromedp.DisableGPU)
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	proxytest.Must(t, chromedp.Do(ctx))
	ctx, stop = context.WithTimeout(ctx, oidctest.Patience)
	t.Cleanup(stop)
	_, value, _ := strings.Cut(ada.Cookie(), "=")
	_, err := chromedp.Call(ctx, network.SetCookie, network.SetCookieParams{
		Name: "vexa_sso", Value: value, URL: w.Public, SameSite: network.CookieSameSiteLax,
	})
	proxytest.Must(t, err)
	given, err := json.Marshal(map[string]string{
		"bridge": w.Public, "token": token, "none": proxytest.MadeUp(t),
	})
	proxytest.Must(t, err)

	for at, want := range map[string]map[string]string{
		elsewhere(listed): {
			"whoami": "200 " + oidctest.Tim, "bearer": "200 " + oidctest.Tim,
			"write": "403 scope_missing", "refused": "401 token_invalid",
			"cookie": "blocked", "both": "blocked", "socket": `vexa.v1 {"type": "pong"}`,
			"cookieSocket": "blocked",
		},
		elsewhere(other): {
			"whoami": "blocked", "bearer": "blocked", "write": "blocked", "refused": "blocked",
			"cookie": "blocked", "both": "blocked", "socket": `vexa.v1 {"type": "pong"}`,
			"cookieSocket": "blocked",
		},
	} {
		proxytest.Must(t,
			chromedp.Do(ctx, chromedp.Navigate(at+"/foreign.html#"+url.PathEscape(string(given))),
				chromedp.WaitVisible(chromedp.CSS(".done"))))
		text, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("#said")))
		proxytest.Must(t, err)
		var got map[string]string
		proxytest.Must(t, json.Unmarshal([]byte(text), &got))
		for name := range want {
			if got[name] != want[name] {
				t.Errorf("%s, %s: %q, want %q", at, name, got[name], want[name])
			}
		}
	}
}
