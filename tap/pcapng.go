package tap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"time"
)

// Block types of pcapng (draft-ietf-opsawg-pcapng, section 11.1).
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockPacketOld = 2
	blockSimple    = 3
	blockEnhanced  = 6
	blockSecrets   = 10

	secretsTLS = 0x544c534b // "TLSK": an NSS key log
)

// maxInterfaces bounds what a section may declare.
const maxInterfaces = 4096

// ngInterface is one capture interface of a section.
type ngInterface struct {
	linkType int
	snapLen  uint32
	perSec   uint64 // ticks in a second
	offset   int64  // seconds to add
}

// ngReader reads pcapng.
type ngReader struct {
	src       *source
	order     binary.ByteOrder
	ifaces    []ngInterface
	onSecrets func(kind uint32, b []byte)
	note      func(string)
	noted     map[int]bool // link types complained of
}

// section reads a section header after its block type.
func (r *ngReader) section() error {
	b, err := r.src.next(8)
	if err != nil {
		return unexpected(err)
	}
	switch {
	case binary.LittleEndian.Uint32(b[4:]) == 0x1a2b3c4d:
		r.order = binary.LittleEndian
	case binary.BigEndian.Uint32(b[4:]) == 0x1a2b3c4d:
		r.order = binary.BigEndian
	default:
		return errors.New("a section header without byte order")
	}
	n := r.order.Uint32(b)
	if n < 28 || n%4 != 0 || n > maxRecord {
		return fmt.Errorf("a section header of %d bytes", n)
	}
	r.ifaces = r.ifaces[:0]
	return r.src.pass(int64(n) - 12)
}

func (r *ngReader) next(f *frame) error {
	for {
		b, err := r.src.next(4)
		if err != nil {
			return err
		}
		kind := binary.LittleEndian.Uint32(b)
		if kind == blockSection { // reads the same in both byte orders, and may change the byte order
			if err := r.section(); err != nil {
				return err
			}
			continue
		}
		kind = r.order.Uint32(b)
		body, err := r.body(kind)
		if err != nil {
			return err
		}
		got, err := r.block(kind, body, f)
		if got || err != nil {
			return err
		}
	}
}

// body reads the block whose type was read; nil when it was passed over.
func (r *ngReader) body(kind uint32) ([]byte, error) {
	b, err := r.src.next(4)
	if err != nil {
		return nil, unexpected(err)
	}
	n := int64(r.order.Uint32(b))
	if n < 12 {
		return nil, fmt.Errorf("a block of %d bytes, so the file is damaged", n)
	}
	n = (n+3)&^3 - 8 // some writers count without the padding
	switch kind {
	case blockInterface, blockPacketOld, blockSimple, blockEnhanced, blockSecrets:
	default:
		return nil, r.src.pass(n)
	}
	if n > maxRecord {
		if kind == blockSecrets {
			r.note("a block of TLS secrets is too large and was left out")
			return nil, r.src.pass(n)
		}
		return nil, fmt.Errorf("it claims to have %d bytes, so the file is damaged", n)
	}
	b, err = r.src.next(int(n))
	if err != nil {
		return nil, unexpected(err)
	}
	return b[:n-4], nil
}

// block takes one block and reports whether f was filled from it.
func (r *ngReader) block(kind uint32, b []byte, f *frame) (bool, error) {
	if b == nil {
		return false, nil
	}
	o := r.order
	switch {
	case kind == blockInterface && len(b) >= 8:
		return false, r.addInterface(b)
	case kind == blockSecrets && len(b) >= 8:
		n := min(uint64(o.Uint32(b[4:])), uint64(len(b)-8))
		r.onSecrets(o.Uint32(b), b[8:8+n])
		return false, nil
	case kind == blockEnhanced && len(b) >= 20:
		ts := uint64(o.Uint32(b[4:]))<<32 | uint64(o.Uint32(b[8:]))
		return true, r.frame(f, o.Uint32(b), ts, o.Uint32(b[12:]), o.Uint32(b[16:]), b[20:])
	case kind == blockPacketOld && len(b) >= 20:
		ts := uint64(o.Uint32(b[4:]))<<32 | uint64(o.Uint32(b[8:]))
		return true, r.frame(f, uint32(o.Uint16(b)), ts, o.Uint32(b[12:]), o.Uint32(b[16:]), b[20:])
	case kind == blockSimple && len(b) >= 4:
		size := o.Uint32(b)
		n := min(size, uint32(len(b)-4))
		if len(r.ifaces) > 0 && r.ifaces[0].snapLen > 0 {
			n = min(n, r.ifaces[0].snapLen)
		}
		return true, r.frame(f, 0, 0, n, size, b[4:])
	}
	return false, fmt.Errorf("a block of type %d with only %d bytes, so the file is damaged", kind, len(b))
}

func (r *ngReader) frame(f *frame, iface uint32, ts uint64, n, size uint32, data []byte) error {
	if uint64(iface) >= uint64(len(r.ifaces)) {
		return fmt.Errorf("it names interface %d, which was not declared", iface)
	}
	if uint64(n) > uint64(len(data)) {
		return fmt.Errorf("it claims to have %d bytes in a block with %d, so the file is damaged", n, len(data))
	}
	i := &r.ifaces[iface]
	f.linkType, f.data, f.size, f.at = i.linkType, data[:n], max(int(size), int(n)), i.time(ts)
	if !knownLink(i.linkType) && !r.noted[i.linkType] && len(r.noted) < 100 {
		if r.noted == nil {
			r.noted = map[int]bool{}
		}
		r.noted[i.linkType] = true
		r.note(fmt.Sprintf("frames of link type %d were left out", i.linkType))
	}
	return nil
}

func (i *ngInterface) time(ts uint64) time.Time {
	switch i.perSec {
	case 1e9:
		return time.Unix(int64(ts/1e9)+i.offset, int64(ts%1e9))
	case 1e6:
		return time.Unix(int64(ts/1e6)+i.offset, int64(ts%1e6)*1000)
	}
	hi, lo := bits.Mul64(ts%i.perSec, 1e9)
	ns, _ := bits.Div64(hi, lo, i.perSec) // hi < perSec because the factor is less than perSec
	return time.Unix(int64(ts/i.perSec)+i.offset, int64(ns))
}

// addInterface reads an interface description.
func (r *ngReader) addInterface(b []byte) error {
	if len(r.ifaces) == maxInterfaces {
		return fmt.Errorf("more than %d interfaces", maxInterfaces)
	}
	i := ngInterface{linkType: int(r.order.Uint16(b)), snapLen: r.order.Uint32(b[4:]), perSec: 1e6}
	for o := b[8:]; len(o) >= 4; {
		code, n := r.order.Uint16(o), int(r.order.Uint16(o[2:]))
		o = o[4:]
		if code == 0 || n > len(o) {
			break
		}
		switch {
		case code == 9 && n >= 1: // if_tsresol
			i.perSec = resolution(o[0])
		case code == 14 && n >= 8: // if_tsoffset
			i.offset = int64(r.order.Uint64(o))
		}
		o = o[min(len(o), (n+3)&^3):]
	}
	r.ifaces = append(r.ifaces, i)
	return nil
}

// resolution returns the ticks in a second that if_tsresol b stands for, a million when it stands for too many.
func resolution(b byte) uint64 {
	if b&0x80 != 0 {
		if b&0x7f > 63 {
			return 1e6
		}
		return 1 << (b & 0x7f)
	}
	if b > 19 {
		return 1e6
	}
	return uint64(math.Round(math.Pow10(int(b))))
}
