package format

import (
	"io"
	"strconv"
	"time"
)

// ProgressState is how far a long publishing run has come. The caller counts and measures.
type ProgressState struct {
	Sent int64
	// Acked counts the messages whose handshake is complete. It is shown, and measured, if Acks is set (QoS 1 and 2).
	Acked int64
	Acks  bool
	// Total is how many messages there will be, 0 if nobody knows.
	Total int64
	// Share is how much of the input has been read, 0 to 1; it stands in for an unknown Total. 0 means nobody knows.
	Share   float64
	Elapsed time.Duration
}

// ProgressLine returns the state on one line, such as "sent 12,345  acked 12,300  8,412/s  41 %". Rate and percentage
// are those of the acknowledged messages where there are acknowledgements; 100 % means all of them.
func ProgressLine(p ProgressState) string {
	b := appendGrouped([]byte("sent "), p.Sent)
	done := p.Sent
	if p.Acks {
		b = appendGrouped(append(b, "  acked "...), p.Acked)
		done = p.Acked
	}
	if p.Elapsed > 0 {
		b = appendGrouped(append(b, "  "...), perSecond(done, p.Elapsed))
		b = append(b, "/s"...)
	}
	if p.Total > 0 {
		// Rounded down by the conversion; computed in floating point because done*100 may not fit.
		percent := int64(float64(done) / float64(p.Total) * 100)
		if done >= p.Total {
			percent = 100
		} else if percent > 99 {
			percent = 99
		}
		b = strconv.AppendInt(append(b, "  "...), percent, 10)
		b = append(b, " %"...)
	}
	if p.Total <= 0 && p.Share > 0 {
		b = strconv.AppendInt(append(b, "  "...), int64(p.Share*100), 10)
		b = append(b, " % read"...)
	}
	return string(b)
}

// appendGrouped appends n with a comma before every three digits.
func appendGrouped(dst []byte, n int64) []byte {
	var digits [20]byte
	s := strconv.AppendInt(digits[:0], n, 10)
	if s[0] == '-' {
		dst, s = append(dst, '-'), s[1:]
	}
	for i, c := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, c)
	}
	return dst
}

// Progress keeps one line of a terminal up to date.
type Progress struct {
	w     io.Writer
	width func() int
	shown string
}

// NewProgress returns a Progress on w, which must be a terminal. Lines are cut to what width returns; a nil width, or a
// width below 1, cuts nothing.
func NewProgress(w io.Writer, width func() int) *Progress { return &Progress{w: w, width: width} }

// Update rewrites the line, if it has changed.
func (p *Progress) Update(s ProgressState) error {
	line := ProgressLine(s)
	if p.width != nil {
		// A line that fills the last column would leave the cursor to wrap on some terminals: one cell stays free.
		if w := p.width(); w >= 1 && len(line) > w-1 {
			line = line[:w-1]
		}
	}
	if line == p.shown {
		return nil
	}
	p.shown = line
	_, err := io.WriteString(p.w, "\r\x1b[K"+line)
	return err
}

// Close ends the line: with keep it stays on the screen and the cursor goes to the next one, otherwise it is erased. A
// line never shown is not ended.
func (p *Progress) Close(keep bool) error {
	if p.shown == "" {
		return nil
	}
	p.shown = ""
	end := "\r\x1b[K"
	if keep {
		end = "\n"
	}
	_, err := io.WriteString(p.w, end)
	return err
}
