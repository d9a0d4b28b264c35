package commands

import (
	"bufio"
	"fmt"
	"sync"
	"time"

	"mq/format"
	"mq/packet"
)

// flushPause is how long the input must pause before buffered output is flushed, flushLatest the longest a message waits.
const (
	flushPause  = 2 * time.Millisecond
	flushLatest = 50 * time.Millisecond
)

// subOutput prints messages. To a terminal every message is written at once; to a pipe or file messages that come close
// together are written together.
type subOutput struct {
	mu      sync.Mutex
	w       *bufio.Writer
	printer interface {
		Print(*packet.Message, time.Time) (bool, error)
	}
	watch    *format.Watch
	talk     *talk
	problem  func() format.Problem
	warned   bool
	buffered bool // whether to wait for company
	last     time.Time
	pending  bool // the flusher is under way
	seq      uint64
	err      error
}

func newSubOutput(env *Env, o *subOptions, t *talk) (*subOutput, error) {
	mode, err := colorMode(o.talk.color)
	if err != nil {
		return nil, err
	}
	palette := format.NewPalette(format.UseColor(mode, env.StdoutTTY, env.Getenv))
	out := &subOutput{w: bufio.NewWriterSize(env.Stdout, 64<<10), talk: t, buffered: !env.StdoutTTY}
	if o.watch {
		out.watch = format.NewWatch(env.Stdout, format.WatchOptions{Size: env.TermSize, Template: o.tmpl, Palette: palette})
		out.printer = out.watch
		return out, nil
	}
	p := format.NewPrinter(out.w, format.Options{Template: o.tmpl, JSON: o.json, EmbedJSON: false, Pretty: o.pretty,
		Verbose: o.verbose > 0, NoNewline: o.noNewline, Safe: env.StdoutTTY && !o.raw, Multiline: o.verbose == 0, Palette: palette})
	out.printer, out.problem = p, p.Problem
	return out, nil
}

// print writes one message.
func (s *subOutput) print(m *packet.Message, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	if _, err := s.printer.Print(m, at); err != nil {
		s.err = err
		return err
	}
	if s.problem != nil && s.problem() != 0 && !s.warned {
		s.warned = true
		s.talk.say("warning: the message on %q is printed as text: %v; further ones like it are not reported", m.Topic, s.problem())
	}
	s.seq++
	lone := at.Sub(s.last) > flushPause
	s.last = at
	switch {
	case !s.buffered || lone:
		s.err = s.w.Flush()
	case !s.pending:
		s.pending = true
		go s.flushLater(at)
	}
	return s.err
}

// flushLater flushes when the input pauses.
func (s *subOutput) flushLater(start time.Time) {
	for seen := uint64(0); ; {
		time.Sleep(flushPause)
		s.mu.Lock()
		if s.seq == seen || time.Since(start) > flushLatest {
			if s.err == nil {
				s.err = s.w.Flush()
			}
			s.pending = false
			s.mu.Unlock()
			return
		}
		seen = s.seq
		s.mu.Unlock()
	}
}

// rate prints a message rate.
func (s *subOutput) rate(n int64, d time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.w.Write(format.AppendRate(nil, n, d)); err != nil {
		return err
	}
	return s.w.Flush()
}

// close writes what is buffered and gives a terminal back as it was.
func (s *subOutput) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watch != nil {
		return s.watch.Close()
	}
	if s.err != nil {
		return s.err
	}
	if err := s.w.Flush(); err != nil {
		return fmt.Errorf("write standard output: %w", err)
	}
	return nil
}
