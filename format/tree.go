package format

import (
	"fmt"
	"strconv"
	"strings"

	"mq/packet"
)

// TreeOptions says how AppendTree shows a packet.
type TreeOptions struct {
	// Hex puts the bytes of every field beside it; Raw must then be the packet's bytes.
	Hex bool
	Raw []byte
	// Offset is where the packet begins in its stream; ranges count from the packet's first byte.
	Offset int64
	// ShowSecrets shows passwords and authentication data, which are masked otherwise.
	ShowSecrets bool
	Palette     Palette
}

const (
	hexPerRow   = 8
	treeName    = 38  // cells of range-less field name with its indentation
	longestText = 160 // bytes of a value that are shown
)

// AppendTree appends every field of a packet in the order of the wire, with byte range, value and meaning, and then the
// rules the packet breaks.
func AppendTree(dst []byte, a *packet.Annotated, o TreeOptions) []byte {
	t := &tree{dst: dst, o: o}
	t.line("%s  MQTT %s  %s at offset %d", t.o.Palette.Topic.Sprint(a.Type.String()), a.Version, plural(a.Len, "byte"), o.Offset)
	t.fields(a.Fields, 0)
	for _, f := range a.Findings {
		t.finding(&f)
	}
	return t.dst
}

// tree is one AppendTree under way.
type tree struct {
	dst  []byte
	o    TreeOptions
	leaf int // number of the leaf field, which picks its colour
}

func (t *tree) line(format string, a ...any) {
	t.dst = append(fmt.Appendf(t.dst, format, a...), '\n')
}

func (t *tree) fields(fields []packet.Field, depth int) {
	for i := range fields {
		f := &fields[i]
		switch {
		case f.Kind == packet.KindBits:
			t.bits(f, depth)
			continue
		case f.Kind == packet.KindGroup:
			t.row(f, depth, "", Style{})
		default:
			t.leaf++
			t.row(f, depth, t.value(f), t.o.Palette.field(t.leaf))
		}
		t.fields(f.Fields, depth+1)
	}
}

// row writes a field on a line, and with Hex its bytes beside it, on as many lines as they take.
func (t *tree) row(f *packet.Field, depth int, value string, style Style) {
	name := strings.Repeat("  ", depth) + f.Name
	pad := max(1, treeName-len(name))
	text := name
	if value != "" {
		text += strings.Repeat(" ", pad) + value
	}
	if !t.o.Hex {
		t.line("  %-10s%s", byteRange(f.Start, f.End), text)
		return
	}
	var bytes []byte
	if f.Kind != packet.KindGroup {
		bytes = t.o.Raw[min(f.Start, len(t.o.Raw)):min(f.End, len(t.o.Raw))]
	}
	secret := f.Secret && !t.o.ShowSecrets
	rows := max(1, (len(bytes)+hexPerRow-1)/hexPerRow)
	for i := range rows {
		hex := hexRow(bytes[min(i*hexPerRow, len(bytes)):min((i+1)*hexPerRow, len(bytes))], secret)
		label, right := "", ""
		if i == 0 {
			label, right = byteRange(f.Start, f.End), text
		}
		padded := style.Sprint(hex) + strings.Repeat(" ", hexPerRow*3+1-len([]rune(hex)))
		t.dst = append(t.dst, strings.TrimRight(fmt.Sprintf("  %-10s%s%s", label, padded, right), " ")...)
		t.dst = append(t.dst, '\n')
	}
}

// hexRow shows bytes as hexadecimal pairs; a secret as dots.
func hexRow(b []byte, secret bool) string {
	var s strings.Builder
	for _, c := range b {
		if secret {
			s.WriteString("•• ")
			continue
		}
		fmt.Fprintf(&s, "%02x ", c)
	}
	return s.String()
}

// bits writes some bits of a byte with the others as dots.
func (t *tree) bits(f *packet.Field, depth int) {
	pattern := make([]byte, 0, 9)
	value := f.Uint << shift(f.Mask)
	for i := 7; i >= 0; i-- {
		bit := byte('.')
		if f.Mask>>i&1 == 1 {
			bit = '0' + byte(value>>i&1)
		}
		if pattern = append(pattern, bit); i == 4 {
			pattern = append(pattern, ' ')
		}
	}
	text := strconv.FormatUint(uint64(f.Uint), 10)
	if f.Meaning != "" {
		text += "  " + f.Meaning
	}
	hex := ""
	if t.o.Hex {
		hex = strings.Repeat(" ", hexPerRow*3+1)
	}
	name := strings.Repeat("  ", depth) + string(pattern) + "  " + f.Name
	t.line("  %-10s%s%s%s%s", "", hex, t.o.Palette.Dim.Sprint(name), strings.Repeat(" ", max(1, treeName-len(name))), text)
}

func shift(mask byte) int {
	n := 0
	for mask != 0 && mask&1 == 0 {
		mask >>= 1
		n++
	}
	return n
}

// value is what a field holds, and what that means.
func (t *tree) value(f *packet.Field) string {
	var s string
	switch {
	case f.Secret && !t.o.ShowSecrets:
		return "•••"
	case f.Kind == packet.KindUint && f.End-f.Start == 1 && len(f.Fields) > 0:
		s = fmt.Sprintf("0x%02x", f.Uint)
	case f.Kind == packet.KindUint:
		s = strconv.FormatUint(uint64(f.Uint), 10)
	default:
		s = quoteBytes(f.Bytes)
	}
	if f.Meaning != "" {
		s += "  " + f.Meaning
	}
	return s
}

// quoteBytes shows text in quotes, safe for a terminal, and cut when it is long.
func quoteBytes(b []byte) string {
	more := ""
	if len(b) > longestText {
		more = fmt.Sprintf("… %s in all", plural(len(b), "byte"))
		b = b[:longestText]
	}
	return `"` + safe(string(b)) + `"` + more
}

// finding writes a broken rule: what, where, whose fault, and what a 5.0 receiver should have answered.
func (t *tree) finding(f *packet.Finding) {
	style := t.o.Palette.Hint
	if f.Severity == packet.SeverityError {
		style = t.o.Palette.Error
	}
	text := fmt.Sprintf("  %s [%s] of MQTT %s: %s", style.Sprint(f.Severity.String()), f.Rule, f.Version, f.Text)
	if f.Rule == "" {
		text = fmt.Sprintf("  %s: %s", style.Sprint(f.Severity.String()), f.Text)
	}
	var details []string
	if f.Field != "" {
		details = append(details, f.Field+", "+byteWord(f.Start, f.End))
	}
	if f.Side != packet.SideUnknown {
		details = append(details, fmt.Sprintf("the %s is at fault", f.Side))
	}
	if f.Code != 0 {
		details = append(details, fmt.Sprintf("the answer is %s (0x%02x)", f.Code, byte(f.Code)))
	}
	if len(details) > 0 {
		text += " (" + strings.Join(details, "; ") + ")"
	}
	t.dst = append(append(t.dst, text...), '\n')
}

// byteWord names the bytes [start,end).
func byteWord(start, end int) string {
	if end-start <= 1 {
		return "byte " + strconv.Itoa(start)
	}
	return "bytes " + byteRange(start, end)
}

// byteRange writes the bytes [start,end) as first-last.
func byteRange(start, end int) string {
	if end-start <= 1 {
		return strconv.Itoa(start)
	}
	return fmt.Sprintf("%d-%d", start, end-1)
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
