package format

import (
	"encoding/binary"
	"math"
	"strconv"

	"mq/packet"
)

// appendHex appends the payload in hexadecimal, in groups of precision digits with a separator between them. The width
// counts digits, not separators, and is also the most it prints; filled-in characters on the left count as digits.
func (s *segment) appendHex(dst, v []byte, digits string) []byte {
	if s.width > 0 && len(v) > s.width/2 {
		v = v[:s.width/2]
	}
	fill := s.width - 2*len(v)
	filler := byte(' ')
	if s.zero {
		filler = '0'
	}
	n := 0 // characters so far
	put := func(c byte) {
		if s.prec > 0 && n > 0 && n%s.prec == 0 {
			dst = append(dst, s.sep)
		}
		dst = append(dst, c)
		n++
	}
	if !s.left {
		for range fill {
			put(filler)
		}
	}
	for _, b := range v {
		put(digits[b>>4])
		put(digits[b&15])
	}
	if s.left {
		dst = appendRepeat(dst, ' ', fill)
	}
	return dst
}

// appendFloat appends the payload as a number, the way C's printf does with %f. Without a precision there are six
// decimals. mosquitto copies the bytes as they are; every machine it was seen on is little-endian.
func (s *segment) appendFloat(dst, v []byte) ([]byte, Problem) {
	var f float64
	switch {
	case s.kind == 'f' && len(v) == 4:
		f = float64(math.Float32frombits(binary.LittleEndian.Uint32(v)))
	case s.kind == 'd' && len(v) == 8:
		f = math.Float64frombits(binary.LittleEndian.Uint64(v))
	case s.kind == 'f':
		return dst, NotFloat
	default:
		return dst, NotDouble
	}
	prec := s.prec
	if prec < 0 {
		prec = 6
	}
	start, zero := len(dst), s.zero
	if math.IsNaN(f) || math.IsInf(f, 0) {
		zero = false
		if math.Signbit(f) {
			dst = append(dst, '-')
		}
		if math.IsNaN(f) {
			dst = append(dst, "nan"...)
		} else {
			dst = append(dst, "inf"...)
		}
	} else {
		dst = strconv.AppendFloat(dst, f, 'f', prec, 64)
	}
	return pad(dst, start, s.width, s.left, zero), 0
}

// property is an MQTT 5 property of a message: a number, or text in the form the specifier prints.
type property struct {
	number   uint64
	text     string
	isNumber bool
}

// lookUp finds the property a specifier stands for. packet.Message carries no properties yet; when it does, they are
// found here and nowhere else.
func lookUp(*packet.Message, kind) (p property, ok bool) { return property{}, false }

// appendProperty appends a property of MQTT 5. One that a message does not have, which in 3.1.1 is all of them, prints
// what mosquitto prints: the width in filler for numbers and the content type, nothing for the others.
func (s *segment) appendProperty(dst []byte, m *packet.Message, safe bool) []byte {
	if p, ok := lookUp(m, s.kind); ok {
		return s.appendFound(dst, p, safe)
	}
	filler := byte(' ')
	switch s.kind {
	case 'A', 'E', 'F', 'S':
		if s.zero {
			filler = '0'
		}
	case 'D', 'P', 'R':
		return dst
	}
	return appendRepeat(dst, filler, s.width)
}

func (s *segment) appendFound(dst []byte, p property, safe bool) []byte {
	switch {
	case p.isNumber:
		return s.appendUint(dst, p.number)
	case s.kind == 'D' || s.kind == 'P': // no width, as in mosquitto
		return appendText(dst, p.text, safe, false)
	}
	return s.appendText(dst, p.text, safe)
}
