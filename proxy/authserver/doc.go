// Package authserver lets programs act for people: an OAuth 2.1 authorization server for public clients.
package authserver
