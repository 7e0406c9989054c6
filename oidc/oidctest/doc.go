// Package oidctest is made of identity providers that answer as the real ones do.
package oidctest
