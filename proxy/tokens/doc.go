// Package tokens is the page where people see, make and revoke what acts for them without a browser, and the
// same as JSON. Making a token (make.go) requires a sign-in of less than five minutes ago; revoking one
// (pages.go) only being signed in.
package tokens
