package rule

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/types"
)

// Numbers that people are told apart by (of employees, of cost centres) are compared by all their digits. A
// float64 has 53 bits of them, and makes one of two neighbours above 2^53.

// maxExponent bounds how long the digits of a number may get, which a stranger writes with an exponent.
const maxExponent = 400

// plainNumber returns the digits of a JSON number without exponent, sign of zero and zeros that say nothing,
// so that two spellings of a number are one text: 1e3 and 1000.0 are 1000. ok is false for what is not a
// number, or too long to write down.
func plainNumber(number json.Number) (text string, ok bool) {
	mantissa, exponent, hasExponent := strings.Cut(strings.ToLower(number.String()), "e")
	shift := 0
	if hasExponent {
		var err error
		if shift, err = strconv.Atoi(exponent); err != nil || shift < -maxExponent || shift > maxExponent {
			return "", false
		}
	}
	digits, negative := strings.CutPrefix(mantissa, "-")
	whole, fraction, _ := strings.Cut(digits, ".")
	if whole == "" || len(digits) > maxExponent || strings.Trim(whole+fraction, "0123456789") != "" {
		return "", false
	}
	point := len(whole) + shift // where it stands in all the digits
	digits = whole + fraction
	if point < 0 {
		digits, point = strings.Repeat("0", -point)+digits, 0
	}
	if missing := point - len(digits); missing > 0 {
		digits += strings.Repeat("0", missing)
	}
	text = strings.TrimLeft(digits[:point], "0")
	if text == "" {
		text = "0"
	}
	if rest := strings.TrimRight(digits[point:], "0"); rest != "" {
		text += "." + rest
	}
	if negative && text != "0" {
		text = "-" + text
	}
	return text, true
}

// visibleValue returns a claim as expressions see it: whole numbers are int or uint, others double, and a
// claim with a number that neither holds to the last digit is an error to whoever reads it, so that nothing
// is granted by it, and what would be denied by it is.
func visibleValue(claim any) any {
	value, err := exactValue(claim)
	if err != nil {
		return types.WrapErr(err)
	}
	return value
}

var errInexact = errors.New("the claim has a number that expressions cannot compare to its last digit: " +
	"ask for it in match.claims, as a text")

func exactValue(claim any) (any, error) {
	switch v := claim.(type) {
	case json.Number:
		return exactNumber(v)
	case float64:
		return exactNumber(json.Number(strconv.FormatFloat(v, 'f', -1, 64)))
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			var err error
			if list[i], err = exactValue(item); err != nil {
				return nil, err
			}
		}
		return list, nil
	case map[string]any:
		object := make(map[string]any, len(v))
		for name, member := range v {
			var err error
			if object[name], err = exactValue(member); err != nil {
				return nil, err
			}
		}
		return object, nil
	}
	return claim, nil
}

func exactNumber(number json.Number) (any, error) {
	text, ok := plainNumber(number)
	if !ok {
		return nil, errInexact
	}
	if whole, err := strconv.ParseInt(text, 10, 64); err == nil {
		return whole, nil
	}
	if whole, err := strconv.ParseUint(text, 10, 64); err == nil {
		return whole, nil
	}
	value, err := strconv.ParseFloat(text, 64)
	again, _ := plainNumber(json.Number(strconv.FormatFloat(value, 'f', -1, 64)))
	if err != nil || again != text || math.Abs(value) >= exactWhole {
		return nil, errInexact
	}
	return value, nil
}

// exactWhole is 2^53: from there on a double is not every whole number.
const exactWhole = 1 << 53
