package packet

import (
	"bytes"
	"unicode/utf8"
)

// reader walks over one packet. The same walk serves the strict decoder, which stops at the first error, and the
// annotated one, which collects and goes on; so the two cannot disagree about what is allowed.
type reader struct {
	b     []byte // the packet from its first byte, and whatever follows it
	off   int    // the next byte
	end   int    // the end of the packet, or of its properties while they are read
	t     Type
	flags byte
	v     Version
	dir   Direction
	dead  bool      // nothing more can be read or judged
	cut   bool      // the bytes end before the packet does, which has been said
	err   *Error    // strict decoding: the first error
	lint  bool      // annotated decoding and linting: go on past errors and collect
	finds []Finding // what was collected
	rec   *recorder // annotated decoding: every field; else nil
}

// fault reports that the bytes [start,end), which hold the named field, break the rule. Where the rule weighs less than
// an error in the packet's version, strict decoding goes on.
func (r *reader) fault(rule *Rule, field string, start, end int) {
	sev := rule.Severity(r.v)
	if r.dead || sev == SeverityNone || rule.Directional && r.dir == DirUnknown {
		return
	}
	if r.lint {
		r.finds = append(r.finds, r.finding(rule, field, start, end))
		return
	}
	if sev == SeverityError {
		r.err = &Error{Type: r.t, Field: field, Offset: start, Err: rule.Err, Version: r.v, Rule: rule.ID(r.v), Text: rule.Text, Code: rule.Code}
		r.dead, r.off = true, r.end
	}
}

// short reports a field that does not fit and gives up on the rest.
func (r *reader) short(rule *Rule, field string) {
	if !r.cut {
		r.fault(rule, field, r.off, r.end)
	}
	r.undecoded()
}

// undecoded leaves the rest of the packet alone.
func (r *reader) undecoded() {
	if r.rec != nil && r.off < r.end && !r.dead {
		r.leave()
	}
	r.off, r.dead = r.end, true
}

// leave describes the bytes up to the end as a field of their own. Where a password or authentication data may be among
// them they are secret.
func (r *reader) leave() {
	secret := r.t == CONNECT || r.t == CONNACK || r.t == AUTH
	r.rec.add(Field{Name: "Undecoded Bytes", Kind: KindBinary, Start: r.off, End: r.end, Bytes: r.b[r.off:r.end], Secret: secret})
	r.off = r.end
}

// left returns the number of bytes not yet read.
func (r *reader) left() int { return r.end - r.off }

// u8 reads a byte; missing is the rule that demands it.
func (r *reader) u8(name string, missing *Rule) byte {
	if r.left() < 1 {
		r.short(missing, name)
		return 0
	}
	c := r.b[r.off]
	r.off++
	if r.rec != nil {
		r.rec.add(Field{Name: name, Kind: KindUint, Start: r.off - 1, End: r.off, Uint: uint32(c)})
	}
	return c
}

// u16 reads a two-byte integer.
func (r *reader) u16(name string, missing *Rule) uint16 {
	if r.left() < 2 {
		r.short(missing, name)
		return 0
	}
	n := uint16(r.b[r.off])<<8 | uint16(r.b[r.off+1])
	r.off += 2
	if r.rec != nil {
		r.rec.add(Field{Name: name, Kind: KindUint, Start: r.off - 2, End: r.off, Uint: uint32(n)})
	}
	return n
}

// packetID reads a packet identifier, which is never 0.
func (r *reader) packetID(zero *Rule) uint16 {
	id := r.u16("Packet Identifier", &rulePastEnd)
	if id == 0 {
		r.fault(zero, "Packet Identifier", r.off-2, r.off)
	}
	return id
}

// prefixed reads bytes with a two-byte length before them.
func (r *reader) prefixed(name string, kind Kind, missing *Rule) []byte {
	if r.left() < 2 {
		if r.left() == 1 {
			missing = &rulePastEnd
		}
		r.short(missing, name)
		return nil
	}
	n := int(r.b[r.off])<<8 | int(r.b[r.off+1])
	if n > r.left()-2 {
		r.short(&rulePastEnd, name)
		return nil
	}
	start := r.off
	r.off += 2 + n
	s := r.b[start+2 : r.off : r.off]
	if r.rec != nil {
		r.rec.add(Field{Name: name, Kind: kind, Start: start, End: r.off, Content: start + 2, Bytes: s})
	}
	return s
}

// str reads a UTF-8 string (section 1.5.4 of 5.0, 1.5.3 of 3.1.1); encoding is the rule that demands UTF-8 of it.
func (r *reader) str(name string, missing, encoding *Rule) []byte {
	s := r.prefixed(name, KindString, missing)
	r.text(name, s, r.off-len(s), encoding)
	return s
}

// text judges the characters of a string that begins at byte at.
func (r *reader) text(name string, s []byte, at int, encoding *Rule) {
	if printable(s) {
		return
	}
	if !utf8.Valid(s) { // [MQTT-1.5.4-1]; surrogates are no valid UTF-8 to Go either
		r.fault(encoding, name, at, at+len(s))
	}
	if i := bytes.IndexByte(s, 0); i >= 0 {
		r.fault(&ruleNUL, name, at+i, at+i+1) // [MQTT-1.5.4-2]
	}
	if r.lint {
		if start, end := discouraged(s); end > start {
			r.fault(&ruleControl, name, at+start, at+end)
		}
	}
}

// finish judges what is left over and returns the length of the packet.
func (r *reader) finish(trailing *Rule) (int, error) {
	if !r.dead && r.left() > 0 {
		r.short(trailing, "Remaining Length")
	}
	if r.err != nil {
		return 0, r.err
	}
	return r.end, nil
}
