package upstream

import "encoding/binary"

// frames follows the frames of one direction of a WebSocket (RFC 6455 section 5.2). It keeps nothing of them:
// it only knows where one ends and the next begins, whatever pieces they come in.
type frames struct {
	header    [10]byte // of the current frame, as far as received
	have      int
	remaining uint64 // bytes of its mask and payload that are still to come
}

const opClose = 8

// atBoundary reports whether one frame has ended and the next not begun: only there may a frame of ours be
// inserted.
func (f *frames) atBoundary() bool { return f.have == 0 && f.remaining == 0 }

// consume reads from b up to the end of the current frame, or of the one that begins with b, and returns how
// many bytes that is.
func (f *frames) consume(b []byte) int {
	n := 0
	if f.remaining == 0 {
		for ; f.have < f.headerLength(); n++ {
			if n == len(b) {
				return n
			}
			f.header[f.have] = b[n]
			f.have++
		}
		f.remaining, f.have = f.remainingLength(), 0
	}
	rest := min(uint64(len(b)-n), f.remaining)
	f.remaining -= rest
	return n + int(rest)
}

// headerLength returns the length of the header, as far as its first two bytes tell.
func (f *frames) headerLength() int {
	if f.have >= 2 {
		switch f.header[1] & 0x7f {
		case 126:
			return 4
		case 127:
			return 10
		}
	}
	return 2
}

// remainingLength returns how many bytes follow a complete header.
func (f *frames) remainingLength() uint64 {
	length := uint64(f.header[1] & 0x7f)
	switch length {
	case 126:
		length = uint64(binary.BigEndian.Uint16(f.header[2:]))
	case 127:
		length = binary.BigEndian.Uint64(f.header[2:]) &^ (1 << 63) // the highest bit must be 0
	}
	if f.header[1]&0x80 != 0 {
		length += 4 // the mask
	}
	return length
}

// closeFrame returns a server's close frame (RFC 6455 section 5.5.1). The reason is at most 123 bytes.
func closeFrame(code uint16, reason string) []byte {
	frame := []byte{0x80 | opClose, byte(2 + len(reason))}
	frame = binary.BigEndian.AppendUint16(frame, code)
	return append(frame, reason...)
}

// controlFrame returns the control frame that b begins with. whole reports whether all of it is there.
func controlFrame(b []byte) (frame []byte, whole bool) {
	if len(b) < 2 {
		return nil, false
	}
	n := 2 + int(b[1]&0x7f)
	if b[1]&0x80 != 0 {
		n += 4 // the mask
	}
	return b[:min(n, len(b))], len(b) >= n
}

// closeCode returns the status code of a server's close frame; 0 if it has none.
func closeCode(frame []byte) uint16 {
	if len(frame) < 4 {
		return 0
	}
	return binary.BigEndian.Uint16(frame[2:])
}
