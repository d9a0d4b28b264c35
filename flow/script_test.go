package flow

import (
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"mq/packet"
)

// A script is a conversation in lines:
//
//	up v5 id=a alias-max=5 | alias-max=10     CONNECT and its CONNACK (after |) on connection 1
//	2> PUBLISH a/b q1 id=3 dup retain p=x     a packet on connection 2, from the client; < from the server
//	sub 7 a/b:1,nl                            SUBSCRIBE and its SUBACK
//	> hex C100                                bytes as they are
//	wait 5s    open 2 mid server=x    close 1 reset    gap 1
//	= E23 A15                                 the findings, in any order
type script struct {
	tb       testing.TB
	t        *Tracker
	now      time.Time
	versions map[int]packet.Version
	opened   map[int]bool
	offsets  map[int]int64
	findings []Diagnostic
	events   []string
	flows    []FlowEvent
}

var propNames = map[string]packet.PropertyID{
	"alias": packet.PropTopicAlias, "alias-max": packet.PropTopicAliasMaximum, "rm": packet.PropReceiveMaximum,
	"max": packet.PropMaximumPacketSize, "expiry": packet.PropSessionExpiryInterval, "reason": packet.PropReasonString,
	"method": packet.PropAuthenticationMethod, "subid": packet.PropSubscriptionIdentifier, "rt": packet.PropResponseTopic,
	"cd": packet.PropCorrelationData, "ct": packet.PropContentType, "pfi": packet.PropPayloadFormatIndicator,
	"mexp": packet.PropMessageExpiryInterval, "maxqos": packet.PropMaximumQoS, "retain-avail": packet.PropRetainAvailable,
	"wild": packet.PropWildcardSubscriptionAvailable, "subids": packet.PropSubscriptionIdentifierAvailable,
	"shared": packet.PropSharedSubscriptionAvailable, "ska": packet.PropServerKeepAlive,
	"assigned": packet.PropAssignedClientIdentifier, "rri": packet.PropRequestResponseInformation,
	"rpi": packet.PropRequestProblemInformation, "rinfo": packet.PropResponseInformation,
	"delay": packet.PropWillDelayInterval,
}

// args are the words of a line: key=value ones by key, the rest in order.
type args struct {
	plain []string
	value map[string]string
	props packet.Properties
	has   map[string]bool
}

func parseArgs(tb testing.TB, words []string) args {
	a := args{value: map[string]string{}, has: map[string]bool{}}
	var b packet.PropertyBuilder
	for _, w := range words {
		k, v, ok := strings.Cut(w, "=")
		id, isProp := propNames[k]
		switch {
		case !ok:
			if a.has[w] = true; w != "v3" && w != "v4" && w != "v5" {
				a.plain = append(a.plain, w)
			}
		case k == "up":
			name, value, _ := strings.Cut(v, ":")
			b.User(name, value)
		case !isProp:
			a.value[k] = v
		default:
			addProp(&b, id, v)
		}
	}
	p, err := b.Properties()
	if err != nil {
		tb.Fatal(err)
	}
	a.props = p
	return a
}

func addProp(b *packet.PropertyBuilder, id packet.PropertyID, v string) {
	switch id {
	case packet.PropReasonString, packet.PropAuthenticationMethod, packet.PropResponseTopic, packet.PropContentType,
		packet.PropAssignedClientIdentifier, packet.PropResponseInformation:
		b.Text(id, v)
	case packet.PropCorrelationData:
		b.Bytes(id, []byte(v))
	default:
		n, _ := strconv.Atoi(v)
		b.Uint(id, uint32(n))
	}
}

func (a *args) num(key string, def int) int {
	if v, ok := a.value[key]; ok {
		n, _ := strconv.Atoi(v)
		return n
	}
	return def
}

func (a *args) code(def byte) packet.ReasonCode {
	for _, w := range a.plain {
		if s, ok := strings.CutPrefix(w, "0x"); ok {
			n, _ := strconv.ParseUint(s, 16, 8)
			return packet.ReasonCode(n)
		}
	}
	return packet.ReasonCode(def)
}

func (a *args) id(tb testing.TB) uint16 {
	if len(a.plain) == 0 {
		tb.Fatal("no packet identifier")
	}
	n, err := strconv.Atoi(a.plain[0])
	if err != nil {
		tb.Fatal(err)
	}
	return uint16(n)
}

func newScript(tb testing.TB, o Options) *script {
	s := &script{
		tb: tb, now: time.Unix(1_800_000_000, 0).UTC(), versions: map[int]packet.Version{}, opened: map[int]bool{},
		offsets: map[int]int64{},
	}
	if o.MaxMessages == 0 {
		o.MaxMessages = 256
	}
	s.t = NewTracker(o, s.sink)
	return s
}

func (s *script) sink(e Event) {
	switch e := e.(type) {
	case *Diagnostic:
		s.findings = append(s.findings, *e)
		s.events = append(s.events, fmt.Sprintf("! %v %s [%s] %v %d: %s (%s)", e.Severity, e.Key, e.Rule, e.Side, e.Packet, e.Text, e.Detail))
	case *FlowEvent:
		f := *e
		f.Steps, f.Topic = append([]Step(nil), e.Steps...), append([]byte(nil), e.Topic...)
		s.flows = append(s.flows, f)
		s.events = append(s.events, fmt.Sprintf("~ %v %v %v %v: %s", e.Kind, e.PacketID, e.Outcome, e.Total, e.Words))
	case *ConnectionEvent:
		s.events = append(s.events, fmt.Sprintf("# %d %v %v %s", e.Number, e.Kind, e.Version, e.Words))
	case *PacketEvent:
		s.events = append(s.events, fmt.Sprintf("%d: #%d %v %v %s flow %d.%d", e.Number, e.ConnNumber, e.Dir, e.Type, e.Topic, e.Flow, e.Step))
	}
}

func (s *script) open(n int, m Meta) {
	if !s.opened[n] {
		s.opened[n] = true
		s.t.Open(ConnID(n), m, s.now)
	}
}

var started = Meta{Client: "client", Server: "broker:1883", FromStart: true}

// run plays one line.
func (s *script) run(line string) {
	words := strings.Fields(line)
	if len(words) == 0 || words[0][0] == '/' {
		return
	}
	n := 1
	if c := words[0][0]; c >= '1' && c <= '9' {
		n, words[0] = int(c-'0'), words[0][1:]
	}
	switch words[0] {
	case "wait":
		d, err := time.ParseDuration(words[1])
		if err != nil {
			s.tb.Fatal(err)
		}
		s.now = s.now.Add(d)
		return
	case "open":
		m := started
		for _, w := range words[1:] {
			m.FromStart = m.FromStart && w != "mid"
			if v, ok := strings.CutPrefix(w, "server="); ok {
				m.Server = v
			}
		}
		s.open(n, m)
	case "close":
		by := map[string]Closer{"client": ClosedByClient, "server": ClosedByServer, "reset": ClosedByReset}[words[1]]
		s.t.Close(ConnID(n), s.now, by)
		s.opened[n] = false
	case "gap":
		s.t.Gap(ConnID(n), packet.ClientToServer, s.now, 10)
	case "up":
		connect, connack, _ := strings.Cut(strings.Join(words[1:], " "), "|")
		s.send(n, packet.ClientToServer, "CONNECT", strings.Fields(connect))
		s.send(n, packet.ServerToClient, "CONNACK", strings.Fields(connack))
	case "sub":
		s.send(n, packet.ClientToServer, "SUBSCRIBE", words[1:])
		codes := []string{words[1]}
		for _, w := range words[2:] {
			if f, o, ok := strings.Cut(w, ":"); ok && !strings.Contains(f, "=") {
				codes = append(codes, "0x0"+o[:1])
			}
		}
		s.send(n, packet.ServerToClient, "SUBACK", codes)
	case ">":
		s.send(n, packet.ClientToServer, words[1], words[2:])
	case "<":
		s.send(n, packet.ServerToClient, words[1], words[2:])
	default:
		s.tb.Fatalf("what is %q?", line)
	}
	s.now = s.now.Add(time.Millisecond)
}

func (s *script) send(n int, d packet.Direction, typ string, words []string) {
	s.open(n, started)
	raw := s.build(n, d, typ, words)
	at := 2*n + int(d)
	s.t.Packet(ConnID(n), d, s.now, s.offsets[at], raw)
	s.offsets[at] += int64(len(raw))
	s.now = s.now.Add(time.Millisecond)
}

func (s *script) build(n int, d packet.Direction, typ string, words []string) []byte {
	if typ == "hex" {
		b, err := hex.DecodeString(strings.Join(words, ""))
		if err != nil {
			s.tb.Fatal(err)
		}
		if len(b) > 9 && b[0] == 0x10 {
			if s.versions[n] = packet.Version(b[8] & 0x7f); s.versions[n] > packet.V5 {
				s.versions[n] = packet.V311
			}
		}
		return b
	}
	a := parseArgs(s.tb, words)
	if typ == "CONNECT" {
		s.versions[n] = packet.V311
		for name, v := range map[string]packet.Version{"v3": packet.V31, "v4": packet.V311, "v5": packet.V5} {
			if a.has[name] {
				s.versions[n] = v
			}
		}
	}
	for name, v := range map[string]packet.Version{"v4": packet.V311, "v5": packet.V5} {
		if a.has[name] {
			s.versions[n] = v
		}
	}
	v := s.versions[n]
	if v == 0 {
		v = packet.V311
	}
	b, err := s.packet(n, typ, &a).Append(nil, v)
	if err != nil {
		s.tb.Fatalf("%s %v: %v", typ, words, err)
	}
	return b
}

func (s *script) packet(n int, typ string, a *args) packet.Packet {
	switch typ {
	case "CONNECT":
		return s.connect(n, a)
	case "CONNACK":
		p := &packet.Connack{SessionPresent: a.has["sp"], Properties: a.props}
		if s.versions[n] == packet.V5 {
			p.ReasonCode = a.code(0)
		} else {
			p.ReturnCode = packet.ReturnCode(a.code(0))
		}
		return p
	case "PUBLISH":
		p := &packet.Publish{Retain: a.has["retain"], Dup: a.has["dup"], PacketID: uint16(a.num("id", 0)), Properties: a.props}
		p.Payload = []byte(a.value["p"])
		if t := a.plain[0]; t != "-" {
			p.Topic = []byte(strings.ReplaceAll(t, "BOM", "\xef\xbb\xbf"))
		}
		if p.QoS = packet.AtMostOnce; a.has["q1"] {
			p.QoS = packet.AtLeastOnce
		} else if a.has["q2"] {
			p.QoS = packet.ExactlyOnce
		}
		return p
	case "PUBACK":
		return &packet.Puback{PacketID: a.id(s.tb), ReasonCode: a.code(0), Properties: a.props}
	case "PUBREC":
		return &packet.Pubrec{PacketID: a.id(s.tb), ReasonCode: a.code(0), Properties: a.props}
	case "PUBREL":
		return &packet.Pubrel{PacketID: a.id(s.tb), ReasonCode: a.code(0), Properties: a.props}
	case "PUBCOMP":
		return &packet.Pubcomp{PacketID: a.id(s.tb), ReasonCode: a.code(0), Properties: a.props}
	case "PINGREQ":
		return &packet.Pingreq{}
	case "PINGRESP":
		return &packet.Pingresp{}
	case "DISCONNECT":
		return &packet.Disconnect{ReasonCode: a.code(0), Properties: a.props}
	case "AUTH":
		return &packet.Auth{ReasonCode: a.code(0x18), Properties: a.props}
	}
	return s.subscribing(typ, a)
}

func (s *script) subscribing(typ string, a *args) packet.Packet {
	rest := a.plain[1:]
	switch typ {
	case "SUBSCRIBE":
		p := &packet.Subscribe{PacketID: a.id(s.tb), Properties: a.props}
		for _, w := range rest {
			f, o, _ := strings.Cut(w, ":")
			p.Subscriptions = append(p.Subscriptions, packet.Subscription{
				Filter: f, QoS: packet.QoS(o[0] - '0'), NoLocal: strings.Contains(o, "nl"),
				RetainAsPublished: strings.Contains(o, "rap"),
			})
			sub := &p.Subscriptions[len(p.Subscriptions)-1]
			if strings.Contains(o, "rh1") {
				sub.RetainHandling = 1
			} else if strings.Contains(o, "rh2") {
				sub.RetainHandling = 2
			}
		}
		return p
	case "SUBACK":
		return &packet.Suback{PacketID: a.id(s.tb), Codes: codesOf(rest), Properties: a.props}
	case "UNSUBSCRIBE":
		return &packet.Unsubscribe{PacketID: a.id(s.tb), Filters: rest, Properties: a.props}
	case "UNSUBACK":
		return &packet.Unsuback{PacketID: a.id(s.tb), Codes: codesOf(rest), Properties: a.props}
	}
	s.tb.Fatalf("what is %s?", typ)
	return nil
}

func codesOf(words []string) (list []packet.ReasonCode) {
	for _, w := range words {
		a := args{plain: []string{w}}
		list = append(list, a.code(0))
	}
	return list
}

func (s *script) connect(n int, a *args) packet.Packet {
	p := &packet.Connect{CleanStart: !a.has["dirty"], KeepAlive: uint16(a.num("keep", 0)), ClientID: fmt.Sprint("c", n), Properties: a.props}
	if id, ok := a.value["id"]; ok {
		p.ClientID = id
	}
	if a.has["bridge"] {
		p.Bridge = true
	}
	if w, ok := a.value["will"]; ok {
		topic, payload, _ := strings.Cut(w, ":")
		var words []string
		for k, v := range a.value {
			if name, found := strings.CutPrefix(k, "will-"); found && name != "q" {
				words = append(words, name+"="+v)
			}
		}
		if ups, found := a.value["will-ups"]; found {
			words = nil
			for _, u := range strings.Split(ups, ",") {
				words = append(words, "up="+u)
			}
		}
		wa := parseArgs(s.tb, words)
		p.Will = &packet.Will{Topic: topic, Payload: []byte(payload), QoS: packet.QoS(a.num("will-q", 0)), Retain: a.has["will-retain"], Properties: wa.props}
	}
	return p
}

// testCase is one script of a file.
type testCase struct {
	name  string
	line  int
	lines []string
	want  []string
}

func loadCases(tb testing.TB, name string) []testCase {
	b, err := os.ReadFile(name)
	if err != nil {
		tb.Fatal(err)
	}
	var list []testCase
	for i, l := range strings.Split(string(b), "\n") {
		switch {
		case strings.HasPrefix(l, "== "):
			list = append(list, testCase{name: l[3:], line: i + 1})
		case strings.HasPrefix(l, "="):
			list[len(list)-1].want = strings.Fields(l[1:])
		case len(list) > 0 && l != "":
			c := &list[len(list)-1]
			c.lines = append(c.lines, l)
		}
	}
	return list
}
