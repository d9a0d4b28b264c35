package format

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"mq/flow"
	"mq/packet"
)

// hostileText is what a terminal must not get: a command, a line end, an 8-bit command, text turned around, half a rune.
const hostileText = "\x1b]0;x\x07\r\n\u009b31m\u202e\xff"

// talk feeds a Tracker with packets at fixed times.
type talk struct {
	tb      testing.TB
	tracker *flow.Tracker
	at      time.Time
	version packet.Version
	offsets [2][4]int64
}

func newTalk(tb testing.TB, sink func(flow.Event)) *talk {
	return &talk{tb: tb, tracker: flow.NewTracker(flow.Options{}, sink), at: testTime}
}

func (k *talk) open(conn int) {
	k.tracker.Open(flow.ConnID(conn), flow.Meta{Client: fmt.Sprintf("192.0.2.%d:50000", conn), Server: "192.0.2.99:1883", FromStart: true}, k.at)
}

func (k *talk) raw(conn int, d packet.Direction, raw string) {
	k.at = k.at.Add(700 * time.Microsecond)
	side := 0
	if d == packet.ServerToClient {
		side = 1
	}
	k.tracker.Packet(flow.ConnID(conn), d, k.at, k.offsets[side][conn], []byte(raw))
	k.offsets[side][conn] += int64(len(raw))
}

// up and down send a packet from the client and from the server.
func (k *talk) up(conn int, p encoder)   { k.raw(conn, packet.ClientToServer, k.bytes(p)) }
func (k *talk) down(conn int, p encoder) { k.raw(conn, packet.ServerToClient, k.bytes(p)) }

type encoder interface {
	Append([]byte, packet.Version) ([]byte, error)
}

func (k *talk) bytes(p encoder) string {
	k.tb.Helper()
	b, err := p.Append(nil, k.version)
	if err != nil {
		k.tb.Fatal(err)
	}
	return string(b)
}

func (k *talk) props(f func(*packet.PropertyBuilder)) packet.Properties {
	var b packet.PropertyBuilder
	f(&b)
	p, err := b.Properties()
	if err != nil {
		k.tb.Fatal(err)
	}
	return p
}

// conversation has each QoS, a message sent again, a broken rule, a refusal, a topic alias, an unfinished handshake, lost
// and unreadable bytes, and hostile text wherever it fits.
func conversation(tb testing.TB, sink func(flow.Event)) {
	k := newTalk(tb, sink)
	k.version = packet.V311
	k.open(1)
	k.up(1, &packet.Connect{Version: packet.V311, ClientID: "sensor-7", CleanStart: true, KeepAlive: 60, HasUserName: true, UserName: "heater", HasPassword: true, Password: []byte("hunter2")})
	k.down(1, &packet.Connack{})
	k.up(1, &packet.Publish{Topic: []byte("home/heater"), Payload: []byte("21.5")})
	k.version = packet.V5
	k.open(2)
	k.up(2, &packet.Connect{Version: packet.V5, ClientID: "watcher", CleanStart: true, KeepAlive: 30})
	k.down(2, &packet.Connack{Properties: k.props(func(b *packet.PropertyBuilder) { b.Uint(packet.PropTopicAliasMaximum, 5) })})
	k.up(2, &packet.Subscribe{PacketID: 1, Subscriptions: []packet.Subscription{{Filter: "home/#", QoS: 2}}})
	k.down(2, &packet.Suback{PacketID: 1, Codes: []packet.ReasonCode{2}})
	k.version = packet.V311
	k.up(1, &packet.Publish{Topic: []byte("home/heater"), Payload: []byte("22"), QoS: 1, PacketID: 1})
	k.up(1, &packet.Publish{Topic: []byte("home/heater"), Payload: []byte("23"), QoS: 2, PacketID: 2})
	k.version = packet.V5
	k.down(2, &packet.Publish{Topic: []byte("home/heater"), Payload: []byte("23"), QoS: 2, PacketID: 9})
	k.version = packet.V311
	k.at = k.at.Add(3 * time.Second)
	k.up(1, &packet.Publish{Topic: []byte("home/heater"), Payload: []byte("22"), QoS: 1, PacketID: 1, Dup: true})
	k.down(1, &packet.Pubrec{PacketID: 2})
	k.down(1, &packet.Puback{PacketID: 1})
	k.up(1, &packet.Pubrel{PacketID: 2})
	k.down(1, &packet.Pubcomp{PacketID: 2})
	k.up(1, &packet.Publish{Topic: []byte("home/" + strings.Repeat("long/", 40)), Payload: bytes.Repeat([]byte("0123456789"), 20)})
	k.raw(1, packet.ClientToServer, "\x82\x06\x00\x00\x00\x01a\x00") // packet identifier 0
	k.version = packet.V5
	k.up(2, &packet.Publish{Topic: []byte("watch/er"), Payload: []byte("on"), Properties: k.props(func(b *packet.PropertyBuilder) { b.Uint(packet.PropTopicAlias, 3) })})
	k.up(2, &packet.Publish{Payload: []byte("off"), Properties: k.props(func(b *packet.PropertyBuilder) { b.Uint(packet.PropTopicAlias, 3) })})
	k.up(2, &packet.Publish{Payload: []byte("no alias"), Properties: k.props(func(b *packet.PropertyBuilder) { b.Uint(packet.PropTopicAlias, 4) })})
	k.down(2, &packet.Disconnect{ReasonCode: 0x82})
	k.tracker.Close(2, k.at, flow.ClosedByServer)
	k.open(3)
	k.raw(3, packet.ClientToServer, "\x10\x1f\x00\x04MQTT\x04\x02\x00\x0a\x00\x13"+hostileText+"!!!") // a length that is right
	k.version = packet.V311
	k.down(3, &packet.Connack{ReturnCode: 5})
	k.tracker.Close(3, k.at, flow.ClosedByReset)
	k.raw(1, packet.ClientToServer, "\x30\x18\x00\x05a\x1b[2J"+hostileText)
	k.tracker.Gap(1, packet.ClientToServer, k.at, 1460)
	k.tracker.Broken(1, packet.ClientToServer, k.at, 9000, []byte("\x1b[31m"+hostileText), errors.New("no packet: "+hostileText))
	k.at = k.at.Add(time.Second)
	k.tracker.Finish(k.at)
}

func TestFlowPrinter(t *testing.T) {
	tests := []struct {
		name string
		o    FlowOptions
	}{
		{"flow", FlowOptions{}},
		{"flow_80", FlowOptions{Width: 80}},
		{"flow_200", FlowOptions{Width: 200}},
		{"flow_color", FlowOptions{Palette: NewPalette(true)}},
		{"tree", FlowOptions{Depth: DepthTree, NoSummary: true}},
		{"bytes", FlowOptions{Depth: DepthBytes, NoSummary: true}},
		{"bytes_color", FlowOptions{Depth: DepthBytes, NoSummary: true, Palette: NewPalette(true)}},
		{"diagnostics", FlowOptions{OnlyDiagnostics: true, NoSummary: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			p := NewFlowPrinter(&b, tt.o)
			conversation(t, p.Event)
			p.Fault(&Fault{Packet: 7, ConnNumber: 1, Dir: packet.ServerToClient, Time: testTime, Rule: "drop PUBACK", Text: "dropped"})
			if p.Err() != nil {
				t.Fatal(p.Err())
			}
			golden(t, "flow_"+tt.name+".txt", b.String())
			mustBeHarmless(t, b.String(), tt.o.Palette != (Palette{}))
			if strings.Contains(b.String(), "hunter2") {
				t.Error("the password is shown")
			}
		})
	}
}

// mustBeHarmless checks that no control character but the line feed is there, and of escape sequences only colours.
func mustBeHarmless(t *testing.T, s string, colored bool) {
	t.Helper()
	if colored {
		s = regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(s, "")
	}
	for i, r := range s {
		if r != '\n' && (unicode.IsControl(r) || r >= 0x80 && hostile(r) || r == unicode.ReplacementChar) {
			t.Fatalf("%U at %d: %q", r, i, s[max(0, i-40):min(len(s), i+40)])
		}
	}
}

func TestFlowPrinterFitsATerminal(t *testing.T) {
	for _, width := range []int{80, 200} {
		var b bytes.Buffer
		p := NewFlowPrinter(&b, FlowOptions{Width: width, NoSummary: true, OnlyDiagnostics: true})
		conversation(t, func(e flow.Event) {
			if _, ok := e.(*flow.Diagnostic); ok {
				p.Event(e)
			}
		})
		for line := range strings.Lines(b.String()) {
			if n := cells(strings.TrimSuffix(line, "\n")); n > width && strings.Contains(strings.TrimSpace(line), " ") && !strings.Contains(line, "\\x") {
				t.Errorf("%d cells at width %d: %s", n, width, line)
			}
		}
	}
}

func TestAppendSummary(t *testing.T) {
	var last *flow.Summary
	conversation(t, func(e flow.Event) {
		if s, ok := e.(*flow.Summary); ok {
			last = s
		}
	})
	if last == nil {
		t.Fatal("no summary")
	}
	golden(t, "summary.txt", string(AppendSummary(nil, last, Palette{})))
	golden(t, "summary_color.txt", string(AppendSummary(nil, last, NewPalette(true))))
	golden(t, "summary_empty.txt", string(AppendSummary(nil, &flow.Summary{}, Palette{})))
}

func TestFlowJSON(t *testing.T) {
	var b bytes.Buffer
	j := NewFlowJSON(&b, false)
	conversation(t, j.Event)
	j.Fault(&Fault{Packet: 7, ConnNumber: 1, Dir: packet.ServerToClient, Time: testTime, Rule: "drop PUBACK", Text: "dropped"})
	if j.Err() != nil {
		t.Fatal(j.Err())
	}
	golden(t, "flow_json.jsonl", b.String())
	mustBeHarmless(t, strings.ReplaceAll(b.String(), "\ufffd", ""), false)
	if strings.Contains(b.String(), "hunter2") {
		t.Error("the password is shown")
	}
	for line := range strings.Lines(b.String()) {
		var o struct{ Type string }
		if err := json.Unmarshal([]byte(line), &o); err != nil || o.Type == "" {
			t.Errorf("%v: %s", err, line)
		}
	}
	b.Reset()
	conversation(t, NewFlowJSON(&b, true).Event)
	if !strings.Contains(b.String(), `"password":"hunter2"`) {
		t.Error("the password is not shown, though it was asked for")
	}
}

// flowObjects are the objects of FlowJSON by their types.
var flowObjects = map[string]any{
	"packet": jsonPacket{}, "diagnostic": jsonDiagnostic{}, "connection": jsonConnection{}, "flow": jsonFlow{}, "fault": jsonFault{}, "summary": jsonSummary{},
}

// fieldsOf lists the JSON fields of an object, those of the objects in it after a dot.
func fieldsOf(prefix string, t reflect.Type) []string {
	var out []string
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		inner := f.Type
		for inner.Kind() == reflect.Pointer || inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		own := inner.Kind() == reflect.Struct && inner.PkgPath() == t.PkgPath()
		switch {
		case f.Anonymous:
			out = append(out, fieldsOf(prefix, inner)...)
			continue
		case name == "":
			out = append(out, prefix+"(no name: "+f.Name+")")
		default:
			out = append(out, prefix+name)
		}
		if own {
			out = append(out, fieldsOf(prefix+name+".", inner)...)
		}
	}
	return out
}

func TestFlowJSONFields(t *testing.T) {
	var b strings.Builder
	for _, name := range []string{"packet", "diagnostic", "connection", "flow", "fault", "summary"} {
		fmt.Fprintf(&b, "%s: %s\n", name, strings.Join(fieldsOf("", reflect.TypeOf(flowObjects[name])), " "))
	}
	golden(t, "flow_json_fields.txt", b.String())
}

// The guide has a table for each type, with the fields in backquotes in its first column.
func TestGuideListsEveryField(t *testing.T) {
	b, err := os.ReadFile("../docs/inspect.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := strings.Split(strings.ReplaceAll(string(b), "\r\n", "\n"), "\n### ")[1:]
	seen := make(map[string]bool)
	for _, s := range sections {
		name, rest, _ := strings.Cut(s, "\n")
		seen[name] = true
		var got []string
		for line := range strings.Lines(rest) {
			if cells := strings.SplitN(line, "|", 3); strings.HasPrefix(line, "| `") {
				for _, w := range strings.Split(cells[1], ",") {
					got = append(got, strings.Trim(w, " `"))
				}
			}
		}
		object, known := flowObjects[name]
		if !known {
			t.Errorf("docs/inspect.md describes %q, which is no type", name)
			continue
		}
		want := fieldsOf("", reflect.TypeOf(object))
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("docs/inspect.md, %s (-want +got):\n%s", name, diff)
		}
	}
	if len(seen) != len(flowObjects) {
		t.Errorf("docs/inspect.md describes %d types, there are %d", len(seen), len(flowObjects))
	}
}

// flowView is what FlowPrinter and FlowJSON have in common.
type flowView interface {
	Event(flow.Event)
	Fault(*Fault)
	Err() error
}

func TestFlowFailingWriters(t *testing.T) {
	printers := map[string]func(io.Writer) flowView{
		"text": func(w io.Writer) flowView { return NewFlowPrinter(w, FlowOptions{}) },
		"json": func(w io.Writer) flowView { return NewFlowJSON(w, false) },
	}
	for name, printer := range printers {
		for writes := range 5 {
			w := &fullWriter{writes: writes}
			p := printer(w)
			conversation(t, p.Event)
			p.Fault(&Fault{})
			if !errors.Is(p.Err(), errFull) {
				t.Errorf("%s, after %d writes: %v", name, writes, p.Err())
			}
		}
	}
}

func TestFlowLanes(t *testing.T) {
	var b bytes.Buffer
	p := NewFlowPrinter(&b, FlowOptions{NoSummary: true})
	k := newTalk(t, p.Event)
	k.version = packet.V311
	k.open(1)
	for id := range uint16(maxLanes + 2) { // two more than there are lanes
		k.up(1, &packet.Publish{Topic: []byte("a"), QoS: 1, PacketID: id + 1})
	}
	for id := range uint16(maxLanes + 2) {
		k.down(1, &packet.Puback{PacketID: id + 1})
	}
	k.up(1, &packet.Publish{Topic: []byte("a"), QoS: 1, PacketID: 1}) // the lanes are free again
	k.tracker.Finish(k.at)
	golden(t, "flow_lanes.txt", b.String())
}

// FuzzFlowPrinter sends any packets through every depth: nothing that could disturb a terminal may come out.
func FuzzFlowPrinter(f *testing.F) {
	seeds := 0
	conversation(f, func(e flow.Event) {
		if p, ok := e.(*flow.PacketEvent); ok {
			f.Add(slices.Clone(p.Raw), p.Dir == packet.ServerToClient, byte(p.Version))
			seeds++
		}
	})
	if seeds == 0 {
		f.Fatal("no seeds")
	}
	f.Fuzz(func(t *testing.T, data []byte, down bool, version byte) {
		if len(data) > 4096 {
			return
		}
		for _, o := range []FlowOptions{{}, {Width: 80, Depth: DepthTree, ShowSecrets: true}, {Depth: DepthBytes}} {
			var b, j bytes.Buffer
			p, js := NewFlowPrinter(&b, o), NewFlowJSON(&j, true)
			tracker := flow.NewTracker(flow.Options{}, func(e flow.Event) { p.Event(e); js.Event(e) })
			tracker.Open(1, flow.Meta{Client: "c", Server: "s", FromStart: version == 0}, testTime)
			if version == 5 {
				tracker.Packet(1, packet.ClientToServer, testTime, 0, []byte("\x10\x0d\x00\x04MQTT\x05\x02\x00\x0a\x00\x00\x00"))
			}
			d := packet.ClientToServer
			if down {
				d = packet.ServerToClient
			}
			tracker.Packet(1, d, testTime, 0, data)
			tracker.Broken(1, d, testTime, int64(len(data)), data, errors.New(string(data)))
			tracker.Finish(testTime)
			if p.Err() != nil || js.Err() != nil {
				t.Fatal(p.Err(), js.Err())
			}
			mustBeHarmless(t, b.String(), false)
			mustBeHarmless(t, strings.ReplaceAll(j.String(), "\ufffd", ""), false)
		}
	})
}
