package authserver

import (
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/zitadel/oidc/v3/pkg/oidc"
)

const (
	maxForm      = 16 << 10 // bytes of a form
	maxParameter = 2048     // bytes of one value
	maxResources = 8        // resource parameters (RFC 8707) of one request
)

// parameters are those of one request, each there at most once: "Request and response parameters MUST NOT be
// included more than once" (RFC 6749 section 3.1), because two readers could read two different ones. Only
// resource may be repeated (RFC 8707).
type parameters url.Values

func (p parameters) get(name string) string { return url.Values(p).Get(name) }

// check returns the error of repeated, too long or malformed parameters, or nil.
func (p parameters) check() error {
	for name, values := range p {
		if len(values) > 1 && (name != "resource" || len(values) > maxResources) {
			return invalid("a parameter is there more than once: %s", name)
		}
		for _, value := range values {
			if !isPlain(value) {
				return invalid("a parameter is too long, or has characters that it may not have: %s", name)
			}
		}
	}
	return nil
}

// isPlain reports whether a value is one line of UTF-8 and not too long.
func isPlain(value string) bool {
	isControl := func(r rune) bool { return r < 0x20 || r == 0x7f }
	return len(value) <= maxParameter && utf8.ValidString(value) && !strings.ContainsFunc(value, isControl)
}

// readForm parses the form that a program posts. Parameters in the address are refused, as addresses are
// logged on their way; cookies and an Authorization header are not looked at, as the clients have no secrets.
func readForm(w http.ResponseWriter, r *http.Request) (parameters, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil ||
		kind != "application/x-www-form-urlencoded" {
		return nil, invalid("send the parameters as application/x-www-form-urlencoded")
	}
	if r.URL.RawQuery != "" {
		return nil, invalid("send the parameters in the body, not in the address")
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return nil, invalid("the form cannot be read")
	}
	p := parameters(r.PostForm)
	return p, p.check()
}

// scopesOf parses a scope parameter (RFC 6749 section 3.3). Empty is nil: no certain scopes are asked for.
func scopesOf(scope string, known []string) ([]string, error) {
	var asked []string
	for name := range strings.SplitSeq(scope, " ") {
		switch {
		case name == "":
		case !slices.Contains(known, name):
			return nil, &oidc.Error{
				ErrorType:   oidc.InvalidScope,
				Description: "there are only these scopes: " + strings.Join(known, " "),
			}
		case !slices.Contains(asked, name):
			asked = append(asked, name)
		}
	}
	return asked, nil
}

// checkResources refuses a resource that is not ours (RFC 8707): every token of ours is good for all of Vexa
// behind this bridge, so a client that names the bridge, or something below it, gets what it expects.
func (p parameters) checkResources(public *url.URL) error {
	for _, resource := range p["resource"] {
		if !isBelow(resource, public) {
			return &oidc.Error{ErrorType: oidc.InvalidTarget, Description: "tokens of this server are for " +
				public.String() + " alone"}
		}
	}
	return nil
}

// isBelow reports whether an absolute URI names public or something below it.
func isBelow(resource string, public *url.URL) bool {
	u, err := url.Parse(resource)
	if err != nil || u.User != nil || u.Opaque != "" || strings.Contains(resource, "#") ||
		strings.ContainsAny(resource, `\`) {
		return false
	}
	if !strings.EqualFold(u.Scheme, public.Scheme) || !strings.EqualFold(hostOf(u), hostOf(public)) {
		return false
	}
	for segment := range strings.SplitSeq(u.Path, "/") {
		if segment == "." || segment == ".." {
			return false
		}
	}
	base := strings.TrimSuffix(public.Path, "/")
	return u.Path == base || strings.HasPrefix(u.Path, base+"/")
}

// hostOf returns host and port, with the scheme's default port where there is none.
func hostOf(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[strings.ToLower(u.Scheme)]
	}
	return u.Hostname() + ":" + port
}

func invalid(format string, args ...any) *oidc.Error {
	return &oidc.Error{ErrorType: oidc.InvalidRequest, Description: fmt.Sprintf(format, args...)}
}
