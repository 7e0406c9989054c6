package proxytest

import "vexa-sso/oidc/oidctest"

// LogBook is the log book of every test.
type LogBook = oidctest.LogBook
