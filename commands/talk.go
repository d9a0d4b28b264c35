package commands

import (
	"fmt"
	"io"
	"sync"
	"time"

	"mq/connect"
	"mq/format"
)

// talkFlags say what a command tells on standard error beside its error.
type talkFlags struct {
	quiet bool
	debug int
	color string
}

func talkOptions(f *talkFlags) []*option {
	const g = groupGeneral
	return []*option{
		{group: g, name: "quiet", usage: "no warnings and no messages about the connection", set: setBool(&f.quiet)},
		{group: g, name: "debug", short: "d", usage: "show every packet on standard error", set: countBool(&f.debug)},
		{group: g, name: "color", arg: "WHEN", usage: "auto, always or never (default auto; NO_COLOR is heeded)", set: setString(&f.color)},
	}
}

// talk is a command's voice on standard error. It may be used from several goroutines.
type talk struct {
	env     *Env
	quiet   bool
	debug   bool
	palette format.Palette
	start   time.Time

	mu   sync.Mutex
	line *format.Progress // the progress line, nil for none
}

func newTalk(env *Env, f *talkFlags) (*talk, error) {
	mode, err := colorMode(f.color)
	if err != nil {
		return nil, err
	}
	return &talk{env: env, quiet: f.quiet, debug: f.debug > 0, start: env.Now(),
		palette: format.NewPalette(format.UseColor(mode, env.StderrTTY, env.Getenv))}, nil
}

func colorMode(s string) (format.ColorMode, error) {
	if s == "" {
		return format.ColorAuto, nil
	}
	mode, err := format.ParseColorMode(s)
	if err != nil {
		return 0, usagef("--color %q: want auto, always or never", s)
	}
	return mode, nil
}

// say prints one line, unless --quiet was given.
func (t *talk) say(s string, a ...any) {
	if t.quiet {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.eraseLine()
	fmt.Fprintf(t.env.Stderr, "mq: %s\n", oneLine(fmt.Sprintf(s, a...)))
}

// setLine names the progress line that has to give way to other output.
func (t *talk) setLine(p *format.Progress) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.line = p
}

func (t *talk) eraseLine() {
	if t.line != nil {
		_ = t.line.Close(false)
	}
}

// progress redraws the progress line.
func (t *talk) progress(s format.ProgressState) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.line != nil {
		_ = t.line.Update(s)
	}
}

// event tells what happens to the connection.
func (t *talk) event(e connect.Event) {
	switch e.Kind {
	case connect.EventLost:
		t.say("%v; reconnecting", e.Err)
	case connect.EventRetrying:
		t.say("%v; trying again in %s", e.Err, roundDelay(e.Delay))
	case connect.EventConnected:
		if e.Reconnect {
			t.say("connected again")
		}
	}
}

func roundDelay(d time.Duration) time.Duration {
	if d > time.Second {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(10 * time.Millisecond)
}

// tap returns what shows the packets of a connection for --debug, nil without it.
func (t *talk) tap(o *connect.Options) connect.Tap {
	if !t.debug {
		return nil
	}
	width := 0
	if t.env.StderrTTY {
		width, _ = t.env.TermSize()
	}
	v := newPacketView(lockedWriter{t}, format.FlowOptions{Palette: t.palette, Width: width, Start: t.start}, t.env.Now)
	return v.connection(o.ClientID, o.Addr())
}

// lockedWriter writes to standard error between the other things talk says.
type lockedWriter struct{ t *talk }

func (w lockedWriter) Write(b []byte) (int, error) {
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	w.t.eraseLine()
	return w.t.env.Stderr.Write(b)
}

var _ io.Writer = lockedWriter{}
