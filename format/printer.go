package format

import (
	"io"
	"time"

	"mq/packet"
)

// maxKeptBuffer is the largest buffer a Printer keeps between messages: one huge message should not cost memory for ever.
const maxKeptBuffer = 1 << 20

// Options says how a Printer prints: as JSON, else by Template, else plainly.
type Options struct {
	// Template prints by an output format (-F).
	Template *Template
	// JSON prints JSON Lines with a type (--json); EmbedJSON puts payloads that are JSON into them as the value they are.
	JSON, EmbedJSON bool
	// Pretty indents JSON over several lines (--pretty), in a Template too.
	Pretty bool
	// Verbose puts the topic before a plain payload (-v).
	Verbose bool
	// NoNewline leaves out the line feed after a message (-N). JSON Lines keep theirs.
	NoNewline bool
	// Safe makes what comes from the network safe for a terminal; Multiline lets payloads keep line feeds and tabs.
	Safe, Multiline bool
	// Palette colours plain output. A Template has the colours its author gave it, and JSON none.
	Palette Palette
}

// Printer writes messages to a writer, each with one Write. It is not for concurrent use.
type Printer struct {
	w       io.Writer
	o       Options
	plain   PlainOptions
	buf     []byte
	problem Problem
}

// NewPrinter returns a Printer on w. To buffer and to flush is the caller's business.
func NewPrinter(w io.Writer, o Options) *Printer {
	return &Printer{w: w, o: o, plain: PlainOptions{
		Verbose: o.Verbose, NoNewline: o.NoNewline, Safe: o.Safe, Multiline: o.Multiline, Palette: o.Palette,
	}}
}

// Print writes m, received at the time at. printed is false if there was nothing to write: an empty payload without
// Verbose, Template or JSON.
func (p *Printer) Print(m *packet.Message, at time.Time) (printed bool, err error) {
	b := p.buf[:0]
	p.problem = 0
	switch {
	case p.o.JSON:
		b, p.problem = AppendJSON(b, m, at, JSONOptions{Embed: p.o.EmbedJSON, Typed: true, Pretty: p.o.Pretty})
		b = append(b, '\n')
	case p.o.Template != nil:
		o := TemplateOptions{Pretty: p.o.Pretty, Safe: p.o.Safe, Multiline: p.o.Multiline}
		b, p.problem = p.o.Template.AppendWith(b, m, at, o)
		if !p.o.NoNewline {
			b = append(b, '\n')
		}
	default:
		b = appendPlain(b, m, &p.plain)
	}
	if cap(b) <= maxKeptBuffer {
		p.buf = b
	}
	if len(b) == 0 {
		return false, nil
	}
	if _, err := p.w.Write(b); err != nil {
		return false, err
	}
	return true, nil
}

// Problem returns what stood in the way of printing the latest message as asked, for a warning on standard error.
func (p *Printer) Problem() Problem { return p.problem }
