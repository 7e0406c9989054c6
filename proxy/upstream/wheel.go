package upstream

import "time"

// lookEvery is how many seconds a stream is not looked at, at most: last-seen times are to the minute. Those
// that begin at the same moment, as after a restart, are spread over half of that.
const lookEvery = 60

// wheel has what is under way by the second in which it is to be looked at next, so that a look costs what is
// due, and not what is under way. Its lists are in the streams: a request costs no allocation here.
type wheel struct {
	lists  [lookEvery + 1]*stream
	at     int64 // the second of the last look, in Unix time
	spread int64
}

// spoke is a stream's place in a list of the wheel.
type spoke struct {
	due        int64 // Unix seconds
	prev, next *stream
}

// put has a stream looked at when its caller expires or is due for another look, within a minute in any case;
// in the next second where that is past.
func (w *wheel) put(st *stream) {
	w.spread++
	due := w.at + lookEvery - w.spread%(lookEvery/2)
	for _, at := range []time.Time{st.caller.Expires, st.caller.Until} {
		if !at.IsZero() {
			due = min(due, at.Unix())
		}
	}
	st.look = spoke{due: max(due, w.at+1)}
	list := w.list(st.look.due)
	if st.look.next = *list; *list != nil {
		(*list).look.prev = st
	}
	*list = st
}

func (w *wheel) list(second int64) **stream { return &w.lists[second%int64(len(w.lists))] }

func (w *wheel) remove(st *stream) {
	at := st.look
	if at.prev != nil {
		at.prev.look.next = at.next
	} else if list := w.list(at.due); *list == st {
		*list = at.next
	}
	if at.next != nil {
		at.next.look.prev = at.prev
	}
	st.look = spoke{}
}

// turn calls look with every stream that has become due, and has it looked at again.
func (w *wheel) turn(now time.Time, look func(*stream)) {
	from, to := w.at+1, now.Unix()
	if most := int64(len(w.lists)); to < w.at || to-w.at > most { // a new clock, or one that was set
		from, to = 0, most-1
	}
	w.at = now.Unix()
	var due *stream // all of them, before the first is put back
	for second := from; second <= to; second++ {
		for list := w.list(second); *list != nil; {
			st := *list
			w.remove(st)
			st.look.next, due = due, st
		}
	}
	for due != nil {
		st := due
		due = st.look.next
		look(st)
		w.put(st)
	}
}
