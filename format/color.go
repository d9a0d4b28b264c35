package format

import (
	"fmt"
	"strings"

	"github.com/fatih/color"
)

// ColorMode is the value of --color.
type ColorMode uint8

const (
	// ColorAuto colours what goes to a terminal, unless the environment says otherwise.
	ColorAuto ColorMode = iota
	// ColorAlways colours everything.
	ColorAlways
	// ColorNever colours nothing.
	ColorNever
)

var colorModeNames = [...]string{ColorAuto: "auto", ColorAlways: "always", ColorNever: "never"}

// ParseColorMode reads auto, always or never.
func ParseColorMode(s string) (ColorMode, error) {
	for i, name := range colorModeNames {
		if s == name {
			return ColorMode(i), nil
		}
	}
	return ColorAuto, fmt.Errorf("unknown color mode %q: allowed are auto, always, never", s)
}

// String returns the name ParseColorMode reads, or "ColorMode(n)" for a value that has none.
func (m ColorMode) String() string {
	if int(m) < len(colorModeNames) {
		return colorModeNames[m]
	}
	return fmt.Sprintf("ColorMode(%d)", uint8(m))
}

// UseColor decides whether to colour a stream. always and never are final. auto asks, in this order: a non-empty
// NO_COLOR says no (no-color.org), a CLICOLOR_FORCE other than empty and 0 says yes, CLICOLOR=0 and TERM=dumb say no,
// and then it is whether the stream is a terminal.
func UseColor(mode ColorMode, isTTY bool, getenv func(string) string) bool {
	switch mode {
	case ColorAlways:
		return true
	case ColorNever:
		return false
	}
	if getenv("NO_COLOR") != "" {
		return false
	}
	if force := getenv("CLICOLOR_FORCE"); force != "" && force != "0" {
		return true
	}
	if getenv("CLICOLOR") == "0" || getenv("TERM") == "dumb" {
		return false
	}
	return isTTY
}

// Style is a way to print text on a terminal. The zero Style prints it as it is.
type Style struct{ on, off string }

// Append appends s in the style. It trusts s: text from the network goes through AppendSafe first.
func (st Style) Append(dst []byte, s string) []byte {
	dst = append(dst, st.on...)
	dst = append(dst, s...)
	return append(dst, st.off...)
}

// Sprint returns s in the style.
func (st Style) Sprint(s string) string { return st.on + s + st.off }

// Palette is the set of styles of all of mq's output. The zero Palette has no colours.
type Palette struct {
	// Topic and Payload are the parts of a message; Retained and Duplicate take the place of Topic in such messages.
	Topic, Payload, Retained, Duplicate Style
	// QoS is for levels of service, packet ids and other small print next to a message.
	QoS Style
	// Error, Hint and Dim are for messages to the user.
	Error, Hint, Dim Style
	// In and Out mark the direction of a packet, from and to the broker.
	In, Out Style
	// Fields tell neighbouring fields of a packet apart.
	Fields [4]Style
}

// field returns the style of the n-th field of a packet.
func (p *Palette) field(n int) Style {
	return p.Fields[n%len(p.Fields)]
}

// NewPalette returns the colours of mq, or the zero Palette if they are not enabled. They are the ones that stay
// readable on black and on white: none of yellow, blue, white, black and the bright colours.
func NewPalette(enabled bool) Palette {
	if !enabled {
		return Palette{}
	}
	return Palette{
		Topic:     newStyle(color.FgCyan),
		Retained:  newStyle(color.FgMagenta),
		Duplicate: newStyle(color.FgMagenta, color.Underline),
		QoS:       newStyle(color.Faint),
		Error:     newStyle(color.FgRed, color.Bold),
		Hint:      newStyle(color.FgGreen),
		Dim:       newStyle(color.Faint),
		In:        newStyle(color.FgGreen),
		Out:       newStyle(color.FgCyan),
		Fields:    [4]Style{newStyle(color.FgCyan), newStyle(color.FgMagenta), newStyle(color.FgGreen), newStyle(color.FgRed)},
	}
}

// newStyle takes the sequences from fatih/color once, so that no message pays for fmt, and no global has a say.
func newStyle(attrs ...color.Attribute) Style {
	const mark = "\x00"
	c := color.New(attrs...)
	c.EnableColor()
	on, off, _ := strings.Cut(c.Sprint(mark), mark)
	return Style{on, off}
}
