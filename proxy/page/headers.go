package page

import (
	"net/http"
	"strings"
)

// setHeaders sets the security headers of a page.
func setHeaders(h http.Header, s sheet) {
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", contentSecurityPolicy(s.origins))
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", permissionsPolicy)
	h.Set("Referrer-Policy", referrerPolicy(s.posts))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Robots-Tag", "noindex")
}

const permissionsPolicy = "accelerometer=(), autoplay=(), camera=(), display-capture=(), geolocation=(), " +
	"gyroscope=(), " + "magnetometer=(), microphone=(), midi=(), payment=(), usb=()"

// contentSecurityPolicy allows our stylesheet, our icon and our forms. No script is allowed, ours neither;
// who tries a request in the browser's console may send it to our own origin. Browsers apply form-action to
// every redirect that follows a submission too, so the forms' origins are where those redirects lead; one
// that is not a plain origin is left out.
func contentSecurityPolicy(formOrigins []string) string {
	targets := []string{"'self'"}
	for _, given := range formOrigins {
		if o, ok := plainOrigin(given); ok {
			targets = append(targets, o)
		}
	}
	return "default-src 'none'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action " +
		strings.Join(targets, " ") +
		"; frame-ancestors 'none'; base-uri 'none'"
}

// referrerPolicy keeps the addresses of our pages, which may carry a sign-in's code, out of every Referer. A
// page that posts tells our own origin: under no-referrer its form would carry "Origin: null", and be refused
// as cross-site (S7) by a browser that sends no Sec-Fetch-Site.
func referrerPolicy(posts bool) string {
	if posts {
		return "same-origin"
	}
	return "no-referrer"
}
