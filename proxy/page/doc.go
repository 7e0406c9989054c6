// Package page shows people what the proxy has to say to them: where to sign in, who they are and what they
// may do, which tokens and tools act for them, whether another one may, that they are signed out, and why
// something was refused or failed.
//
// Pages has one method per page. Each takes plain view data, renders it on the server and writes status,
// headers and body; whoever calls it has nothing left to do:
//
//	pages := page.New(page.Config{Site: "vexa.acme.example"})
//	mux.Handle("GET "+page.AssetsPath, pages.Assets())
//	…
//	pages.Problem(w, r, page.Problem{
//		Status:   http.StatusForbidden,
//		Title:    "You may not use Vexa",
//		Sentence: "A rule of your organisation refuses this account.",
//		Reason:   decision.Reason, // an admin's own words
//		Actions:  []page.Link{{Label: "Use another account", Href: "/sso/login?prompt=select_account"}},
//		Code:     decision.Code,
//		TraceID:  traceID,
//	})
//
// What holds for every page:
//
//   - No secret, but for the value of a new token, which NewToken shows once.
//   - No script, no inline style, nothing from another host. The content security policy allows our one
//     stylesheet and our own forms, and would stop anything else that ever got into a page.
//   - Every value is text. html/template escapes it, and a link that is neither a path of ours nor an https
//     URL is left out (links.go).
//   - Nothing is kept by a cache and nothing can be framed. No page tells another site where it was.
//   - It works by keyboard, with a screen reader, in the light and in the dark, and on a phone.
//
// A form submission that ends at another site after redirects is stopped by browsers unless every site on the
// way is named in the page's policy. Home and Choose take those origins as FormActionOrigins. Where the way
// cannot be known, because a provider sends people on to a provider of its own, answer the form with
// Continue: it is a new start, which no form-action limits.
//
// The templates are in templates, the stylesheet and the icon in assets.
package page
