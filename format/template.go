package format

import (
	"fmt"
	"strings"
	"time"

	"github.com/ncruces/go-strftime"

	"mq/packet"
)

// Template is a compiled output format in the language of mosquitto_sub's -F. It holds no state: any number of
// goroutines may append with one.
//
// It differs from mosquitto_sub 2.0.11 in these points, each a defect there:
//
//   - width cuts %x and %X to whole bytes that fit, where mosquitto prints half of the payload's bytes or half the width;
//   - %-p and %-x without a width add no spaces, where mosquitto adds one per byte;
//   - %j and %J lose nothing (see AppendJSON);
//   - @ with a letter that strftime does not know, and widths above 65535, are errors. @L, @f and @Q (milli- and
//     microseconds of the second, Unix milliseconds) and @+ and @v are extra.
//
// From mosquitto 2.1 come %f and %d (the payload as an IEEE 754 number of 4 or 8 bytes, little-endian) and the grouping
// of %.2:x: 2 digits, then a colon. Without a separator the groups are separated by spaces, as in 2.1; 2.0.11 ignores
// the precision of %x.
type Template struct {
	segments []segment
}

// TemplateOptions says how a Template prints messages.
type TemplateOptions struct {
	// Pretty indents the objects of %j and %J.
	Pretty bool
	// Safe passes everything that comes from the network through AppendSafe; what the template itself says stays.
	Safe bool
	// Multiline lets a Safe %p keep its line feeds and tabs.
	Multiline bool
}

// kind is what a segment prints: one of the constants below, or the byte after the % of a specifier.
type kind byte

const (
	literal  kind = iota // text
	layout               // the time in the layout text, for package time
	strfTime             // the time in the format text, for package strftime
	nanos                // nanoseconds of the second, 9 digits
)

// segment is one step of a Template.
type segment struct {
	kind  kind
	text  string
	width int
	prec  int // -1 if there is none
	left  bool
	zero  bool
	sep   byte // between groups of hexadecimal digits
}

// ParseTemplate compiles an output format. Its error is a *TemplateError.
func ParseTemplate(s string) (*Template, error) {
	p := templateParser{in: s}
	for p.pos < len(s) {
		n := strings.IndexAny(s[p.pos:], `%@\`)
		if n < 0 {
			n = len(s) - p.pos
		}
		if n > 0 {
			p.addLiteral(s[p.pos : p.pos+n])
			p.pos += n
			continue
		}
		var err error
		switch s[p.pos] {
		case '%':
			err = p.field()
		case '@':
			err = p.time()
		default:
			err = p.escape()
		}
		if err != nil {
			return nil, err
		}
	}
	return &Template{p.segments}, nil
}

// Append appends m, received at the time at, to dst. No line feed follows it. The time prints in its own location.
func (t *Template) Append(dst []byte, m *packet.Message, at time.Time) []byte {
	dst, _ = t.AppendWith(dst, m, at, TemplateOptions{})
	return dst
}

// TemplateError says what is wrong with an output format, and where.
type TemplateError struct {
	// Template is the whole format and Offset where Specifier begins in it, in bytes.
	Template string
	Offset   int
	// Specifier is the part that is wrong, beginning with %, @ or a backslash.
	Specifier string
	// Why is what is wrong with it, and Allowed what could stand there instead.
	Why, Allowed string
}

// Error returns the complaint on one line, with the position counted from 1.
func (e *TemplateError) Error() string {
	return fmt.Sprintf("%s %q at position %d: %s", e.Why, e.Specifier, e.Offset+1, e.Allowed)
}

const (
	fieldLetters  = "%ACDEFIJPRSUXdfjlmpqrtx"
	timeLetters   = "%+ABCDFGHILMNPQRSTUVWXYZabcdefghjklmnprstuvwxyz"
	escapeLetters = `\0aenrtv`
	separators    = ":-., _;/|"
	maxWidth      = 65535
)

var (
	allowedFields  = "allowed after %, with an optional - or 0, width and .precision, are " + spaced(fieldLetters) + "; %% is a percent sign"
	allowedTimes   = "allowed after @ are " + spaced(timeLetters) + "; @@ is an at sign"
	allowedEscapes = `allowed after \ are ` + spaced(escapeLetters) + `; \\ is a backslash`
)

func spaced(letters string) string { return strings.Join(strings.Split(letters, ""), " ") }

// templateParser holds a parse in progress; pos is at the introducer while one is parsed.
type templateParser struct {
	in       string
	pos      int
	segments []segment
}

func (p *templateParser) fail(end int, why, allowed string) error {
	for end < len(p.in) && end > p.pos && p.in[end]&0xc0 == 0x80 { // keep a character of several bytes whole
		end++
	}
	return &TemplateError{Template: p.in, Offset: p.pos, Specifier: p.in[p.pos:min(end, len(p.in))], Why: why, Allowed: allowed}
}

func (p *templateParser) addLiteral(s string) {
	if n := len(p.segments); n > 0 && p.segments[n-1].kind == literal {
		p.segments[n-1].text += s
		return
	}
	p.segments = append(p.segments, segment{kind: literal, text: s})
}

// field parses %[-][0][width][.precision][separator]letter. A 0 after a - only matters to absent properties, and they
// print it as mosquitto does.
func (p *templateParser) field() error {
	seg := segment{prec: -1, sep: ' '}
	i := p.pos + 1
	if i < len(p.in) && p.in[i] == '-' {
		seg.left = true
		i++
	}
	if i < len(p.in) && p.in[i] == '0' {
		seg.zero = true
		i++
	}
	seg.width, i = number(p.in, i)
	if i < len(p.in) && p.in[i] == '.' {
		seg.prec, i = number(p.in, i+1)
	}
	if seg.width > maxWidth || seg.prec > maxWidth {
		return p.fail(i+1, "too large a number in", fmt.Sprintf("widths and precisions go up to %d", maxWidth))
	}
	separator := i < len(p.in) && strings.IndexByte(separators, p.in[i]) >= 0
	if separator {
		seg.sep = p.in[i]
		i++
	}
	if i >= len(p.in) {
		return p.fail(i, "incomplete specifier", allowedFields)
	}
	c := p.in[i]
	switch {
	case separator && c != 'x' && c != 'X':
		return p.fail(i+1, "misplaced separator in specifier", allowedFields)
	case strings.IndexByte(fieldLetters, c) < 0:
		return p.fail(i+1, "unknown specifier", allowedFields)
	case c == '%':
		p.addLiteral("%")
	default:
		seg.kind = kind(c)
		p.segments = append(p.segments, seg)
	}
	p.pos = i + 1
	return nil
}

// number reads decimal digits at s[i], and returns their value, or more than maxWidth, and where they end.
func number(s string, i int) (n, end int) {
	for ; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
		n = min(n*10+int(s[i]-'0'), maxWidth+1)
	}
	return n, i
}

func (p *templateParser) time() error {
	if p.pos+1 >= len(p.in) {
		return p.fail(p.pos+1, "incomplete specifier", allowedTimes)
	}
	c := p.in[p.pos+1]
	switch {
	case c == '@' || c == '%':
		p.addLiteral(string(rune(c)))
	case c == 'N':
		p.segments = append(p.segments, segment{kind: nanos})
	case strings.IndexByte(timeLetters, c) < 0:
		return p.fail(p.pos+2, "unknown specifier", allowedTimes)
	default:
		p.segments = append(p.segments, timeSegment(c))
	}
	p.pos += 2
	return nil
}

// timeSegment prefers a layout of package time, which does not allocate, over package strftime.
func timeSegment(c byte) segment {
	format := "%" + string(rune(c))
	if l, err := strftime.Layout(format); err == nil && l != "" {
		return segment{kind: layout, text: l}
	}
	return segment{kind: strfTime, text: format}
}

func (p *templateParser) escape() error {
	if p.pos+1 >= len(p.in) {
		return p.fail(p.pos+1, "incomplete escape", allowedEscapes)
	}
	n := strings.IndexByte(escapeLetters, p.in[p.pos+1])
	if n < 0 {
		return p.fail(p.pos+2, "unknown escape", allowedEscapes)
	}
	p.addLiteral("\\\x00\a\x1b\n\r\t\v"[n : n+1])
	p.pos += 2
	return nil
}
