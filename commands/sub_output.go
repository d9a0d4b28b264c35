package commands

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"mq/format"
	"mq/packet"
)

// subOutput prints messages.
type subOutput struct {
	w       *lazyWriter
	printer interface {
		Print(*packet.Message, time.Time) (bool, error)
	}
	watch   *format.Watch
	talk    *talk
	problem func() format.Problem

	mu     sync.Mutex // of the printer
	warned bool
}

func newSubOutput(env *Env, o *subOptions, t *talk) (*subOutput, error) {
	mode, err := colorMode(o.talk.color)
	if err != nil {
		return nil, err
	}
	palette := format.NewPalette(format.UseColor(mode, env.StdoutTTY, env.Getenv))
	out := &subOutput{w: newLazyWriter(env.Stdout, env.StdoutTTY, env.Now), talk: t}
	if o.watch {
		out.watch = format.NewWatch(out.w, format.WatchOptions{Size: env.TermSize, Template: o.tmpl, Palette: palette})
		out.printer = out.watch
		return out, nil
	}
	p := format.NewPrinter(out.w, format.Options{Template: o.tmpl, JSON: o.json, Pretty: o.pretty, Verbose: o.verbose > 0, NoNewline: o.noNewline,
		Safe: env.StdoutTTY && !o.raw, Multiline: o.verbose == 0, Palette: palette})
	out.printer, out.problem = p, p.Problem
	return out, nil
}

// print writes one message.
func (s *subOutput) print(m *packet.Message, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.printer.Print(m, at); err != nil {
		return err
	}
	if s.problem != nil && s.problem() != 0 && !s.warned {
		s.warned = true
		s.talk.say("warning: the message on %q: %v; further ones like it are not reported", m.Topic, s.problem())
	}
	return nil
}

// rate prints a message rate.
func (s *subOutput) rate(n int64, d time.Duration) error {
	_, err := s.w.Write(format.AppendRate(nil, n, d))
	return errors.Join(err, s.w.Flush())
}

// close writes what is buffered and gives a terminal back as it was.
func (s *subOutput) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if s.watch != nil {
		err = s.watch.Close()
	}
	if err = errors.Join(err, s.w.Flush()); err != nil {
		return fmt.Errorf("write standard output: %w", reasonOf(err))
	}
	return nil
}
