package format

import (
	"slices"
	"strconv"
	"time"

	"github.com/ncruces/go-strftime"

	"mq/packet"
)

// AppendWith is Append with options, and tells what stood in the way of %J, %f and %d.
func (t *Template) AppendWith(dst []byte, m *packet.Message, at time.Time, o TemplateOptions) ([]byte, Problem) {
	var problems, problem Problem
	for i := range t.segments {
		s := &t.segments[i]
		switch s.kind {
		case literal:
			dst = append(dst, s.text...)
		case 't':
			dst = s.appendText(dst, m.Topic, o.Safe)
		case 'p':
			dst = s.appendPayload(dst, m.Payload, o)
		case 'j', 'J':
			dst, problem = AppendJSON(dst, m, at, JSONOptions{Embed: s.kind == 'J', Pretty: o.Pretty})
			problems |= problem
		case 'f', 'd':
			dst, problem = s.appendFloat(dst, m.Payload)
			problems |= problem
		case 'x':
			dst = s.appendHex(dst, m.Payload, lowerHex)
		case 'X':
			dst = s.appendHex(dst, m.Payload, upperHex)
		case 'A', 'C', 'D', 'E', 'F', 'P', 'R', 'S':
			dst = s.appendProperty(dst, m, o.Safe)
		case 'l', 'm', 'q', 'r':
			dst = s.appendNumber(dst, m)
		default:
			dst = s.appendTime(dst, at)
		}
	}
	return dst, problems
}

func (s *segment) appendNumber(dst []byte, m *packet.Message) []byte {
	switch s.kind {
	case 'l':
		return s.appendUint(dst, uint64(len(m.Payload)))
	case 'm':
		return s.appendUint(dst, uint64(m.PacketID))
	case 'q':
		return append(dst, '0'+byte(m.QoS)) // no width, as in mosquitto
	default:
		return append(dst, boolDigit(m.Retain))
	}
}

func (s *segment) appendUint(dst []byte, n uint64) []byte {
	start := len(dst)
	return pad(strconv.AppendUint(dst, n, 10), start, s.width, s.left, s.zero)
}

func (s *segment) appendTime(dst []byte, at time.Time) []byte {
	start := len(dst)
	switch s.kind {
	case layout:
		return at.AppendFormat(dst, s.text)
	case strfTime:
		return strftime.AppendFormat(dst, s.text, at)
	case nanos:
		return pad(strconv.AppendInt(dst, int64(at.Nanosecond()), 10), start, 9, false, true)
	case 'U':
		dst = strconv.AppendInt(dst, at.Unix(), 10)
		dst = append(dst, '.')
		start = len(dst)
		return pad(strconv.AppendInt(dst, int64(at.Nanosecond()), 10), start, 9, false, true)
	}
	dst = at.AppendFormat(dst, "2006-01-02T15:04:05-0700") // 'I'
	if s.prec >= 0 && len(dst)-start > s.prec {
		dst = dst[:start+s.prec]
	}
	return pad(dst, start, s.width, s.left, false)
}

// appendText appends a string with width and precision. Both count bytes, as in C; safe escapes come after the cut and
// do not count.
func (s *segment) appendText(dst []byte, v string, safe bool) []byte {
	if s.prec >= 0 && len(v) > s.prec {
		v = v[:s.prec]
	}
	return appendField(dst, s, v, ' ', safe, false)
}

// appendPayload appends the payload. Its width is also the most it prints, and it has no precision.
func (s *segment) appendPayload(dst, v []byte, o TemplateOptions) []byte {
	if s.width > 0 && len(v) > s.width {
		v = v[:s.width]
	}
	filler := byte(' ')
	if s.zero {
		filler = '0'
	}
	return appendField(dst, s, v, filler, o.Safe, o.Multiline)
}

func appendField[T text](dst []byte, s *segment, v T, filler byte, safe, lines bool) []byte {
	fill := s.width - len(v)
	if !s.left {
		dst = appendRepeat(dst, filler, fill)
	}
	dst = appendText(dst, v, safe, lines)
	if s.left {
		dst = appendRepeat(dst, ' ', fill)
	}
	return dst
}

func appendRepeat(dst []byte, c byte, n int) []byte {
	for ; n > 0; n-- {
		dst = append(dst, c)
	}
	return dst
}

// pad widens dst[start:] to width: with spaces after it, or before it, or with zeros after its sign.
func pad(dst []byte, start, width int, left, zero bool) []byte {
	n := width - (len(dst) - start)
	if n <= 0 {
		return dst
	}
	if left {
		return appendRepeat(dst, ' ', n)
	}
	filler := byte(' ')
	if zero {
		filler = '0'
		if dst[start] == '-' {
			start++
		}
	}
	end := len(dst)
	dst = slices.Grow(dst, n)[:end+n]
	copy(dst[start+n:], dst[start:end])
	for i := range n {
		dst[start+i] = filler
	}
	return dst
}
