package packet

import (
	"fmt"
	"io"
)

// Framer cuts a stream of bytes into packets, however the bytes arrive. Bytes come in by Feed, or by Fill from a reader;
// Next hands out the packets that are complete. It never reserves memory on the word of a length field: memory grows with
// the bytes that have arrived. It judges nothing but the remaining length; Decode does the rest.
//
// The zero value is ready for use and has no limit but the protocol's. A Framer is not safe for use by two goroutines.
type Framer struct {
	// Limit is the greatest length in bytes of a whole packet, fixed header included; 0 is no limit.
	Limit int

	buf    []byte
	start  int   // the first byte of buf not handed out yet
	offset int64 // the position in the stream of buf[start]
	skip   int   // bytes still to be dropped
	want   int   // the size of buffer that the stream's speed asks for, up to keepSize
}

const (
	minFill  = 1 << 9  // the least room Fill offers a reader, and the first size of the buffer
	keepSize = 1 << 16 // an empty buffer greater than this is given back
)

// Feed adds bytes that have arrived. They are copied.
func (f *Framer) Feed(chunk []byte) {
	f.compact(len(chunk))
	f.buf = append(f.buf, chunk...)
}

// Fill reads once from r and returns the number of bytes that came. The error is r's.
func (f *Framer) Fill(r io.Reader) (int, error) {
	f.compact(minFill)
	rest := len(f.buf) - f.start
	if cap(f.buf)-len(f.buf) < minFill || cap(f.buf) < f.want {
		// Twice what has arrived, so that the buffer follows the bytes and not the length they promise.
		grown := make([]byte, rest, max(f.want, rest+minFill, 2*rest))
		copy(grown, f.buf[f.start:])
		f.buf, f.start = grown, 0
	}
	room := cap(f.buf) - len(f.buf)
	n, err := r.Read(f.buf[len(f.buf):cap(f.buf)])
	f.buf = f.buf[:len(f.buf)+n]
	if n == room {
		f.want = min(2*cap(f.buf), keepSize) // the stream is fast: fewer, larger reads
	}
	return n, err
}

// compact moves the unread bytes to the front of the buffer when that makes room for n more, and gives a large buffer
// back once it is empty.
func (f *Framer) compact(n int) {
	rest := len(f.buf) - f.start
	switch {
	case rest == 0 && cap(f.buf) > keepSize:
		f.buf = nil
	case rest == 0:
		f.buf = f.buf[:0]
	case cap(f.buf)-len(f.buf) >= n, f.start < rest:
		return // there is room, or moving would cost more than it gains
	default:
		f.buf = f.buf[:copy(f.buf, f.buf[f.start:])]
	}
	f.start = 0
}

// Next returns the next packet, header and all. It is valid until the next call of Feed or Fill. The error is
//   - ErrTruncated itself when the packet is not complete: feed more;
//   - an *Error over ErrTooLarge when it is longer than Limit: Skip goes on after it;
//   - an *Error over ErrMalformed when its remaining length takes more than four bytes: nothing after it can be found.
//
// After an error Next returns the same until Feed, Fill or Skip change something.
func (f *Framer) Next() ([]byte, error) {
	f.drop()
	b := f.buf[f.start:]
	if f.skip > 0 {
		return nil, ErrTruncated
	}
	h, err := ParseHeader(b)
	switch {
	case err == ErrTruncated:
		return nil, ErrTruncated
	case err != nil:
		return nil, &Error{
			Type: h.Type, Field: "Remaining Length", Offset: 1, Err: ErrMalformed, Version: V5, Rule: ruleLongLength.ID(V5),
			Text: ruleLongLength.Text, Code: ruleLongLength.Code,
		}
	}
	n := h.Total()
	switch {
	case f.Limit > 0 && n > f.Limit:
		return nil, &Error{
			Type: h.Type, Field: "Remaining Length", Offset: 1, Err: ErrTooLarge, Code: ReasonPacketTooLarge,
			Text: fmt.Sprintf("the packet has %d bytes, the limit is %d", n, f.Limit),
		}
	case n > len(b):
		return nil, ErrTruncated
	}
	f.start += n
	f.offset += int64(n)
	return b[:n:n], nil
}

// Skip drops the packet that Next refused as too large, as far as it has arrived and the rest when it does. It reports
// whether there was one with a readable length.
func (f *Framer) Skip() bool {
	f.drop()
	h, err := ParseHeader(f.buf[f.start:])
	if f.skip > 0 || err != nil {
		return false
	}
	f.skip = h.Total()
	f.drop()
	return true
}

// drop lets go of the bytes that are to be skipped.
func (f *Framer) drop() {
	n := min(f.skip, len(f.buf)-f.start)
	f.start += n
	f.skip -= n
	f.offset += int64(n)
}

// Offset returns the position in the stream, in bytes, of the packet that Next will return.
func (f *Framer) Offset() int64 { return f.offset }

// Pending returns the bytes that have arrived and were not handed out. They are valid until the next call of Feed or
// Fill.
func (f *Framer) Pending() []byte { return f.buf[f.start:] }

// ReadPacket returns the next packet, reading from r as often as needed. It is valid until the next call. The error is
// io.EOF when r ends between two packets, io.ErrUnexpectedEOF when it ends inside one, else r's or that of Next.
func (f *Framer) ReadPacket(r io.Reader) ([]byte, error) {
	for idle := 0; ; {
		p, err := f.Next()
		if err != ErrTruncated {
			return p, err
		}
		n, err := f.Fill(r)
		if n > 0 {
			idle = 0
			continue // an error that came with bytes will come again
		}
		switch idle++; {
		case err == io.EOF && (len(f.Pending()) > 0 || f.skip > 0):
			return nil, io.ErrUnexpectedEOF
		case err != nil:
			return nil, err
		case idle >= 100:
			return nil, io.ErrNoProgress
		}
	}
}
