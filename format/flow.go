package format

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"mq/flow"
	"mq/packet"
)

// FlowOptions says what a FlowPrinter shows.
type FlowOptions struct {
	Palette Palette
	// Width is that of the terminal in cells; 0 is for no terminal. A terminal narrower than 100 cells is not shown the time
	// between packets, and what does not fit its lines goes on lines of its own. Nothing is cut for want of room.
	Width int
	// Depth says how much of each packet is shown.
	Depth Depth
	// ShowSecrets shows passwords and authentication data.
	ShowSecrets bool
	// OnlyDiagnostics leaves out packets that break no rule.
	OnlyDiagnostics bool
	// NoSummary leaves out the summary at the end.
	NoSummary bool
	// Start is time zero; the first packet's time if it is zero.
	Start time.Time
}

// Depth is how much of each packet is shown.
type Depth byte

// The depths.
const (
	DepthFlow  Depth = 0 // a line a packet
	DepthTree  Depth = 1 // every field
	DepthBytes Depth = 2 // every field beside its bytes
)

// maxLanes is how many handshakes are drawn side by side; those beyond have no bracket. A narrow terminal has fewer.
const (
	maxLanes    = 6
	narrowLanes = 3
	narrowWidth = 100
)

// FlowPrinter shows the events of a flow.Tracker: one line a packet, handshakes drawn together with the time they took,
// broken rules below the packet that broke them. It is not for concurrent use.
type FlowPrinter struct {
	w     io.Writer
	o     FlowOptions
	lanes []int64 // handshakes under way, 0 for a free lane
	wrap  bool    // the width is that of a terminal
	buf   []byte
	err   error
}

// NewFlowPrinter returns a FlowPrinter on w.
func NewFlowPrinter(w io.Writer, o FlowOptions) *FlowPrinter {
	p := &FlowPrinter{w: w, o: o, wrap: o.Width > 0}
	if !p.wrap {
		p.o.Width = narrowWidth
	}
	p.lanes = make([]int64, maxLanes)
	if p.narrow() {
		p.lanes = p.lanes[:narrowLanes]
	}
	return p
}

func (p *FlowPrinter) narrow() bool { return p.o.Width < narrowWidth }

// Event shows one event. After an error of the writer nothing more is written; Err returns it.
func (p *FlowPrinter) Event(e flow.Event) {
	p.buf = p.buf[:0]
	switch e := e.(type) {
	case *flow.PacketEvent:
		p.packet(e)
	case *flow.Diagnostic:
		p.diagnostic(e)
	case *flow.ConnectionEvent:
		p.connection(e)
	case *flow.FlowEvent:
		p.handshake(e)
	case *flow.Summary:
		if !p.o.NoSummary {
			p.buf = AppendSummary(p.buf, e, p.o.Palette)
		}
	}
	p.flush()
}

// Fault shows a fault that was injected into the last packet shown.
func (p *FlowPrinter) Fault(f *Fault) {
	p.buf = p.buf[:0]
	p.under(p.o.Palette.Hint, "fault", fmt.Sprintf(": packet %d %s (--fault %q)", f.Packet, safe(f.Text), safe(f.Rule)))
	p.flush()
}

func (p *FlowPrinter) flush() {
	if len(p.buf) > 0 && p.err == nil {
		_, p.err = p.w.Write(p.buf)
	}
}

// Err returns the first error of the writer.
func (p *FlowPrinter) Err() error { return p.err }

func (p *FlowPrinter) packet(e *flow.PacketEvent) {
	before := slices.Clone(p.lanes)
	lane := p.lane(e)
	if p.o.OnlyDiagnostics && len(e.Findings) == 0 {
		return
	}
	arrow, style := "→", p.o.Palette.Out
	if e.Dir == packet.ServerToClient {
		arrow, style = "←", p.o.Palette.In
	}
	used := p.columns(strconv.FormatInt(e.Number, 10), e.Time, e.Delta, e.ConnNumber)
	p.buf = append(p.buf, p.brackets(before, lane, e)...)
	p.buf = style.Append(p.buf, fmt.Sprintf("%s %-11s", arrow, typeName(e)))
	p.buf = p.o.Palette.Dim.Append(p.buf, fmt.Sprintf("%6d B", len(e.Raw)))
	const label = 2 + 11 + 8
	text, remarks := p.describe(e)
	room := p.o.Width - used - len(p.lanes) - 1 - label - 2
	apart := text != "" && remarks != "" && p.wrap && cells(text)+2+cells(remarks) > room
	for i, s := range []string{text, remarks} {
		if apart && i == 1 { // below the text, with the lanes drawn through
			p.buf = append(append(p.buf, '\n'), strings.Repeat(" ", used)...)
			p.buf = append(append(p.buf, p.brackets(p.lanes, -1, e)...), strings.Repeat(" ", label)...)
		}
		if s != "" {
			p.buf = append(append(p.buf, "  "...), s...)
		}
	}
	p.buf = append(p.buf, '\n')
	p.depth(e)
}

// columns begins a line: packet number, time, time since the packet before, connection. It returns the cells they take.
func (p *FlowPrinter) columns(number string, at time.Time, delta time.Duration, conn int) int {
	if p.o.Start.IsZero() {
		p.o.Start = at
	}
	left := fmt.Sprintf("%5s %9.3f  ", number, at.Sub(p.o.Start).Seconds())
	if !p.narrow() {
		left += fmt.Sprintf("%8s  ", shortDuration(delta))
	}
	name := fmt.Sprintf("#%-3d", conn)
	p.buf = append(p.buf, left...)
	p.buf = p.o.Palette.field(conn).Append(p.buf, name)
	p.buf = append(p.buf, ' ')
	return cells(left) + cells(name) + 1
}

// under writes a line about the packet above: a word in a style, and the rest, on as many lines as it takes.
func (p *FlowPrinter) under(style Style, word, rest string) {
	const indent, hang = "      ", "        "
	width := 0
	if p.wrap {
		width = p.o.Width - len(hang)
	}
	for i, line := range wrapCells(word+rest, width) {
		if i > 0 {
			p.buf = append(append(p.buf, hang...), line...)
		} else {
			p.buf = style.Append(append(p.buf, indent...), word)
			p.buf = append(p.buf, strings.TrimPrefix(line, word)...)
		}
		p.buf = append(p.buf, '\n')
	}
}

// wrapCells breaks text between words into lines of width cells; 0 is for no limit.
func wrapCells(text string, width int) []string {
	if width <= 0 || cells(text) <= width {
		return []string{text}
	}
	var lines []string
	line, used := "", 0
	for _, w := range strings.Split(text, " ") {
		n := cells(w)
		if used > 0 && used+1+n > width {
			lines, line, used = append(lines, line), "", 0
		}
		if used > 0 {
			line, used = line+" ", used+1
		}
		line, used = line+w, used+n
	}
	return append(lines, line)
}

// lane finds the lane of the packet's handshake, opens one for its first step and closes it with its last. Only handshakes
// of several steps over messages are drawn: the others are a line and the next.
func (p *FlowPrinter) lane(e *flow.PacketEvent) int {
	if e.Flow == 0 || !drawn(e) {
		return -1
	}
	free := -1
	for i, n := range p.lanes {
		switch {
		case n == e.Flow:
			if e.Completes != nil {
				p.lanes[i] = 0
			}
			return i
		case n == 0 && free < 0:
			free = i
		}
	}
	if e.Step == 1 && e.Completes == nil && free >= 0 {
		p.lanes[free] = e.Flow
		return free
	}
	return -1
}

func drawn(e *flow.PacketEvent) bool {
	switch e.Type {
	case packet.PUBLISH, packet.PUBACK, packet.PUBREC, packet.PUBREL, packet.PUBCOMP:
		return true
	}
	return false
}

// brackets draws the lanes in front of a packet, and a line from that of its handshake to the packet; lane is negative
// for one that has none.
func (p *FlowPrinter) brackets(before []int64, lane int, e *flow.PacketEvent) string {
	var b strings.Builder
	for i := range p.lanes {
		switch {
		case i == lane && before[i] == 0:
			b.WriteString("┌")
		case i == lane && e.Completes != nil:
			b.WriteString("└")
		case i == lane:
			b.WriteString("├")
		case before[i] != 0 && lane >= 0 && i > lane:
			b.WriteString("┼")
		case before[i] != 0:
			b.WriteString("│")
		case lane >= 0 && i > lane:
			b.WriteString("─")
		default:
			b.WriteString(" ")
		}
	}
	if lane >= 0 {
		return b.String() + "─"
	}
	return b.String() + " "
}

// depth adds the fields, and the bytes, of a packet.
func (p *FlowPrinter) depth(e *flow.PacketEvent) {
	if p.o.Depth == DepthFlow {
		return
	}
	a := packet.Annotate(e.Raw, e.Version, e.Dir)
	a.Findings = nil // they follow as events
	p.buf = AppendTree(p.buf, a, TreeOptions{Hex: p.o.Depth == DepthBytes, Raw: e.Raw, Offset: e.Offset, ShowSecrets: p.o.ShowSecrets, Palette: p.o.Palette})
}

func (p *FlowPrinter) diagnostic(d *flow.Diagnostic) {
	style := p.o.Palette.Hint
	if d.Severity == packet.SeverityError {
		style = p.o.Palette.Error
	}
	p.under(style, d.Severity.String(), safe(diagnosticText(d)))
}

func (p *FlowPrinter) connection(e *flow.ConnectionEvent) {
	text := connectionText(e)
	if text == "" || p.o.OnlyDiagnostics {
		return
	}
	p.columns("", e.Time, 0, e.Number)
	p.buf = append(p.o.Palette.Dim.Append(p.buf, safe(text)), '\n')
}

// handshake tells of one that never ended; those that did are part of their last packet's line.
func (p *FlowPrinter) handshake(f *flow.FlowEvent) {
	for i, n := range p.lanes {
		if n == f.Number {
			p.lanes[i] = 0
		}
	}
	if f.Outcome != flow.Incomplete || p.o.OnlyDiagnostics {
		return
	}
	p.under(p.o.Palette.Dim, "not completed", safe(incompleteText(f)))
}
