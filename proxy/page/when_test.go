package page

import (
	"testing"
	"time"
)

func TestAway(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-72 * time.Hour:              "3 days ago",
		-26*time.Hour - time.Minute:  "26 h ago",
		-130 * time.Minute:           "2 h 10 min ago",
		-time.Hour:                   "1 h ago",
		-time.Minute:                 "1 min ago",
		-59 * time.Second:            "just now",
		0:                            "just now",
		time.Second:                  "in less than a minute",
		time.Minute:                  "in 1 min",
		24 * time.Hour:               "in 24 h",
		49 * time.Hour:               "in 2 days",
		7*24*time.Hour - time.Minute: "in 7 days",
	} {
		if got := away(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}

func TestMomentIsUTC(t *testing.T) {
	t.Parallel()
	tokyo := time.FixedZone("JST", 9*60*60)
	m := momentOf(testNow.In(tokyo), testNow)
	if m.Machine != "2026-11-23T11:24:00Z" || m.Text != "23 November 2026, 11:24 UTC" {
		t.Errorf("%+v", m)
	}
}

func TestWholeSpan(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		24 * time.Hour: "1 day", 90 * 24 * time.Hour: "90 days", time.Hour: "1 hour",
		36 * time.Hour: "36 hours", 90 * time.Minute: "1 h 30 min",
	} {
		if got := wholeSpan(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}
