package oidc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

const (
	graphBudget   = 15 * time.Second // for all that one person's groups take, waiting included
	graphCall     = 5 * time.Second  // for one call
	graphPage     = 999              // groups on a page, the most that Graph gives
	maxGraphPages = 25
	maxGroups     = 20_000
	graphMargin   = 5 * time.Minute // before the end of an app token's life, when the next is fetched
)

// graph asks Microsoft Graph for the groups of people who are in more than an ID token holds, with the
// application's own credential. Where the ID token points for them is never called: that host is gone, and
// the text of a token is no place to take an address from.
type graph struct {
	auth   *clientAuth
	refuse func(err error, grantType string, secrets ...string) *Error // of the token endpoint
	client *http.Client
	work   *background
	login  string // of the cloud
	preset string // the cloud's Graph host, where discovery names none
	now    func() time.Time
	wait   func(context.Context, time.Duration) error
	log    *slog.Logger

	mu     sync.Mutex
	tokens map[string]graphToken // by tenant
	paused time.Time             // until when nobody asks Graph (Retry-After)
}

type graphToken struct {
	value string
	until time.Time
}

// graphProblem is why the groups could not be read.
type graphProblem struct {
	message string // for the person, in Identity.GroupsProblem
	remedy  string // for the admin
	err     error  // for the log
}

func (p *graphProblem) Error() string { return fmt.Sprintf("asking Microsoft Graph: %v", p.err) }
func (p *graphProblem) Unwrap() error { return p.err }

// groups are the ids of every security group and directory role that the person is in, directly or through
// another group.
func (g *graph) groups(ctx context.Context, doc *document, tenant, person string) ([]string, error) {
	base, err := g.base(doc)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, graphBudget)
	defer cancel()
	ask := &graphQuestion{graph: g, doc: doc, base: base, tenant: tenant}
	user := base + "/v1.0/users/" + url.PathEscape(person)
	ids, err := ask.memberObjects(ctx, user)
	if errors.Is(err, errTooManyForOneAnswer) {
		return ask.transitiveMemberOf(ctx, user)
	}
	return ids, err
}

// base is the URL of the cloud's Graph: https, but for a test on this machine.
func (g *graph) base(doc *document) (string, error) {
	host := orDefault(doc.GraphHost, g.preset)
	u, err := url.Parse("https://" + host)
	if err == nil && loopback(u.Hostname()) && strings.HasPrefix(g.login, "http://") {
		return "http://" + strings.TrimRight(host, "/"), nil
	}
	if err != nil || host == "" || u.Host != host || u.Port() != "" || u.User != nil {
		return "", &graphProblem{
			"It is not known where this cloud’s Microsoft Graph is.",
			"Set cloud: the provider's discovery document has no msgraph_host.",
			fmt.Errorf("msgraph_host is %s", quoted(host)),
		}
	}
	return "https://" + host, nil
}

// graphQuestion is one person's groups being asked for.
type graphQuestion struct {
	*graph
	doc          *document
	base, tenant string
	waits        int
}

var errTooManyForOneAnswer = errors.New("there are more groups than one answer holds")

// memberObjects asks for all of them at once (user: getMemberObjects).
func (q *graphQuestion) memberObjects(ctx context.Context, user string) ([]string, error) {
	var answer struct {
		Value []string `json:"value"`
	}
	if err := q.ask(ctx, http.MethodPost, user+"/getMemberObjects",
		[]byte(`{"securityEnabledOnly":true}`), &answer); err != nil {
		return nil, err
	}
	return bounded(answer.Value)
}

// transitiveMemberOf asks for the groups page by page; those that are for mail alone are not in tokens
// either.
func (q *graphQuestion) transitiveMemberOf(ctx context.Context, user string) ([]string, error) {
	var ids []string
	next := user + "/transitiveMemberOf/microsoft.graph.group?" + strings.ReplaceAll(url.Values{
		"$select": {"id,securityEnabled"}, "$count": {"true"}, "$top": {fmt.Sprint(graphPage)},
	}.Encode(), "%24", "$")
	for range maxGraphPages {
		var page struct {
			Value []struct {
				ID       string `json:"id"`
				Security *bool  `json:"securityEnabled"`
			} `json:"value"`
			Next string `json:"@odata.nextLink"`
		}
		if err := q.ask(ctx, http.MethodGet, next, nil, &page); err != nil {
			return nil, err
		}
		for _, group := range page.Value {
			if group.Security == nil || *group.Security {
				ids = append(ids, group.ID)
			}
		}
		if page.Next == "" || len(ids) > maxGroups {
			return bounded(ids)
		}
		if next = page.Next; !q.ours(next) {
			return nil, unreadable(fmt.Errorf("the next page is at %s", quoted(next)))
		}
	}
	return bounded(append(ids, make([]string, maxGroups)...))
}

// ours says whether the address of a next page is at the Graph that was asked.
func (q *graphQuestion) ours(link string) bool {
	return strings.HasPrefix(link, q.base+"/v1.0/") && !strings.ContainsAny(link, "\\\r\n#")
}

func bounded(ids []string) ([]string, error) {
	if len(ids) > maxGroups {
		return nil, &graphProblem{
			fmt.Sprintf("There are more than %d groups.", maxGroups), "Assign groups to the application in " +
				"Entra ID and let the token list those alone (ApplicationGroup).",
			fmt.Errorf("the list has more than %d groups", maxGroups),
		}
	}
	return withoutBlank(ids), nil
}

func unreadable(cause error) error {
	return &graphProblem{"Microsoft Graph gave an answer that cannot be read.", "If it stays, look at what " +
		"is between this machine and Microsoft Graph.", cause}
}

// ask makes one request: once more with a new token after a 401, and again after the pause that a 429 asks
// for, if that fits into the time that is left.
func (q *graphQuestion) ask(ctx context.Context, method, url string, body []byte, into any) error {
	renewed := false
	for {
		if err := q.pause(ctx); err != nil {
			return err
		}
		token, err := q.token(ctx, q.doc, q.tenant)
		if err != nil {
			return err
		}
		res, err := q.send(ctx, method, url, body, token)
		switch {
		case err != nil:
			return &graphProblem{"Microsoft Graph cannot be reached.", "Check that this machine can reach " +
				"it (proxy_url, ca_file, firewall, DNS).", reduced(err)}
		case res.status == http.StatusOK:
			if err := json.Unmarshal(res.body, into); err != nil {
				return unreadable(reduced(err))
			}
			return nil
		case res.status == http.StatusUnauthorized && !renewed:
			q.drop(q.tenant, token)
			renewed = true
		case res.status == http.StatusTooManyRequests && q.waits < 2:
			q.waits++
			q.throttled(max(retryAfter(res.header, q.now()), time.Second))
		default:
			return refusedByGraph(res)
		}
	}
}

// send makes one call. Counting and filtering need the header ConsistencyLevel.
func (q *graphQuestion) send(
	ctx context.Context, method, url string, body []byte, token string,
) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, graphCall)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("ConsistencyLevel", "eventual")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return send(q.client, req)
}

// pause waits until Graph may be asked again (Retry-After), if that fits into the time that is left; else it
// is an error.
func (q *graphQuestion) pause(ctx context.Context) error {
	q.mu.Lock()
	left := q.paused.Sub(q.now())
	q.mu.Unlock()
	if left <= 0 {
		return nil
	}
	busy := func(cause error) error {
		return &graphProblem{
			fmt.Sprintf("Microsoft Graph is too busy to list the groups; try again in %d seconds.",
				int(left/time.Second)+1),
			"Microsoft Graph throttles this application or tenant; see its usage in Entra ID.", cause,
		}
	}
	if until, ok := ctx.Deadline(); ok && time.Until(until) < left {
		return busy(fmt.Errorf("it wants to be left alone for %v", left))
	}
	if err := q.wait(ctx, left); err != nil {
		return busy(err)
	}
	return nil
}

func (g *graph) throttled(wait time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if until := g.now().Add(wait); until.After(g.paused) {
		g.paused = until
	}
}

// refusedByGraph reads Graph's error: {"error":{"code":…,"innerError":{"request-id":…}}}. Its message is not
// of use to us.
func refusedByGraph(res *answer) error {
	var said struct {
		Error struct {
			Code  string `json:"code"`
			Inner struct {
				RequestID string `json:"request-id"`
			} `json:"innerError"`
		} `json:"error"`
	}
	_ = json.Unmarshal(res.body, &said) // not JSON: the status says enough
	if res.status == http.StatusBadRequest && said.Error.Code == "DirectoryResultSizeLimitExceeded" {
		return errTooManyForOneAnswer
	}
	p := &graphProblem{
		message: "Microsoft Graph could not list the groups.",
		remedy:  "If it stays, give Microsoft's support the request id.",
		err: fmt.Errorf("it answered %d %s, request %s", res.status, quoted(said.Error.Code),
			quoted(orDefault(said.Error.Inner.RequestID, res.header.Get("request-id")))),
	}
	switch res.status {
	case http.StatusForbidden:
		p.message = "The application may not read the groups of people in Microsoft Graph."
		p.remedy = "Grant it the application permissions User.Read.All and GroupMember.Read.All on " +
			"Microsoft Graph, with admin consent, in Entra ID."
	case http.StatusUnauthorized:
		p.message, p.remedy = "Microsoft Graph does not accept the application.",
			"Check that cloud is the one that the tenant is in."
	case http.StatusNotFound:
		p.message, p.remedy = "Microsoft Graph does not know the person.",
			"Nothing, if they were deleted just now."
	case http.StatusTooManyRequests:
		p.message, p.remedy = "Microsoft Graph is too busy to list the groups; try again later.",
			"Microsoft Graph throttles this application or tenant; see its usage in Entra ID."
	}
	return p
}

// token is the application's access token for Graph in a tenant (client_credentials), cached while it is
// good. However many wait for one, it is fetched once.
func (g *graph) token(ctx context.Context, doc *document, tenant string) (string, error) {
	if token, ok := g.have(tenant); ok {
		return token, nil
	}
	done := g.work.singleFlight("graph token "+tenant, func(ctx context.Context) error {
		return g.fetchToken(ctx, doc, tenant)
	})
	select {
	case <-ctx.Done():
		return "", &graphProblem{
			"Microsoft Graph took too long.", "Check that this machine can reach Entra ID.", ctx.Err(),
		}
	case err := <-done:
		if err != nil {
			return "", err
		}
	}
	token, ok := g.have(tenant)
	if !ok {
		return "", unreadable(errors.New("the application's token has expired on arrival"))
	}
	return token, nil
}

func (g *graph) have(tenant string) (string, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	token := g.tokens[tenant]
	return token.value, g.now().Before(token.until)
}

// drop forgets a token that Graph has refused.
func (g *graph) drop(tenant, token string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.tokens[tenant].value == token {
		delete(g.tokens, tenant)
	}
}

func (g *graph) fetchToken(ctx context.Context, doc *document, tenant string) error {
	if _, ok := g.have(tenant); ok {
		return nil // a fetch ended between our caller's look and this one
	}
	base, err := g.base(doc)
	if err != nil {
		return err
	}
	grant := url.Values{"grant_type": {"client_credentials"}, "scope": {base + "/.default"}}
	token, err := g.auth.redeem(gooidc.ClientContext(ctx, g.client), doc,
		endpointOf(doc.TokenURL, tenant), grant)
	if err != nil {
		refusal := g.refuse(err, "client_credentials", g.auth.secrets()...)
		return &graphProblem{
			"Entra ID gave the application no access to Microsoft Graph.", refusal.Remedy, refusal.Err,
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tokens[tenant] = graphToken{token.AccessToken, g.now().Add(max(lifeOf(token)-graphMargin, time.Minute))}
	return nil
}

// lifeOf is expires_in, which the library turns into a time of the machine's clock.
func lifeOf(token *oauth2.Token) time.Duration {
	seconds, _ := token.Extra("expires_in").(float64)
	return time.Duration(min(max(seconds, 0), 24*60*60)) * time.Second
}

// endpointOf is the tenant's own token endpoint, where discovery names that of every organization: an
// application acts for itself in one tenant at a time.
func endpointOf(tokenURL, tenant string) string {
	return strings.Replace(tokenURL, "/"+anyOrganization+"/", "/"+tenant+"/", 1)
}
