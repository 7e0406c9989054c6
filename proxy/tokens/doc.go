// Package tokens is the page where people see, make and end what acts for them without a browser, and the
// same as JSON. Making a token (make.go) takes a person's sign-in of less than five minutes ago; ending one
// (pages.go) takes no more than being signed in.
package tokens
