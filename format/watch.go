package format

import (
	"io"
	"strconv"
	"time"

	"mq/packet"
)

// maxWatchLine is how many bytes of a line a Watch keeps to draw it again: enough for the widest terminal.
const maxWatchLine = 2048

// WatchOptions says what a Watch shows.
type WatchOptions struct {
	// Size returns the columns and rows of the terminal. If it is nil or returns less than 1, 80 and 24 are assumed.
	Size func() (cols, rows int)
	// Header is the first line, such as "Broker: localhost". Without it the topics begin at the top.
	Header string
	// Template makes the lines (-F); escapes of its own are shown as text. Without it lines are "topic payload".
	Template *Template
	// Palette colours the topics.
	Palette Palette
}

// Watch shows the latest message of every topic on a line of its own, in the order the topics came (--watch). All text
// is made safe and cut to the width of the terminal. Topics that find no room are counted on the last line. It is not
// for concurrent use.
type Watch struct {
	w          io.Writer
	o          WatchOptions
	index      map[string]int
	lines      []watchLine
	cols, rows int
	started    bool
	buf        []byte
}

// watchLine is safe text, of which the first part is the topic.
type watchLine struct {
	text  []byte
	topic int
	style Style
}

// NewWatch returns a Watch on w, which must be a terminal. Nothing is drawn before the first message.
func NewWatch(w io.Writer, o WatchOptions) *Watch {
	return &Watch{w: w, o: o, index: make(map[string]int)}
}

// Print shows m on the line of its topic, with one Write. It draws that line only, unless the size of the terminal has
// changed. printed is false for a message whose topic has no line on the screen.
func (wa *Watch) Print(m *packet.Message, at time.Time) (printed bool, err error) {
	i, known := wa.index[m.Topic]
	if !known {
		i = len(wa.lines)
		wa.index[m.Topic] = i
		wa.lines = append(wa.lines, watchLine{})
	}
	wa.setLine(&wa.lines[i], m, at)

	b := wa.buf[:0]
	cols, rows := wa.size()
	if !wa.started || cols != wa.cols || rows != wa.rows {
		wa.cols, wa.rows, wa.started = cols, rows, true
		b = wa.appendAll(b)
	} else {
		if i < wa.visible() {
			b = wa.appendLine(b, i)
		}
		if !known {
			b = wa.appendMore(b)
		}
	}
	wa.buf = b
	if len(b) > 0 {
		_, err = wa.w.Write(b)
	}
	return i < wa.visible() && err == nil, err
}

// Close puts the cursor under the last line and shows it again. It draws nothing if Print never did.
func (wa *Watch) Close() error {
	if !wa.started {
		return nil
	}
	wa.started = false
	b := wa.appendRow(nil, wa.header()+min(len(wa.lines), wa.room()))
	_, err := wa.w.Write(append(b, "\r\n\x1b[?25h"...))
	return err
}

func (wa *Watch) size() (cols, rows int) {
	if wa.o.Size != nil {
		cols, rows = wa.o.Size()
	}
	if cols < 1 || rows < 1 {
		return 80, 24
	}
	return cols, rows
}

func (wa *Watch) header() int {
	if wa.o.Header == "" {
		return 0
	}
	return 1
}

// room is how many lines there are for topics: at least one, and one less than the screen has, so that the shell's
// prompt finds a line below without scrolling.
func (wa *Watch) room() int { return max(wa.rows-wa.header()-1, 1) }

// visible is how many topics have a line on the screen.
func (wa *Watch) visible() int {
	if len(wa.lines) <= wa.room() {
		return len(wa.lines)
	}
	return wa.room() - 1
}

func (wa *Watch) setLine(l *watchLine, m *packet.Message, at time.Time) {
	l.style = wa.o.Palette.Topic
	if m.Retain {
		l.style = wa.o.Palette.Retained
	}
	if wa.o.Template != nil {
		raw := wa.o.Template.Append(nil, m, at)
		l.topic = 0
		l.text = appendSafe(l.text[:0], raw[:min(len(raw), maxWatchLine)], false)
		return
	}
	l.text = appendSafe(l.text[:0], m.Topic[:min(len(m.Topic), maxWatchLine)], false)
	l.topic = len(l.text)
	l.text = append(l.text, ' ')
	if len(m.Payload) == 0 {
		l.text = append(l.text, "(null)"...)
	} else {
		l.text = appendSafe(l.text, m.Payload[:min(len(m.Payload), maxWatchLine)], false)
	}
}

// appendAll clears the screen, hides the cursor and draws everything.
func (wa *Watch) appendAll(b []byte) []byte {
	b = append(b, "\x1b[?25l\x1b[H\x1b[2J"...)
	if wa.o.Header != "" {
		head := appendSafe(nil, wa.o.Header, false)
		head, _ = cutCells(head, wa.cols)
		b = append(b, wa.o.Palette.Dim.on...)
		b = append(b, head...)
		b = append(b, wa.o.Palette.Dim.off...)
	}
	for i := range wa.visible() {
		b = wa.appendLine(b, i)
	}
	return wa.appendMore(b)
}

// appendRow moves the cursor to the beginning of a row, counted from 1.
func (wa *Watch) appendRow(b []byte, row int) []byte {
	b = append(b, "\x1b["...)
	b = strconv.AppendInt(b, int64(row), 10)
	return append(b, ";1H"...)
}

// appendLine draws line i. It erases first: after a line that fills the last column, erasing would take that column's
// character away.
func (wa *Watch) appendLine(b []byte, i int) []byte {
	b = append(wa.appendRow(b, wa.header()+i+1), "\x1b[2K"...)
	l := &wa.lines[i]
	shown, _ := cutCells(l.text, wa.cols)
	ellipsis := ""
	if len(shown) < len(l.text) {
		shown, _ = cutCells(l.text, wa.cols-1)
		ellipsis = "…"
	}
	topic := min(l.topic, len(shown))
	if topic > 0 {
		b = append(b, l.style.on...)
		b = append(b, shown[:topic]...)
		b = append(b, l.style.off...)
	}
	b = append(b, shown[topic:]...)
	return append(b, ellipsis...)
}

// appendMore draws the last line, which counts the topics without one, if there are any.
func (wa *Watch) appendMore(b []byte) []byte {
	hidden := len(wa.lines) - wa.visible()
	if hidden == 0 {
		return b
	}
	text := "… and " + string(appendGrouped(nil, int64(hidden))) + " more topics"
	shown, _ := cutCells([]byte(text), wa.cols)
	b = append(wa.appendRow(b, wa.header()+wa.room()), "\x1b[2K"...)
	b = append(b, wa.o.Palette.Dim.on...)
	b = append(b, shown...)
	return append(b, wa.o.Palette.Dim.off...)
}
