package tap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// frame is one captured frame; data is valid until the next is read.
type frame struct {
	at       time.Time
	linkType int
	data     []byte
	size     int // as it was on the wire
}

// frameReader reads a capture file format. The error of next is io.EOF at the end; any other is about the frame that
// would have been next.
type frameReader interface {
	next(f *frame) error
}

// maxRecord is the greatest record that is read whole. Frames are bounded by 256 KiB in practice; key logs are longer.
const maxRecord = 16 << 20

// errNoCapture tells that a file is no capture that can be read.
var errNoCapture = errors.New("neither pcap nor pcapng")

// newFrameReader recognises the format.
func newFrameReader(s *source, onSecrets func(kind uint32, b []byte), note func(string)) (frameReader, error) {
	b, err := s.next(4)
	switch {
	case err == io.EOF:
		return nil, errors.New("it is empty")
	case err == io.ErrUnexpectedEOF:
		return nil, errNoCapture
	case err != nil:
		return nil, err
	}
	magic := binary.LittleEndian.Uint32(b)
	if magic == blockSection {
		r := &ngReader{src: s, onSecrets: onSecrets, note: note}
		return r, r.section()
	}
	for _, o := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		switch o.Uint32(b) {
		case 0xa1b2c3d4:
			return newPcapReader(s, o, time.Microsecond)
		case 0xa1b23c4d:
			return newPcapReader(s, o, time.Nanosecond)
		}
	}
	return nil, errNoCapture
}

// pcapReader reads the classic format.
type pcapReader struct {
	src      *source
	order    binary.ByteOrder
	little   bool
	unit     time.Duration
	linkType int
}

func newPcapReader(s *source, o binary.ByteOrder, unit time.Duration) (frameReader, error) {
	b, err := s.next(20)
	if err != nil {
		return nil, fmt.Errorf("it ends inside the file header: %w", unexpected(err))
	}
	// The upper bits of the link type tell the length of a frame check sequence.
	r := &pcapReader{src: s, order: o, little: o == binary.LittleEndian, unit: unit, linkType: int(o.Uint32(b[16:]) & 0xffff)}
	if !knownLink(r.linkType) {
		return nil, unknownLink(r.linkType)
	}
	return r, nil
}

func (r *pcapReader) next(f *frame) error {
	b, err := r.src.next(16)
	if err != nil {
		return err
	}
	var sec, frac, n, size uint32
	if r.little { // spelled out because a call through the interface costs as much as the rest
		o := binary.LittleEndian
		sec, frac, n, size = o.Uint32(b), o.Uint32(b[4:]), o.Uint32(b[8:]), o.Uint32(b[12:])
	} else {
		o := binary.BigEndian
		sec, frac, n, size = o.Uint32(b), o.Uint32(b[4:]), o.Uint32(b[8:]), o.Uint32(b[12:])
	}
	if n > maxRecord {
		return fmt.Errorf("it claims to have %d bytes, so the file is damaged", n)
	}
	f.at = time.Unix(int64(sec), int64(frac)*int64(r.unit))
	f.linkType = r.linkType
	f.data, err = r.src.next(int(n))
	f.size = max(int(size), len(f.data))
	return unexpected(err)
}

// unexpected is err, but an end of file where there must not be one says so.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
