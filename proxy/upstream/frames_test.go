package upstream

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// frame is a frame of a WebSocket (RFC 6455 section 5.2).
func frame(first byte, masked bool, payload []byte) []byte {
	f := []byte{first, 0}
	switch n := len(payload); {
	case n < 126:
		f[1] = byte(n)
	case n < 1<<16:
		f[1] = 126
		f = binary.BigEndian.AppendUint16(f, uint16(n))
	default:
		f[1] = 127
		f = binary.BigEndian.AppendUint64(f, uint64(n))
	}
	if masked {
		f[1] |= 0x80
		f = append(f, 1, 2, 3, 4)
	}
	return append(f, payload...)
}

// Wherever the bytes of frames are cut into pieces, the places between two frames
// are found, and nowhere else.
func FuzzFrames(f *testing.F) {
	f.Add(uint(0), uint(1), uint(125), uint(126), uint(7))
	f.Add(uint(0xffff), uint(0x10000), uint(0), uint(200), uint(1))
	f.Add(uint(3), uint(70000), uint(65535), uint(2), uint(4096))
	f.Fuzz(func(t *testing.T, a, b, c, d, piece uint) {
		var wire []byte
		ends := map[int]bool{0: true}
		for i, n := range []uint{a, b, c, d} {
			wire = append(wire, frame(byte(i), i%2 == 1, make([]byte, n%80_000))...)
			ends[len(wire)] = true
		}
		size := int(piece%5000) + 1
		var fs frames
		for at := 0; at < len(wire); {
			chunk := wire[at:min(at+size, len(wire))]
			for len(chunk) > 0 {
				if fs.atBoundary() != ends[at] {
					t.Fatalf("at %d of %v, in pieces of %d: between is %v", at, ends, size, fs.atBoundary())
				}
				n := fs.consume(chunk)
				if n == 0 {
					t.Fatal("took nothing")
				}
				at, chunk = at+n, chunk[n:]
			}
		}
		if !fs.atBoundary() {
			t.Error("the last frame has not ended")
		}
	})
}

func TestCloseFrame(t *testing.T) {
	t.Parallel()
	want := frame(0x88, false, append([]byte{0x11, 0x31}, "bye"...))
	if got := closeFrame(4401, "bye"); !bytes.Equal(got, want) {
		t.Errorf("% x, want % x", got, want)
	}
	for _, why := range []*ending{accessEnded, storeDown, keyRefused, stopping} {
		f := closeFrame(why.closeCode, why.reason)
		if len(f) > 2+125 {
			t.Errorf("%q is too long for a control frame", why.reason)
		}
		if got, whole := controlFrame(append(f, "what follows"...)); !whole || !bytes.Equal(got, f) ||
			closeCode(got) != why.closeCode {
			t.Errorf("read back: % x, %v", got, whole)
		}
		if _, whole := controlFrame(f[:len(f)-1]); whole {
			t.Error("a part counts as the whole")
		}
	}
	if closeCode(frame(0x88, false, nil)) != 0 {
		t.Error("a close frame without a code has one")
	}
}
