package oidctest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/html"
)

// Browser signs people in at a double over HTTP, as a browser without scripts would: it keeps cookies,
// presses buttons and stops where the provider sends it to somebody else's URL. One Browser is one person's;
// it is not safe for concurrent use.
type Browser struct {
	client *http.Client
	base   string
}

// NewBrowser is a browser without any cookies, at this double.
func (d *Double) NewBrowser() *Browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic("oidctest: " + err.Error()) // documented never to happen
	}
	transport := &http.Transport{}
	if d.caPEM != nil {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(d.caPEM)
		transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	}
	return &Browser{base: d.BaseURL(), client: &http.Client{
		Jar:           jar,
		Transport:     transport,
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Callback is where a provider sends the browser at the end of a sign-in.
type Callback struct {
	URL    string     // the redirect URI with the parameters of query and fragment mode
	Form   url.Values // the fields to post to URL, in form_post mode; nil otherwise
	Params url.Values // the parameters in whichever mode: code, state, iss, session_state, error …
}

// A PageError is a page on which a sign-in ended at the provider, without coming back to the client.
type PageError struct {
	Status int
	Text   string // what the page says
}

func (e *PageError) Error() string {
	return fmt.Sprintf("the provider showed a page with status %d: %s", e.Status, e.Text)
}

// SignIn opens an authorization URL, presses the button of a person (by id, login or email) if a page asks
// who it is, and returns where the provider sends the browser then.
func (d *Double) SignIn(ctx context.Context, authorizationURL, who string) (*Callback, error) {
	b := d.NewBrowser()
	defer b.client.CloseIdleConnections()
	return b.SignIn(ctx, authorizationURL, who)
}

// SignIn is Double.SignIn with the cookies that this browser has from before.
func (b *Browser) SignIn(ctx context.Context, authorizationURL, who string) (*Callback, error) {
	return b.walk(ctx, authorizationURL, pressPerson(who))
}

// Refuse opens an authorization URL and presses the button that refuses.
func (b *Browser) Refuse(ctx context.Context, authorizationURL string) (*Callback, error) {
	return b.walk(ctx, authorizationURL, pressRefuse)
}

// Open opens a URL of the provider without pressing anything: for prompt=none, or a
// sign-out. A page is a *PageError.
func (b *Browser) Open(ctx context.Context, location string) (*Callback, error) {
	return b.walk(ctx, location, nil)
}

// Activate approves a device at the verification URI, with the user code that it shows.
func (b *Browser) Activate(ctx context.Context, verificationURI, userCode, who string) error {
	return b.answerDevice(ctx, verificationURI, userCode, pressPerson(who))
}

// Decline refuses a device.
func (b *Browser) Decline(ctx context.Context, verificationURI, userCode string) error {
	return b.answerDevice(ctx, verificationURI, userCode, pressRefuse)
}

func (b *Browser) answerDevice(ctx context.Context, verificationURI, userCode string, press button) error {
	response, err := b.do(ctx, http.MethodPost, verificationURI, url.Values{"user_code": {userCode}})
	if err != nil {
		return err
	}
	_, err = b.follow(ctx, response, verificationURI, press)
	var said *PageError
	if errors.As(err, &said) && said.Status == http.StatusOK {
		return nil
	}
	return err
}

// Frames opens a sign-out URL and lists what its page loads, or posts to, in invisible frames.
func (b *Browser) Frames(ctx context.Context, location string) ([]string, error) {
	response, err := b.do(ctx, http.MethodGet, location, nil)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxForm))
	if err != nil {
		return nil, fmt.Errorf("reading the page at %s: %w", location, err)
	}
	return parsePage(string(body)).frames, nil
}

// button is what a person does on a sign-in page: the field that the button they press sends.
type button func(*htmlForm) url.Values

// pressPerson presses a person's button. Somebody whom the page does not offer is sent all the same: the page
// of a real provider has a field to type in, and says what it thinks of the answer.
func pressPerson(who string) button {
	return func(form *htmlForm) url.Values {
		for _, button := range form.buttons {
			if button.name == "person" && button.matches(who) {
				return url.Values{"person": {button.value}}
			}
		}
		return url.Values{"person": {who}}
	}
}

func pressRefuse(*htmlForm) url.Values { return url.Values{"refuse": {"1"}} }

func (b *Browser) walk(ctx context.Context, location string, press button) (*Callback, error) {
	response, err := b.do(ctx, http.MethodGet, location, nil)
	if err != nil {
		return nil, err
	}
	return b.follow(ctx, response, location, press)
}

// maxSteps bounds the redirects and pages of one sign-in.
const maxSteps = 10

func (b *Browser) follow(
	ctx context.Context, response *http.Response, at string, press button,
) (*Callback, error) {
	for range maxSteps {
		body, err := io.ReadAll(io.LimitReader(response.Body, maxForm))
		response.Body.Close()
		if err != nil {
			return nil, fmt.Errorf("reading the page at %s: %w", at, err)
		}
		if location := response.Header.Get("Location"); location != "" {
			if !strings.HasPrefix(location, b.base+"/") {
				return callback(location)
			}
			at = location
			if response, err = b.do(ctx, http.MethodGet, at, nil); err != nil {
				return nil, err
			}
			continue
		}
		form := parsePage(string(body))
		if form.action != "" && !strings.HasPrefix(form.action, b.base+"/") {
			return &Callback{URL: form.action, Form: form.hidden, Params: form.hidden}, nil
		}
		if press == nil || form.hidden.Get("request") == "" {
			return nil, &PageError{Status: response.StatusCode, Text: form.text}
		}
		pressed := press(form)
		pressed.Set("request", form.hidden.Get("request"))
		at = form.action
		if response, err = b.do(ctx, http.MethodPost, at, pressed); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("the provider led in circles, last to %s", at)
}

func (b *Browser) do(ctx context.Context, method, location string, form url.Values) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, location, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, fmt.Errorf("making a request to the provider: %w", err)
	}
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := b.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("asking the provider: %w", err)
	}
	return response, nil
}

func callback(location string) (*Callback, error) {
	u, err := url.Parse(location)
	if err != nil {
		return nil, fmt.Errorf("reading where the provider leads: %w", err)
	}
	params := u.Query()
	if fragment, err := url.ParseQuery(u.Fragment); err == nil && u.Fragment != "" {
		params = fragment
	}
	return &Callback{URL: location, Params: params}, nil
}

// htmlForm is what the walk needs of a page: its form, and what it says.
type htmlForm struct {
	action  string
	hidden  url.Values
	buttons []htmlButton
	frames  []string
	text    string
}

type htmlButton struct{ name, value, label string }

// matches compares with the person's id, which is the button's value, and the login in its label.
func (b htmlButton) matches(who string) bool {
	return b.value == who || slices.ContainsFunc(strings.Fields(b.label), func(word string) bool {
		return strings.EqualFold(word, who)
	})
}

func parsePage(document string) *htmlForm {
	form := &htmlForm{hidden: url.Values{}}
	root, err := html.Parse(strings.NewReader(document))
	if err != nil {
		return form
	}
	var said []string
	for n := range root.Descendants() {
		switch {
		case n.Type == html.TextNode && n.Parent.Data != "style" && n.Parent.Data != "script" &&
			n.Parent.Data != "title":
			if text := strings.TrimSpace(n.Data); text != "" {
				said = append(said, text)
			}
		case n.Data == "form" && attribute(n, "class") == "tell":
			form.frames = append(form.frames, attribute(n, "action"))
		case n.Data == "form":
			form.action = attribute(n, "action")
		case n.Data == "iframe" && attribute(n, "src") != "":
			form.frames = append(form.frames, attribute(n, "src"))
		case n.Data == "input" && attribute(n, "type") == "hidden":
			form.hidden.Add(attribute(n, "name"), attribute(n, "value"))
		case n.Data == "button":
			form.buttons = append(form.buttons,
				htmlButton{attribute(n, "name"), attribute(n, "value"), textOf(n)})
		}
	}
	form.text = strings.Join(said, " ")
	return form
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func textOf(n *html.Node) string {
	var text strings.Builder
	for child := range n.Descendants() {
		if child.Type == html.TextNode {
			text.WriteString(child.Data + " ")
		}
	}
	return text.String()
}
