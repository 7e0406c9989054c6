package upstream

import "encoding/binary"

// frames follows the frames of one direction of a WebSocket (RFC 6455 section 5.2). It keeps nothing of them:
// all that it is there to know is where one ends and the next begins, whatever pieces they come in.
type frames struct {
	head [10]byte // of the frame that has begun, as far as it has come
	have int
	left uint64 // bytes to come: of its mask and payload
}

const opClose = 8

// between says whether one frame has ended and the next not begun: only there may a frame of ours go in.
func (f *frames) between() bool { return f.have == 0 && f.left == 0 }

// take takes what b has of the frame that is under way, or that begins with it, and
// returns how many bytes that is.
func (f *frames) take(b []byte) int {
	n := 0
	if f.left == 0 {
		for ; f.have < f.headLength(); n++ {
			if n == len(b) {
				return n
			}
			f.head[f.have] = b[n]
			f.have++
		}
		f.left, f.have = f.following(), 0
	}
	rest := min(uint64(len(b)-n), f.left)
	f.left -= rest
	return n + int(rest)
}

// headLength is how long the head is, as far as that can be told: two bytes, and the
// length of a long payload.
func (f *frames) headLength() int {
	if f.have >= 2 {
		switch f.head[1] & 0x7f {
		case 126:
			return 4
		case 127:
			return 10
		}
	}
	return 2
}

// following is how many bytes come after a head that is complete.
func (f *frames) following() uint64 {
	length := uint64(f.head[1] & 0x7f)
	switch length {
	case 126:
		length = uint64(binary.BigEndian.Uint16(f.head[2:]))
	case 127:
		length = binary.BigEndian.Uint64(f.head[2:]) &^ (1 << 63) // the highest bit must be 0
	}
	if f.head[1]&0x80 != 0 {
		length += 4 // the mask
	}
	return length
}

// closeFrame is a close frame of a server (RFC 6455 section 5.5.1). A reason is at most 123 bytes.
func closeFrame(code uint16, reason string) []byte {
	frame := []byte{0x80 | opClose, byte(2 + len(reason))}
	frame = binary.BigEndian.AppendUint16(frame, code)
	return append(frame, reason...)
}

// shortFrame returns the frame that b begins with, once all of it is there. It is for control frames,
// whose length is one byte.
func shortFrame(b []byte) (frame []byte, whole bool) {
	if len(b) < 2 {
		return nil, false
	}
	n := 2 + int(b[1]&0x7f)
	if b[1]&0x80 != 0 {
		n += 4 // the mask
	}
	return b[:min(n, len(b))], len(b) >= n
}

// closeCode is the code in a close frame of a server; 0 if it gives none.
func closeCode(frame []byte) uint16 {
	if len(frame) < 4 {
		return 0
	}
	return binary.BigEndian.Uint16(frame[2:])
}
