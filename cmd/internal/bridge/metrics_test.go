package bridge_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every metric that dashboards and alerts rely on is there, with its labels, once there is something to
// count; and only operators see them.
func TestMetrics(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.serve()
	b := r.signIn("okta", ada)
	good(t, "at work", b)
	b.mustSocket()
	b.events()
	if res := b.send("POST", "/sso/logout", "", "Origin", public); res.status != http.StatusSeeOther {
		t.Fatal(res)
	}
	text := r.operator("/metrics").body
	for name, labels := range map[string][]string{
		"requests_total": {"route", "code", "credential"}, "request_seconds_bucket": {"le"},
		"upstream_seconds_bucket": {"le"},
		"sign_ins_total":          {"provider", "result"}, "decisions_total": {"result"},
		"mints_total": {"result"}, "revocations_total": {"kind"},
		"revocation_pending_seconds": nil, "streams": {"kind"}, "provider_up": {"provider"},
		"vexa_admin_up": nil, "store_up": nil, "behind_seconds": {"work"},
		"rules_generation": nil, "rules_reload_failed_total": nil,
	} {
		found := regexp.MustCompile(`(?m)^vexa_sso_` + name + `(?:\{(.*)\})? `).FindStringSubmatch(text)
		if found == nil {
			t.Errorf("there is no vexa_sso_%s", name)
			continue
		}
		var have []string
		for _, pair := range regexp.MustCompile(`(\w+)="`).FindAllStringSubmatch(found[1], -1) {
			have = append(have, pair[1])
		}
		slices.Sort(have)
		slices.Sort(labels)
		if !slices.Equal(have, labels) {
			t.Errorf("vexa_sso_%s has the labels %v, want %v", name, have, labels)
		}
	}
	for name, want := range map[string]float64{
		`vexa_sso_requests_total{code="200",credential="session",route="/meetings"}`: 1,
		`vexa_sso_sign_ins_total{provider="okta",result="success"}`:                  1,
		`vexa_sso_mints_total{result="done"}`:                                        1,
		`vexa_sso_store_up`:                                                          1,
		`vexa_sso_provider_up{provider="okta"}`:                                      1,
		`vexa_sso_vexa_admin_up`:                                                     1,
		`vexa_sso_rules_generation`:                                                  1,
		`vexa_sso_revocation_pending_seconds`:                                        0,
		`vexa_sso_behind_seconds{work="renewal"}`:                                    0,
	} {
		if got := r.metric(name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	r.waitFor("streams to have ended", func() bool {
		return r.metric(`vexa_sso_streams{kind="websocket"}`)+r.metric(`vexa_sso_streams{kind="events"}`) == 0
	})
	for _, path := range []string{"/metrics", "/sso/metrics"} {
		if res := r.browser().get(path); res.status == http.StatusOK ||
			strings.Contains(res.body, "vexa_sso_") {
			t.Errorf("a stranger reads %s: %v", path, res)
		}
	}
	for _, path := range []string{"/sso/whoami", "/meetings", "/"} {
		if res := r.operator(path); res.status != http.StatusNotFound {
			t.Errorf("the operators' listener has %s: %v", path, res)
		}
	}
}
