// Package jsonrpc reads JSON-RPC 2.0 as one strict parser, so that what is decided about a message is what
// whoever reads it next finds in it (S14).
//
// [Parse] takes one message or a batch: JSON in UTF-8 without a byte order mark, no member twice at any
// level, nothing after the value, no member that JSON-RPC does not have, the names compared by case, bounded
// in depth and in number. [Encode] writes what was read, and nothing that was not: in one spelling, with all
// digits of its numbers.
package jsonrpc
