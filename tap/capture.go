package tap

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// ReadOptions says how a capture is read. The zero value is good.
type ReadOptions struct {
	Limits Limits
	// Ports are further ports on which MQTT is expected. It is recognised on any port by its CONNECT; on these, and on
	// 1883, 1884, 8883 and 8884, also in the middle of a connection.
	Ports []uint16
	// KeyLog holds TLS secrets; those a capture brings itself are added to it. nil for none.
	KeyLog *KeyLog
	// NoteOther asks for a connection with one note for every TCP connection that is not MQTT.
	NoteOther bool
	// Progress, if not nil, is told now and then how many bytes of the input have been read.
	Progress func(read int64)
}

// ReadCapture reads the pcap or pcapng capture r, compressed with gzip or not, and hands what it finds to sink as it
// goes, so that r may be a pipe. The error is ctx's, or an *Error that says at which frame the trouble is; what was read
// before has then been handed over all the same, and every connection closed.
func ReadCapture(ctx context.Context, r io.Reader, o ReadOptions, sink Sink) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := newCapture(sink, &o)
	src := newSource(ctx, r, o.Progress)
	fr, err := newFrameReader(src, c.secrets, c.note)
	if err != nil {
		return notReadable(err)
	}
	err = c.run(fr)
	c.a.finish()
	switch {
	case err == io.EOF:
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = errors.New("the file ends inside it")
	}
	return &Error{What: fmt.Sprintf("capture: frame %d (byte %d)", c.a.frame+1, src.read), Err: err}
}

func notReadable(err error) error {
	e := &Error{What: "capture", Err: err}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, errNoCapture):
		e.hints = []string{"record one with `tcpdump -w FILE port 1883`", "for bytes as hex or base64 use `mq inspect decode`"}
	}
	return e
}

// capture turns frames into segments.
type capture struct {
	a     *assembler
	noted [isCutShort + 1]bool
}

func newCapture(sink Sink, o *ReadOptions) *capture { return &capture{a: newAssembler(sink, o)} }

// run reads frames to the end, whose error it returns.
func (c *capture) run(fr frameReader) error {
	var f frame
	var s segment
	for {
		if err := fr.next(&f); err != nil {
			return err
		}
		c.take(&f, &s)
	}
}

// take handles one frame; s is scratch.
func (c *capture) take(f *frame, s *segment) {
	c.a.at = f.at
	c.a.frame++
	switch v := parseFrame(f.linkType, f.data, s); v {
	case isTCP:
		c.a.segment(s)
	case isFragment:
		c.noteOnce(v, "IP fragments were left out, first in frame %d")
	case isCutShort:
		c.noteOnce(v, "frames cut off inside their headers were left out, first frame %d: capture with a greater snap length")
	}
}

func (c *capture) noteOnce(v outcome, format string) {
	if !c.noted[v] {
		c.noted[v] = true
		c.note(fmt.Sprintf(format, c.a.frame))
	}
}

func (c *capture) note(text string) { c.a.sink.Note(nil, c.a.at, text) }

// secrets takes a block of secrets from a capture.
func (c *capture) secrets(kind uint32, b []byte) {
	if kind == secretsTLS {
		c.a.keys.add(b)
	}
}
