package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"
	"regexp"
	"time"
)

// AssetsPath is the path to register Pages.Assets at.
const AssetsPath = "/sso/assets/"

//go:embed assets/style.css assets/icon.svg
var assetFiles embed.FS

var (
	stylesheet = loadAsset("assets/style.css", "text/css; charset=utf-8")
	icon       = loadAsset("assets/icon.svg", "image/svg+xml")
)

// asset is one file that pages refer to by the hash of its content, so that it can be cached for ever
// (immutable).
type asset struct {
	path        string
	contentType string
	content     []byte
}

func loadAsset(file, contentType string) asset {
	content, err := assetFiles.ReadFile(file)
	if err != nil {
		panic(err) // the file is embedded: it was there when we were built
	}
	hash := sha256.Sum256(content)
	return asset{AssetsPath + hex.EncodeToString(hash[:8]) + path.Ext(file), contentType, content}
}

var assetPath = regexp.MustCompile(`^` + AssetsPath + `[0-9a-f]{16}\.(?:css|svg)$`)

// Assets returns the handler of the stylesheet and the icon, for AssetsPath, open to anybody. While a
// deployment is being replaced, a page from a newer or older replica may ask for its own edition: it gets
// this one, uncached, rather than none.
func (p *Pages) Assets() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "Method not allowed", http.StatusMethodNotAllowed)
			return
		}
		if !assetPath.MatchString(r.URL.Path) {
			http.NotFound(w, r)
			return
		}
		wanted := stylesheet
		if path.Ext(r.URL.Path) == ".svg" {
			wanted = icon
		}
		serveAsset(w, r, wanted)
	})
}

func serveAsset(w http.ResponseWriter, r *http.Request, a asset) {
	h := w.Header()
	h.Set("Content-Type", a.contentType)
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	if r.URL.Path == a.path {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.content))
}
