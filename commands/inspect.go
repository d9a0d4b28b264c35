package commands

import (
	"errors"
	"fmt"
	"io"
	"time"

	"mq/flow"
	"mq/format"
	"mq/packet"
	"mq/tap"
)

// inspectFlags are the views that the ways into `mq inspect` share.
type inspectFlags struct {
	tree, hex, json, secrets bool
	noSummary                bool
	diagnosticsOnly          bool
	failOn                   string
	color                    string
}

func viewOptions(f *inspectFlags) []*option {
	const g = groupOutput
	return []*option{
		{group: g, name: "tree", short: "v", usage: "every field of each packet", set: setBool(&f.tree)},
		{group: g, name: "hex", usage: "every field beside its bytes", set: setBool(&f.hex)},
		{group: g, name: "diagnostics-only", usage: "only packets that break a rule", set: setBool(&f.diagnosticsOnly)},
		{group: g, name: "json", usage: "JSON Lines: an object an event, with a type", set: setBool(&f.json)},
		{group: g, name: "no-summary", usage: "leave out the summary at the end", set: setBool(&f.noSummary)},
		{group: g, name: "show-secrets", usage: "show passwords and authentication data", set: setBool(&f.secrets)},
		{group: g, name: "color", arg: "WHEN", usage: "auto, always or never (default auto; NO_COLOR is heeded)", set: setString(&f.color)},
		{group: groupEnd, name: "fail-on", arg: "SEVERITY", usage: "exit status 5 when a finding is at least this severe: error, warning or note", set: setOneOf(&f.failOn, "error", "warning", "note")},
	}
}

func inspectCommand(env *Env) *command {
	return &command{
		name: "inspect", local: true, usage: "see what is on the wire, packet by packet",
		args:  "read|proxy|live|decode [options]",
		about: "Shows MQTT conversations: which packet went which way, what each byte means, how the handshakes of QoS 1 and 2 went, and which rule of the standard was broken, and by whom.",
		example: []example{
			{"mq inspect read capture.pcapng", "the conversations in a capture file"},
			{"tcpdump -i lo -w - port 1883 | mq inspect read -", "as they happen"},
			{"mq inspect proxy --listen :1884 --to mqtt://localhost:1883", "between any client and any broker"},
			{"mq inspect decode 30 0d 00 0b 68 6f 6d 65 2f 68 65 61 74 65 72", "bytes"},
		},
		subs: []*command{inspectReadCommand(env), inspectProxyCommand(env), inspectLiveCommand(env), inspectDecodeCommand(env)},
	}
}

// inspection is one run: events go through the tracker to the printer, and the worst finding is kept.
type inspection struct {
	tap.Discard
	f       *inspectFlags
	tracker *flow.Tracker
	printer interface {
		Event(flow.Event)
		Fault(*format.Fault)
		Err() error
	}
	worst  packet.Severity
	number int64 // of the last packet
	last   time.Time
	notes  io.Writer
}

func newInspection(env *Env, f *inspectFlags, out io.Writer) (*inspection, error) {
	mode, err := colorMode(f.color)
	if err != nil {
		return nil, err
	}
	width := 0
	if env.StdoutTTY {
		width, _ = env.TermSize()
	}
	depth := format.DepthFlow
	switch {
	case f.hex:
		depth = format.DepthBytes
	case f.tree:
		depth = format.DepthTree
	}
	in := &inspection{f: f, notes: env.Stderr}
	in.printer = format.NewFlowPrinter(out, format.FlowOptions{Width: width, Depth: depth, ShowSecrets: f.secrets,
		OnlyDiagnostics: f.diagnosticsOnly, NoSummary: f.noSummary, Palette: format.NewPalette(format.UseColor(mode, env.StdoutTTY, env.Getenv))})
	if f.json {
		in.printer = format.NewFlowJSON(out, f.secrets)
	}
	in.tracker = flow.NewTracker(flow.Options{}, in.event)
	return in, nil
}

func (in *inspection) event(e flow.Event) {
	switch e := e.(type) {
	case *flow.Diagnostic:
		in.worst = max(in.worst, e.Severity)
	case *flow.PacketEvent:
		in.number = e.Number
	}
	in.printer.Event(e)
}

// Open, Packet, Broken, Gap, Note, Fault and Close make inspection a tap.Sink.

func (in *inspection) Open(c *tap.Conn, at time.Time) {
	in.last = at
	in.tracker.Open(flow.ConnID(c.Number), flow.Meta{Client: c.ClientAddr(), Server: c.ServerAddr(), FromStart: c.FromStart}, at)
}

func (in *inspection) Packet(c *tap.Conn, d packet.Direction, at time.Time, _ int, offset int64, raw []byte) {
	in.last = at
	in.tracker.Packet(flow.ConnID(c.Number), d, at, offset, raw)
}

func (in *inspection) Broken(c *tap.Conn, d packet.Direction, at time.Time, offset int64, raw []byte, err error) {
	in.last = at
	in.tracker.Broken(flow.ConnID(c.Number), d, at, offset, raw, err)
}

func (in *inspection) Gap(c *tap.Conn, d packet.Direction, at time.Time, n int64) {
	in.last = at
	in.tracker.Gap(flow.ConnID(c.Number), d, at, n)
}

func (in *inspection) Note(c *tap.Conn, _ time.Time, text string) {
	who := ""
	if c != nil {
		who = fmt.Sprintf("connection %d: ", c.Number)
	}
	fmt.Fprintf(in.notes, "mq: %s%s\n", who, oneLine(text))
}

func (in *inspection) Fault(c *tap.Conn, d packet.Direction, at time.Time, f tap.Fault) {
	in.printer.Fault(&format.Fault{Packet: in.number, ConnNumber: c.Number, Dir: d, Time: at, Rule: f.Rule.String(), Text: f.String()})
}

func (in *inspection) Close(c *tap.Conn, at time.Time, by tap.Closer) {
	in.last = at
	in.tracker.Close(flow.ConnID(c.Number), at, closerOf(by))
}

func closerOf(by tap.Closer) flow.Closer {
	switch by {
	case tap.ClosedByClient:
		return flow.ClosedByClient
	case tap.ClosedByServer:
		return flow.ClosedByServer
	case tap.ResetByClient, tap.ResetByServer:
		return flow.ClosedByReset
	}
	return flow.ClosedUnknown
}

// finish ends the run and judges it.
func (in *inspection) finish(err error) error {
	if err == nil || !in.last.IsZero() { // nothing was seen of what could not be read
		in.tracker.Finish(in.last)
	}
	if err := errors.Join(err, in.printer.Err()); err != nil {
		return quietPipe(err)
	}
	return in.f.judge(in.worst)
}

// judge applies --fail-on to the worst finding.
func (f *inspectFlags) judge(worst packet.Severity) error {
	limits := map[string]packet.Severity{"error": packet.SeverityError, "warning": packet.SeverityWarning, "note": packet.SeverityNote}
	if limit, ok := limits[f.failOn]; ok && worst >= limit {
		return &expectationError{fmt.Sprintf("a finding is of severity %s (--fail-on %s)", worst, f.failOn)}
	}
	return nil
}

// explain shows packets without a conversation: every field, and the rules that each packet breaks by itself.
func explain(env *Env, f *inspectFlags, data []byte, o tap.BytesOptions, out io.Writer) error {
	mode, err := colorMode(f.color)
	if err != nil {
		return err
	}
	x := &explanation{out: out, f: f, version: o.Version, palette: format.NewPalette(format.UseColor(mode, env.StdoutTTY, env.Getenv))}
	if f.json {
		x.json = format.NewFlowJSON(out, f.secrets)
	}
	tap.Bytes(data, o, x)
	if x.json != nil {
		x.err = x.json.Err()
	}
	return errors.Join(x.err, f.judge(x.worst))
}

// explanation is a tap.Sink that prints a tree, or objects, for every packet.
type explanation struct {
	tap.Discard
	f       *inspectFlags
	out     io.Writer
	json    *format.FlowJSON // nil for a tree
	palette format.Palette
	version packet.Version
	number  int64
	worst   packet.Severity
	err     error
}

func (x *explanation) Packet(_ *tap.Conn, d packet.Direction, _ time.Time, _ int, offset int64, raw []byte) {
	x.show(d, offset, raw, nil)
}

func (x *explanation) Broken(_ *tap.Conn, d packet.Direction, _ time.Time, offset int64, raw []byte, err error) {
	x.show(d, offset, raw, err)
}

func (x *explanation) show(d packet.Direction, offset int64, raw []byte, err error) {
	a := packet.Annotate(raw, x.version, d)
	if c, ok := a.Packet.(*packet.Connect); ok && c.Version != 0 {
		x.version = c.Version
	}
	x.number++
	x.worst = max(x.worst, a.Worst())
	switch {
	case x.err != nil || x.f.diagnosticsOnly && len(a.Findings) == 0:
	case x.json != nil:
		x.objects(a, d, offset, raw, err)
	default:
		_, x.err = x.out.Write(format.AppendTree(nil, a, format.TreeOptions{Hex: x.f.hex, Raw: raw, Offset: offset, ShowSecrets: x.f.secrets, Palette: x.palette}))
	}
}

// objects writes the packet and its findings as the events that a conversation would have.
func (x *explanation) objects(a *packet.Annotated, d packet.Direction, offset int64, raw []byte, err error) {
	e := &flow.PacketEvent{Number: x.number, ConnNumber: 1, Dir: d, Offset: offset, Raw: raw, Version: a.Version, Type: a.Type, Packet: a.Packet, Err: err}
	if p, ok := a.Packet.(*packet.Publish); ok {
		e.Topic = p.Topic
	}
	x.json.Event(e)
	for _, f := range a.Findings {
		x.json.Event(&flow.Diagnostic{Severity: f.Severity, Key: f.Key, Version: f.Version, Rule: f.Rule, Text: f.Text, ConnNumber: 1, Dir: d,
			Packet: x.number, Field: f.Field, Start: f.Start, End: f.End, Side: f.Side, Code: f.Code, CodeNamed: f.CodeNamed})
	}
}
