package proxytest

import "vexa-sso/oidc/oidctest"

// Clock is the clock of every test.
type Clock = oidctest.Clock
