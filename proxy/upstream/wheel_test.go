package upstream

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"vexa-sso/mapping"
	"vexa-sso/proxy/caller"
)

// S5, S12: whatever begins, ends, gets another caller, and however the clock goes: at each sweep that is
// looked at whose caller has expired or is due, nothing goes without a look for more than a minute, and what
// is over is never looked at.
func TestWheelLooksAtWhatIsDue(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w, now := &wheel{}, int64(1_800_000_000)
		looked := map[*stream]int64{} // when what is under way was last looked at, or began
		someday := func(rt *rapid.T, name string) time.Time {
			if rapid.Bool().Draw(rt, name) {
				return time.Time{}
			}
			return time.Unix(now+int64(rapid.IntRange(-100, 300).Draw(rt, name+" in")), 0)
		}
		newCaller := func(rt *rapid.T) *caller.Caller {
			return &caller.Caller{Expires: someday(rt, "expires"), Until: someday(rt, "until")}
		}
		any := func(rt *rapid.T) *stream {
			for st := range looked {
				return st
			}
			rt.Skip("nothing is under way")
			return nil
		}
		w.turn(time.Unix(now, 0), nil)
		rt.Repeat(map[string]func(*rapid.T){
			"begins": func(rt *rapid.T) {
				st := &stream{caller: newCaller(rt)}
				w.put(st)
				looked[st] = now
			},
			"is over": func(rt *rapid.T) {
				st := any(rt)
				w.remove(st)
				delete(looked, st)
			},
			"is somebody else": func(rt *rapid.T) {
				st := any(rt)
				w.remove(st)
				st.caller = newCaller(rt)
				w.put(st)
			},
			"sweep": func(rt *rapid.T) {
				was := now
				steps := []int{0, 1, 1, 1, 2, 7, 59, 60, 61, 62, 1000, -5, -500}
				now += int64(rapid.SampledFrom(steps).Draw(rt, "seconds"))
				seen := map[*stream]bool{}
				w.turn(time.Unix(now, 0), func(st *stream) {
					if _, ok := looked[st]; !ok || seen[st] {
						rt.Fatal("what is over is looked at, or something twice")
					}
					seen[st] = true
				})
				for st, last := range looked {
					due := func(at time.Time) bool { return !at.IsZero() && at.Unix() <= now }
					if !seen[st] && now != was &&
						(due(st.caller.Expires) || due(st.caller.Until) || now-last >= lookEvery) {
						rt.Fatalf("not looked at after %d s: expires %v, until %v, at %d", now-last,
							st.caller.Expires.Unix(), st.caller.Until.Unix(), now)
					}
					if seen[st] || now < was {
						looked[st] = now
					}
				}
			},
			"": func(rt *rapid.T) {
				n := 0
				for _, list := range w.lists {
					for st := list; st != nil; st = st.look.next {
						if st.look.next != nil && st.look.next.look.prev != st {
							rt.Fatal("a list is not in order")
						}
						n++
					}
				}
				if n != len(looked) {
					rt.Fatalf("%d streams are in the lists, %d under way", n, len(looked))
				}
			},
		})
	})
}

// A sweep looks at what is due and not at all that is under way: with 60,000 of them that began in the same
// moment, never more than a tenth.
func TestSweepCostsWhatIsDue(t *testing.T) {
	t.Parallel()
	const underWay = 60_000
	open, now := manyStreams(t, underWay)
	all := 0
	for range 2 * lookEvery {
		now = now.Add(time.Second)
		looks := 0
		open.Sweep(now, func(*caller.Caller, string) { looks++ })
		if looks > underWay/10 {
			t.Fatalf("%d looks in one sweep", looks)
		}
		all += looks
	}
	if all < 2*underWay || all > 5*underWay {
		t.Errorf("%d looks in two minutes", all)
	}
}

// manyStreams returns a register with so many requests under way, each of its own account.
func manyStreams(t testing.TB, many int) (*Streams, time.Time) {
	t.Helper()
	open, now := NewStreams(20), time.Unix(1_800_000_000, 0)
	open.Sweep(now, nil)
	for i := range many {
		st := &stream{
			caller: &caller.Caller{Account: mapping.Account{ID: fmt.Sprint(i)}, Expires: now.Add(time.Hour)},
			kind:   transfer,
		}
		if err := open.add(st); err != nil {
			t.Fatal(err)
		}
	}
	return open, now
}

// BenchmarkSweep measures a second's sweep with 100,000 requests under way.
func BenchmarkSweep(b *testing.B) {
	open, now := manyStreams(b, 100_000)
	for b.Loop() {
		now = now.Add(time.Second)
		open.Sweep(now, func(c *caller.Caller, _ string) { _ = c.Seen() })
	}
}
