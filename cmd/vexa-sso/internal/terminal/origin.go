package terminal

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"vexa-sso/oidc/address"
)

// Origin is the scheme, host and port of a bridge, like https://vexa.acme.example: what a person typed once,
// and the only place that anything secret is sent to afterwards.
type Origin string

// ParseOrigin parses an origin as people type it: without a scheme it is https, and a slash at the end does
// not matter. Plain http is for loopback only, because a token that travels unprotected is everybody's.
func ParseOrigin(text string) (Origin, error) {
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" {
		return "", fmt.Errorf("%q is no address of a server: write it like https://vexa.acme.example", text)
	}
	host, err := address.Domain(u.Hostname())
	if number, bad := netip.ParseAddr(u.Hostname()); bad == nil {
		host, err = number.String(), nil
	}
	if err != nil {
		return "", fmt.Errorf("%q is no name of a server", u.Hostname())
	}
	o := originOf(u.Scheme, host, u.Port())
	switch {
	case u.User != nil:
		return "", errors.New("the address of a server has no user name or password: write it like " +
			"https://vexa.acme.example")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return "", fmt.Errorf("the address of a server has no path: write %s", o)
	case u.Scheme == "http" && !onThisMachine(host):
		return "", fmt.Errorf("plain http would show your tokens to the network: write https://%s", u.Host)
	case u.Scheme != "http" && u.Scheme != "https":
		return "", fmt.Errorf("%s is not how a server is reached: write it like https://vexa.acme.example",
			u.Scheme)
	}
	return o, nil
}

func originOf(scheme, host, port string) Origin {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port != "" && (scheme != "https" || port != "443") && (scheme != "http" || port != "80") {
		host += ":" + port
	}
	return Origin(scheme + "://" + host)
}

func onThisMachine(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// Loopback reports whether the server is on this machine.
func (o Origin) Loopback() bool {
	u, err := url.Parse(string(o))
	return err == nil && onThisMachine(u.Hostname())
}

// Issuer returns the issuer identifier of the authorization server (RFC 8414, section 2).
func (o Origin) Issuer() string { return string(o) + "/sso/oauth" }

// Holds reports whether an absolute URL has this origin, whichever parser reads it.
func (o Origin) Holds(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil || u.User != nil || u.Opaque != "" || strings.ContainsAny(raw, "\\ \t\r\n") {
		return false
	}
	return originOf(strings.ToLower(u.Scheme), strings.ToLower(u.Hostname()), u.Port()) == o
}

// Resolve returns the URL of a path, like /bots/status, or an absolute URL of this origin as it is. Whatever
// could lead elsewhere is an error.
func (o Origin) Resolve(path string) (string, error) {
	if strings.Contains(path, "://") && !strings.HasPrefix(path, "/") {
		if !o.Holds(path) {
			return "", fmt.Errorf("%s is not on %s, and your token is for nobody else", plain(path), o)
		}
		return path, nil
	}
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") {
		return "", fmt.Errorf("%q is no path: write it like /bots/status", path)
	}
	if address := string(o) + path; o.Holds(address) {
		return address, nil
	}
	return "", fmt.Errorf("%q is no path: encode spaces, backslashes and control characters", path)
}

// fileName returns the origin as a file name that every system allows.
func (o Origin) fileName() string {
	return strings.NewReplacer("://", "_", ":", "_", "[", "", "]", "").Replace(string(o))
}
