package packet

import "fmt"

// Kind is how a Field's bytes are to be read.
type Kind byte

// The kinds of field.
const (
	KindGroup  Kind = 0 // has parts and no value of its own
	KindUint   Kind = 1 // an integer, in Uint
	KindString Kind = 2 // UTF-8 text, in Bytes
	KindBinary Kind = 3 // any bytes, in Bytes
	KindBits   Kind = 4 // some bits of the field above it, in Uint, under Mask
)

// String returns "group", "uint", "string", "binary" or "bits", or "Kind(n)".
func (k Kind) String() string {
	names := [...]string{"group", "uint", "string", "binary", "bits"}
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("Kind(%d)", byte(k))
}

// Field is one part of a packet as it stands on the wire. The fields without parts, bits apart, cover every byte of the
// packet exactly once and in order.
type Field struct {
	// Name is the specification's name.
	Name string
	Kind Kind
	// Start and End are the field's bytes [Start,End), counted from the packet's first byte.
	Start, End int
	// Content is where the value begins after its two-byte length, for strings and binary data that have one, else 0.
	Content int
	// Mask has the field's bits of its byte set, for KindBits, else 0.
	Mask byte
	// Uint is the value of KindUint and KindBits; for KindBits it is shifted down.
	Uint uint32
	// Bytes is the value of KindString and KindBinary. It aliases the packet.
	Bytes []byte
	// Meaning says what the value means, "" where the value says it all.
	Meaning string
	// Secret is set on passwords and authentication data, which renderers mask unless told otherwise.
	Secret bool
	// Property is the identifier of a property's group, else 0.
	Property PropertyID
	// Fields are the parts, in the order of the wire.
	Fields []Field
}

// Annotated is a packet with every field in its place and every rule it breaks.
type Annotated struct {
	// Packet holds the values that could be decoded; nil when the type has no body this package knows.
	Packet    Packet
	Type      Type
	Flags     byte // the lower four bits of the first byte
	Version   Version
	Direction Direction
	// Len is the number of bytes described. Another packet may begin after them, unless Truncated is set or the remaining
	// length itself could not be read.
	Len int
	// Truncated is set when the bytes ended before the packet.
	Truncated bool
	Fields    []Field
	Findings  []Finding
}

// Worst returns the greatest severity among the findings.
func (a *Annotated) Worst() Severity {
	var s Severity
	for _, f := range a.Findings {
		s = max(s, f.Severity)
	}
	return s
}

// Annotate decodes the packet at the start of b and describes it field by field, going on past errors as far as the
// lengths allow. A CONNECT is judged by the version it names, any other packet by v. Rules that depend on who sends are
// applied when d is known; but for those, Decode fails on b exactly when a finding is of SeverityError, and reports the
// first of them. Everything in the result that is a []byte aliases b, so it is valid until b is changed.
func Annotate(b []byte, v Version, d Direction) *Annotated {
	rec := &recorder{lists: make([][]Field, 1, 4)}
	a := &Annotated{Direction: d}
	r := reader{b: b, v: v, dir: d, rec: rec, lint: true}
	if r.begin(0) {
		a.Packet = newPacket(r.t)
		a.Packet.decode(&r)
		r.finish(trailingRule(r.t, r.v, r.b))
	}
	a.Type, a.Flags, a.Version, a.Len = r.t, r.flags, r.v, r.end
	a.Fields, a.Findings = rec.lists[0], r.finds
	for _, f := range a.Findings {
		a.Truncated = a.Truncated || f.Key == ruleTruncated.Key
	}
	return a
}

// recorder gathers fields.
type recorder struct {
	open  []Field   // the groups that are not closed yet
	lists [][]Field // the parts of the packet, then of each open group
}

func (c *recorder) add(f Field) {
	top := len(c.lists) - 1
	c.lists[top] = append(c.lists[top], f)
}

// last returns the field added last, for what is known only after it was read.
func (c *recorder) last() *Field {
	l := c.lists[len(c.lists)-1]
	if len(l) == 0 {
		return &Field{}
	}
	return &l[len(l)-1]
}

// group opens a field with parts.
func (c *recorder) group(name string, start int) {
	c.open = append(c.open, Field{Name: name, Start: start})
	c.lists = append(c.lists, nil)
}

// close closes the innermost group, which ends at byte end; one without parts is left out.
func (c *recorder) close(end int) {
	top := len(c.open) - 1
	f := c.open[top]
	f.End, f.Fields = end, c.lists[top+1]
	c.open, c.lists = c.open[:top], c.lists[:top+1]
	if len(f.Fields) > 0 {
		c.add(f)
	}
}

// bits adds a part of the byte added last. Its value is cut out of the byte.
func (c *recorder) bits(name string, mask byte, meaning string) {
	f := c.last()
	n := byte(f.Uint) & mask
	for m := mask; m != 0 && m&1 == 0; m >>= 1 {
		n >>= 1
	}
	f.Fields = append(f.Fields, Field{Name: name, Kind: KindBits, Start: f.Start, End: f.End, Mask: mask, Uint: uint32(n), Meaning: meaning})
}

// recordHeader describes the fixed header; err is what ParseHeader said.
func (r *reader) recordHeader(h Header, err error) {
	c := r.rec
	if len(r.b) == 0 {
		return
	}
	size := min(h.Size, len(r.b))
	c.group("Fixed Header", 0)
	c.add(Field{Name: "Packet Type and Flags", Kind: KindUint, End: 1, Uint: uint32(r.b[0])})
	c.bits("Control Packet Type", 0xf0, r.t.String())
	if r.t == PUBLISH || r.v == V31 && wantFlags[r.t].flags == 2 {
		q := QoS(r.flags >> 1 & 3)
		c.bits("DUP", 0x08, "")
		c.bits("QoS", 0x06, qosWords(q))
		c.bits("RETAIN", 0x01, "")
	} else {
		c.bits("Reserved", 0x0f, "")
	}
	if size > 1 {
		f := Field{Name: "Remaining Length", Kind: KindUint, Start: 1, End: size, Uint: uint32(h.Remaining)}
		if err != nil {
			f.Kind, f.Uint, f.Bytes = KindBinary, 0, r.b[1:size]
		} else {
			f.Meaning = fmt.Sprintf("%d bytes in all", h.Total())
		}
		c.add(f)
	}
	c.close(size)
}

func qosWords(q QoS) string {
	switch q {
	case AtMostOnce:
		return "at most once"
	case AtLeastOnce:
		return "at least once"
	case ExactlyOnce:
		return "exactly once"
	}
	return "not allowed"
}
