package page

import (
	"fmt"
	"time"
)

// moment is a time as a page shows it: we do not know the reader's time zone, so it is in UTC, with the
// distance from now.
type moment struct {
	Machine string // RFC 3339, for the datetime attribute
	Text    string // 23 November 2026, 04:03 UTC
	Away    string // in 7 h 20 min
}

func momentOf(t, now time.Time) moment {
	t = t.UTC()
	return moment{
		Machine: t.Format(time.RFC3339), Text: t.Format("2 January 2006, 15:04") + " UTC",
		Away: away(t.Sub(now)),
	}
}

func away(d time.Duration) string {
	switch {
	case d >= time.Minute:
		return "in " + span(d)
	case d > 0:
		return "in less than a minute"
	case d > -time.Minute:
		return "just now"
	default:
		return span(-d) + " ago"
	}
}

// span writes a duration of a minute or more, in two units at most.
func span(d time.Duration) string {
	hours, minutes := int(d.Hours()), int(d.Minutes())%60
	switch {
	case hours >= 48:
		return fmt.Sprintf("%d days", (hours+12)/24) // what began as 7 days is not 6 a minute later
	case hours >= 24, hours > 0 && minutes == 0:
		return fmt.Sprintf("%d h", hours)
	case hours > 0:
		return fmt.Sprintf("%d h %d min", hours, minutes)
	default:
		return fmt.Sprintf("%d min", minutes)
	}
}

// wholeSpan writes a duration in the largest unit that divides it: one that somebody chose.
func wholeSpan(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d == day, d == time.Hour:
		return map[time.Duration]string{day: "1 day", time.Hour: "1 hour"}[d]
	case d%day == 0:
		return fmt.Sprintf("%d days", d/day)
	case d%time.Hour == 0:
		return fmt.Sprintf("%d hours", d/time.Hour)
	default:
		return span(d)
	}
}
