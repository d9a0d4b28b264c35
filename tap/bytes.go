package tap

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"mq/packet"
)

// BytesOptions says what is known about bytes without a connection.
type BytesOptions struct {
	// Direction is who sent them; DirUnknown lets each packet's type say it where it can.
	Direction packet.Direction
	// Version is the protocol version to assume until a CONNECT says otherwise, 0 when nothing is known.
	Version packet.Version
}

// Bytes hands the control packets in data to sink as those of one connection, offsets counted from the first byte.
// Bytes at the end that are no whole packet are handed over as broken.
func Bytes(data []byte, o BytesOptions, sink Sink) {
	c := &Conn{Number: 1, Layer: LayerBytes, FromStart: true, Version: o.Version}
	var at time.Time
	sink.Open(c, at)
	off := 0
	for off < len(data) {
		b := data[off:]
		n := wholeLength(b)
		d := o.Direction
		if d == packet.DirUnknown {
			d = senderOf(packet.Type(b[0] >> 4))
		}
		if n <= 0 || n > len(b) {
			sink.Broken(c, d, at, int64(off), b, whyBroken(b))
			break
		}
		sink.Packet(c, d, at, 0, int64(off), b[:n:n])
		off += n
	}
	sink.Close(c, at, CaptureEnded)
}

// whyBroken returns the error of b, which is no whole packet.
func whyBroken(b []byte) error {
	var f packet.Framer
	f.Feed(b[:min(len(b), 5)])
	if _, err := f.Next(); err != nil && err != packet.ErrTruncated {
		return err
	}
	return packet.ErrTruncated
}

// senderOf returns the direction that packets of type t travel in, DirUnknown if they do in both.
func senderOf(t packet.Type) packet.Direction {
	switch t {
	case packet.CONNECT, packet.SUBSCRIBE, packet.UNSUBSCRIBE, packet.PINGREQ:
		return packet.ClientToServer
	case packet.CONNACK, packet.SUBACK, packet.UNSUBACK, packet.PINGRESP:
		return packet.ServerToClient
	}
	return packet.DirUnknown
}

// ParseBytes reads bytes as people write them down: hex digits with or without spaces, commas, colons, quotes, 0x and \x;
// a hex dump with offsets and a text column, as xxd, hexdump -C, tcpdump and Wireshark write it; or else base64, which is
// tried only on what cannot be hex. The error is an *Error.
func ParseBytes(text string) ([]byte, error) {
	if strings.TrimSpace(text) == "" {
		return nil, &Error{What: "no bytes given", hints: []string{"give them as hex: 30 0d 00 05 …, or as base64"}}
	}
	if b, ok := parseDump(text); ok {
		return b, nil
	}
	b, err := parseHex(text)
	if err == nil {
		return b, nil
	}
	if mayBeBase64(text) {
		if b, err := ParseBase64(text); err == nil {
			return b, nil
		}
	}
	return nil, err
}

// mayBeBase64 tells base64, which is wrapped in long lines at most, from mistyped hex.
func mayBeBase64(text string) bool {
	words := strings.Fields(text)
	for _, w := range words[:len(words)-1] {
		if len(w) < 16 {
			return false
		}
	}
	return true
}

// ParseBase64 reads base64 in the standard or the URL alphabet, with or without padding; white space is ignored.
func ParseBase64(text string) ([]byte, error) {
	s := strings.TrimRight(strings.Join(strings.Fields(text), ""), "=")
	s = strings.NewReplacer("-", "+", "_", "/").Replace(s)
	b, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil || len(b) == 0 {
		return nil, &Error{What: fmt.Sprintf("%q is not base64", clip(text)), hints: []string{"base64 has letters, digits, + and /"}}
	}
	return b, nil
}

// clip shortens text for an error message.
func clip(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}

// parseHex reads hex that is no dump.
func parseHex(text string) ([]byte, error) {
	words := strings.FieldsFunc(strings.ReplaceAll(text, `\x`, " "), func(r rune) bool {
		return strings.ContainsRune(" \t\r\n,;:-_'\"{}[]()", r)
	})
	var b []byte
	for _, w := range words {
		digits := strings.TrimPrefix(strings.TrimPrefix(w, "0x"), "0X")
		if len(digits) == 1 {
			digits = "0" + digits // one byte, as in 0x5
		}
		if len(digits)%2 != 0 {
			return nil, hexError(w, "has an odd number of hex digits")
		}
		n := len(b)
		b = append(b, make([]byte, len(digits)/2)...)
		if _, err := hex.Decode(b[n:], []byte(digits)); err != nil {
			return nil, hexError(w, "is neither hex nor base64")
		}
	}
	if len(b) == 0 {
		return nil, hexError(text, "is neither hex nor base64")
	}
	return b, nil
}

func hexError(word, what string) error {
	return &Error{What: fmt.Sprintf("%q %s", clip(word), what), hints: []string{"give bytes as hex: 30 0d 00 05 …, or as base64"}}
}

var (
	dumpLine  = regexp.MustCompile(`^\s*(?:0x)?([0-9a-fA-F]{4,8})(?::\s*|\s\s+|$)(.*)$`)
	dumpGroup = regexp.MustCompile(`^((?:[0-9a-fA-F]{2})+)(\s+|$)`)
)

// parseDump reads a hex dump and reports whether text is one: every line begins with an offset, and the offsets count
// the bytes.
func parseDump(text string) ([]byte, bool) {
	type row struct {
		offset int
		body   string
	}
	var rows []row
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if strings.TrimSpace(line) == "" {
			continue
		}
		m := dumpLine.FindStringSubmatch(line)
		if m == nil {
			return nil, false
		}
		off, err := strconv.ParseUint(m[1], 16, 32)
		if err != nil {
			return nil, false
		}
		rows = append(rows, row{int(off), m[2]})
	}
	var b []byte
	for i, r := range rows {
		if r.offset != len(b) {
			return nil, false
		}
		most := 16
		if i+1 < len(rows) {
			most = rows[i+1].offset - r.offset
		} else if i > 0 {
			most = rows[1].offset
		}
		b = appendDumpRow(b, r.body, most)
	}
	return b, len(b) > 0
}

// appendDumpRow appends the bytes of one row of a dump, at most most of them: what follows is text.
func appendDumpRow(b []byte, body string, most int) []byte {
	body, _, _ = strings.Cut(body, "|")
	row := 0
	for row < most {
		m := dumpGroup.FindStringSubmatch(body)
		if m == nil || row+len(m[1])/2 > most {
			break
		}
		part, err := hex.DecodeString(m[1])
		if err != nil {
			break
		}
		b, row = append(b, part...), row+len(part)
		body = body[len(m[0]):]
		if len(m[2]) > 1 && row != 8 { // only a gap in the middle is followed by more
			break
		}
	}
	return b
}
