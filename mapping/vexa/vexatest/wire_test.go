package vexatest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// B1 B3: what a client smuggles in is seen as it was sent.
func TestWireSeesEveryByte(t *testing.T) {
	t.Parallel()
	s := Start(t)
	const text = "POST /bots?a=1&a=%zz HTTP/1.1\r\nhost: x\r\nX_API_Key: one\r\nx-api-KEY:  two \r\nTransfer-Encoding: chunked\r\n" + "Trailer: X-API-Key\r\nConnection: close, X-API-Key\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nX-API-Key: three\r\n\r\n"
	_, status := raw(t, s.GatewayURL, text)
	if status != 401 {
		t.Errorf("%d", status)
	}
	r, err := s.GatewayWire().WaitFor(deadline(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Request{
		Conn: 1, Method: "POST", Target: "/bots?a=1&a=%zz", Proto: "HTTP/1.1", Body: []byte("abcde"),
		Raw: []byte(text), Complete: true,
		Header: []Field{
			{"host", "x", "host: x"},
			{"X_API_Key", "one", "X_API_Key: one"},
			{"x-api-KEY", "two ", "x-api-KEY:  two "},
			{"Transfer-Encoding", "chunked", "Transfer-Encoding: chunked"},
			{"Trailer", "X-API-Key", "Trailer: X-API-Key"},
			{"Connection", "close, X-API-Key", "Connection: close, X-API-Key"},
		},
		Trailer: []Field{{"X-API-Key", "three", "X-API-Key: three"}},
	}
	if diff := cmp.Diff(want, r, cmpopts.IgnoreUnexported(Request{})); diff != "" {
		t.Error(diff)
	}
	if got := r.Get("X-Api-Key"); !cmp.Equal(got, []string{"two "}) {
		t.Errorf("%q", got)
	}
	if s.GatewayWire().Bytes() != int64(len(text)) || !s.GatewayWire().Contains("THREE") ||
		s.AdminWire().Bytes() != 0 {
		t.Errorf("%d bytes", s.GatewayWire().Bytes())
	}
	s.GatewayWire().Forget()
	if len(s.GatewayWire().Requests()) != 0 || s.GatewayWire().Bytes() != 0 {
		t.Error("not forgotten")
	}
}

// A head or body that never ends, and bytes that are no request, are on record all the same.
func TestWireSeesWhatIsNoRequest(t *testing.T) {
	t.Parallel()
	s := Start(t)
	conn, status := raw(t, s.GatewayURL, "HELO mail\r\nmore")
	_ = conn.Close()
	if status != 400 {
		t.Errorf("%d", status)
	}
	all := s.GatewayWire().Requests()
	if len(all) != 1 || !all[0].Malformed || all[0].Complete ||
		!strings.HasPrefix(string(all[0].Raw), "HELO mail\r\n") {
		t.Errorf("%+v", all)
	}
}

func TestWireForgetsTheOldest(t *testing.T) {
	t.Parallel()
	w := newWire()
	c := &wireConn{wire: w}
	body := strings.Repeat("x", maxRequestRecord/2)
	for i := range 2 * maxWireRecord / maxRequestRecord {
		w.received(c,
			fmt.Appendf(nil, "POST /%d HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s", i, len(body), body))
	}
	requests := w.Requests()
	size := 0
	for _, r := range requests {
		size += len(r.Raw) + len(r.Body)
	}
	if size > maxWireRecord || size < maxWireRecord/2 || w.Dropped() == 0 || requests[0].Target == "/0" {
		t.Errorf("%d bytes in %d requests, %d dropped", size, len(requests), w.Dropped())
	}
	w.received(c, fmt.Appendf(nil, "POST /long HTTP/1.1\r\nContent-Length: %d\r\n\r\n", 3*maxRequestRecord))
	for range 3 {
		w.received(c, bytes.Repeat([]byte("y"), maxRequestRecord))
	}
	last := w.Requests()[len(w.Requests())-1]
	if !last.Truncated || !last.Complete || len(last.Raw) != maxRequestRecord || w.held > maxWireRecord {
		t.Errorf("%d bytes kept, %v %v, %d held", len(last.Raw), last.Truncated, last.Complete, w.held)
	}
}

// The parser finds the same, however the bytes are cut, and loses none.
func FuzzParser(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\nPOST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nab"), 3)
	f.Add([]byte("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nT: v\r\n\r\n\r\nGET / HTTP/1.0\n\n"), 1)
	f.Add([]byte("GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n\x81\x00"), 2)
	f.Add([]byte("nonsense"), 1)
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		size = max(size%64, 1)
		parse := func(size int) (all []*Request, bytes []byte) {
			var p parser
			for rest := data; len(rest) > 0; {
				n := min(size, len(rest))
				all = append(all, p.feed(rest[:n])...)
				rest = rest[n:]
			}
			if p.current != nil && (len(all) == 0 || all[len(all)-1] != p.current) {
				all = append(all, p.current)
			}
			for _, r := range all {
				bytes = append(append(bytes, r.Raw...), r.Tunnel...)
			}
			return all, bytes
		}
		whole, kept := parse(len(data) + 1)
		cut, _ := parse(size)
		if diff := cmp.Diff(whole, cut, cmpopts.IgnoreUnexported(Request{}),
			cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
		if len(data) < maxRequestRecord && !bytes.Equal(kept, data) {
			t.Errorf("kept %q of %q", kept, data)
		}
	})
}
