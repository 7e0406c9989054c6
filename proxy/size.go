package proxy

import (
	"fmt"
	"strconv"
	"strings"
)

// Size is a number of bytes, written 512, 64KiB, 1MiB or 1GiB.
type Size int64

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Size) UnmarshalText(text []byte) error {
	digits, unit := string(text), int64(1)
	for suffix, factor := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if rest, ok := strings.CutSuffix(digits, suffix); ok {
			digits, unit = strings.TrimSpace(rest), factor
			break
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > (1<<62)/unit {
		return fmt.Errorf("%q is not a size: write bytes, or a number with KiB, MiB or GiB", text)
	}
	*s = Size(n * unit)
	return nil
}

// MarshalText implements encoding.TextMarshaler. It uses the largest unit that divides the size.
func (s Size) MarshalText() ([]byte, error) {
	for _, u := range []struct {
		factor Size
		suffix string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if s != 0 && s%u.factor == 0 {
			return fmt.Appendf(nil, "%d%s", s/u.factor, u.suffix), nil
		}
	}
	return strconv.AppendInt(nil, int64(s), 10), nil
}
