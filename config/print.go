package config

import (
	"encoding"
	"fmt"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

// redacted is shown in the place of a secret.
const redacted = "[redacted]"

// YAML returns the configuration in effect as a document: what was given, what variables changed and what
// defaults filled, rules of a rules_file among it. Secrets are redacted: every value whose field is tagged
// secret, and the password of any URL. Zero values of providers and rules are left out.
func (c *Config) YAML() ([]byte, error) {
	effective := *c
	effective.RulesFile = "" // its rules are in the document
	document, err := present(reflect.ValueOf(effective), false, true)
	if err != nil {
		return nil, fmt.Errorf("presenting the configuration: %w", err)
	}
	text, err := yaml.MarshalWithOptions(document, yaml.IndentSequence(true))
	if err != nil {
		return nil, fmt.Errorf("writing the configuration: %w", err)
	}
	return text, nil
}

// present returns a value as YAML is to show it. complete includes zero values.
func present(v reflect.Value, secret, complete bool) (any, error) {
	if v.Type() != durationType && v.Type().Implements(writesText) {
		text, err := v.Interface().(encoding.TextMarshaler).MarshalText()
		return string(text), err
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil, nil
		}
		return present(v.Elem(), secret, complete)
	case reflect.Struct:
		return presentStruct(v, complete)
	case reflect.Slice:
		list := []any{}
		for i := range v.Len() {
			item, err := present(v.Index(i), secret, false)
			if err != nil {
				return nil, err
			}
			list = append(list, item)
		}
		return list, nil
	case reflect.Map:
		return v.Interface(), nil
	case reflect.String:
		return presentText(v.String(), secret), nil
	}
	switch x := v.Interface().(type) {
	case time.Duration:
		return short(x), nil
	case float64:
		if whole := int64(x); float64(whole) == x {
			return whole, nil // 2, not 2.0
		}
	}
	return v.Interface(), nil
}

func presentStruct(v reflect.Value, complete bool) (any, error) {
	keys := yaml.MapSlice{}
	for _, f := range fields(v.Type()) {
		value := v.FieldByIndex(f.index)
		if value.IsZero() && !complete {
			continue
		}
		shown, err := present(value, f.secret, complete)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		keys = append(keys, yaml.MapItem{Key: f.name, Value: shown})
	}
	return keys, nil
}

// presentText returns a text with secrets redacted.
func presentText(text string, secret bool) string {
	switch {
	case secret && text != "" && !isStore.MatchString(text):
		return redacted
	case isURL.MatchString(text):
		return withoutPassword(text)
	}
	return text
}

var (
	isStore = regexp.MustCompile(`^(sqlite:|postgres(ql)?://)`) // tagged secret because of its password alone
	isURL   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://`)

	// secretParameter is a parameter of a URL that holds a secret, with its value: libpq's
	// password and sslpassword, mostly.
	secretParameter = regexp.MustCompile(`(?i)([?&][^=&]*(?:password|secret|token)[^=&]*=)[^&#]*`)
)

// withoutPassword redacts the password of a URL, in its userinfo or as a parameter. It works on the text, so
// that nothing is spelled anew; what cannot be parsed is redacted as a whole.
func withoutPassword(text string) string {
	if _, err := url.Parse(text); err != nil {
		return redacted
	}
	scheme, rest, _ := strings.Cut(text, "://")
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, rest := rest[:end], rest[end:]
	if strings.Contains(rest, "@") {
		return redacted // a password with a character that ends the authority
	}
	if at := strings.LastIndex(authority, "@"); at >= 0 {
		user, _, has := strings.Cut(authority[:at], ":")
		if has {
			authority = user + ":" + redacted + authority[at:]
		}
	}
	return scheme + "://" + authority + secretParameter.ReplaceAllString(rest, "${1}"+redacted)
}

// short writes a duration without zero units: 24h, not 24h0m0s.
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
