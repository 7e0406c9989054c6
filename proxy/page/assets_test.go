package page

import (
	"math"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestAssets(t *testing.T) {
	t.Parallel()
	const forever = "public, max-age=31536000, immutable"
	for _, c := range []struct {
		method, path       string
		status             int
		contentType, cache string
	}{
		{"GET", stylesheet.path, 200, "text/css; charset=utf-8", forever},
		{"HEAD", stylesheet.path, 200, "text/css; charset=utf-8", forever},
		{"GET", icon.path, 200, "image/svg+xml", forever},
		// another edition's name
		{"GET", AssetsPath + "0123456789abcdef.css", 200, "text/css; charset=utf-8", "no-store"},
		{"GET", AssetsPath + "0123456789abcdef.js", 404, "", ""},
		{"GET", AssetsPath + "../0123456789abcdef.css", 404, "", ""},
		{"GET", AssetsPath, 404, "", ""},
		{"POST", stylesheet.path, 405, "", ""},
	} {
		w := httptest.NewRecorder()
		testPages().Assets().ServeHTTP(w, httptest.NewRequest(c.method, c.path, nil))
		if w.Code != c.status {
			t.Errorf("%s %s: status %d, want %d", c.method, c.path, w.Code, c.status)
		}
		if c.status == 200 &&
			(w.Header().Get("Content-Type") != c.contentType || w.Header().Get("Cache-Control") != c.cache ||
				w.Header().Get("X-Content-Type-Options") != "nosniff") {
			t.Errorf("%s %s: %v", c.method, c.path, w.Header())
		}
		if wantBody := c.status == 200 &&
			c.method == http.MethodGet; wantBody != (w.Code == 200 && w.Body.Len() > 0) {
			t.Errorf("%s %s: %d bytes", c.method, c.path, w.Body.Len())
		}
	}
}

func TestPagesReferToOurAssetsOnly(t *testing.T) {
	t.Parallel()
	for name, h := range everyPage("words", "/") {
		var links []string
		for _, n := range elements(t, get(t, h).Body.String()) {
			if n.Data == "link" {
				links = append(links, attr(n, "href"))
			}
		}
		if len(links) != 2 || links[0] != icon.path || links[1] != stylesheet.path {
			t.Errorf("%s: links %q", name, links)
		}
	}
	for _, a := range []asset{stylesheet, icon} {
		if regexp.MustCompile(`url\(|@import|@font-face|<script|<style`).Match(a.content) {
			t.Errorf("%s reaches out", a.path)
		}
	}
}

// TestContrast holds the palette to WCAG 2.2 AA: 4.5 for text, 3 for the outlines of what can be used.
func TestContrast(t *testing.T) {
	t.Parallel()
	light, dark := palettes(t)
	for scheme, color := range map[string]map[string]string{"light": light, "dark": dark} {
		for _, c := range []struct {
			front, back string
			least       float64
		}{
			{"ink", "paper", 4.5},
			{"ink", "card", 4.5},
			{"ink", "hover", 4.5},
			{"soft", "paper", 4.5},
			{"soft", "card", 4.5},
			{"soft", "hover", 4.5},
			{"accent", "card", 4.5},
			{"accent", "accent-wash", 4.5},
			{"on-accent", "accent", 4.5},
			{"on-accent", "accent-hover", 4.5},
			{"bad", "card", 4.5},
			{"bad", "bad-wash", 4.5},
			{"warn", "warn-wash", 4.5},
			{"warn", "card", 4.5},
			{"ink", "accent-wash", 4.5},
			{"ink", "warn-wash", 4.5},
			{"ink", "bad-wash", 4.5},
			{"edge", "card", 3},
			{"accent", "paper", 3},
		} {
			if got := contrast(t, color[c.front], color[c.back]); got < c.least {
				t.Errorf("%s: %s on %s has %.2f, want %.1f", scheme, c.front, c.back, got, c.least)
			}
		}
	}
}

func palettes(t *testing.T) (light, dark map[string]string) {
	t.Helper()
	before, after, found := strings.Cut(string(stylesheet.content), "@media (prefers-color-scheme: dark)")
	if !found {
		t.Fatal("there is no dark palette")
	}
	return palette(before), palette(after)
}

func palette(css string) map[string]string {
	colors := map[string]string{}
	for _, m := range regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6});`).FindAllStringSubmatch(css, -1) {
		colors[m[1]] = m[2]
	}
	return colors
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	rgb, err := strconv.ParseUint(hex, 16, 32)
	if err != nil {
		t.Fatalf("color %q: %v", hex, err)
	}
	channel := func(shift int) float64 {
		c := float64(rgb>>shift&0xff) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*channel(16) + 0.7152*channel(8) + 0.0722*channel(0)
}
