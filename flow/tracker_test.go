package flow

import (
	"fmt"
	"math/rand"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"mq/packet"
)

// playLines plays lines and ends the input.
func playLines(t *testing.T, lines ...string) *script {
	t.Helper()
	s := newScript(t, Options{})
	for _, l := range lines {
		s.run(l)
	}
	s.t.Finish(s.now)
	return s
}

func TestEventOrder(t *testing.T) {
	s := playLines(t, "up id=sensor-7 keep=60", "> PUBLISH home/heater q2 id=1 p=21.5", "< PUBREC 1", "> PUBREL 1", "< PUBCOMP 1",
		"> SUBSCRIBE 2 a:1 b:0", "< SUBACK 2 0x01 0x80", "> PINGREQ", "< PINGRESP", "> PUBLISH x q1 id=9", "> DISCONNECT", "close client")
	want := []string{
		"# 1 opened Version(0) ",
		"1: #1 c2s CONNECT  flow 1.1",
		"2: #1 s2c CONNACK  flow 1.2",
		"# 1 established 3.1.1 connection accepted",
		"~ CONNECT 0 completed 1ms: connection accepted",
		"3: #1 c2s PUBLISH home/heater flow 2.1",
		"4: #1 s2c PUBREC  flow 2.2",
		"5: #1 c2s PUBREL  flow 2.3",
		"6: #1 s2c PUBCOMP  flow 2.4",
		"~ QoS 2 1 completed 6ms: exactly once",
		"7: #1 c2s SUBSCRIBE  flow 3.1",
		"8: #1 s2c SUBACK  flow 3.2",
		"~ SUBSCRIBE 2 refused 2ms: granted QoS 1, failure (0x80)",
		"9: #1 c2s PINGREQ  flow 4.1",
		"10: #1 s2c PINGRESP  flow 4.2",
		"~ PING 0 completed 2ms: answered",
		"11: #1 c2s PUBLISH x flow 5.1",
		"12: #1 c2s DISCONNECT  flow 0.0",
		"# 1 closed 3.1.1 normal disconnection",
		"~ QoS 1 9 incomplete 0s: no PUBACK, the connection was closed",
	}
	if !slices.Equal(s.events, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(s.events, "\n"), strings.Join(want, "\n"))
	}
}

func TestPacketEvent(t *testing.T) {
	var got []PacketEvent
	s := newScript(t, Options{})
	s.t.sink = func(e Event) {
		if p, ok := e.(*PacketEvent); ok {
			c := *p
			c.Topic = slices.Clone(p.Topic)
			if p.Completes != nil {
				f := *p.Completes
				f.Topic = slices.Clone(f.Topic)
				c.Completes = &f
			}
			got = append(got, c)
		}
	}
	for _, l := range []string{
		"up v5 id=p | alias-max=5", "2up v5 id=s", "2sub 1 a/#:1", "> PUBLISH a/long alias=2", "> PUBLISH - alias=2 q1 id=4 p=x",
		"2< PUBLISH a/long q1 id=7 p=x", "< PUBACK 4 0x10", "2> PUBACK 7",
	} {
		s.run(l)
	}
	alias, delivered, ack := got[7], got[8], got[9]
	if string(alias.Topic) != "a/long" || !alias.Aliased || alias.Offset == 0 || alias.Flow == 0 {
		t.Errorf("alias: %+v", alias)
	}
	if delivered.Origin != alias.Number || delivered.Copy != 1 || delivered.Residence != delivered.Time.Sub(alias.Time) || delivered.ConnNumber != 2 {
		t.Errorf("delivery: %+v", delivered)
	}
	f := ack.Completes
	if f == nil || f.Kind != KindQoS1 || string(f.Topic) != "a/long" || f.Words != "no matching subscribers" || f.Outcome != Completed || f.PacketID != 4 {
		t.Errorf("acknowledgement: %+v", f)
	}
	if ack.Delta != ack.Time.Sub(alias.Time) {
		t.Errorf("delta %v, want %v", ack.Delta, ack.Time.Sub(alias.Time))
	}
}

func TestReconnect(t *testing.T) {
	s := playLines(t, "up v5 id=a dirty expiry=60", "> PUBLISH t q2 id=3 p=x", "< PUBREC 3", "> PUBREL 3", "> PUBLISH t q1 id=4 p=y", "close reset",
		"2up v5 id=a dirty expiry=60 | sp", "2> PUBREL 3", "2> PUBLISH t q1 id=4 p=y dup", "2< PUBCOMP 3", "2< PUBACK 4")
	var two, one *FlowEvent
	for i := range s.flows {
		switch s.flows[i].Kind {
		case KindQoS2:
			two = &s.flows[i]
		case KindQoS1:
			one = &s.flows[i]
		}
	}
	if len(s.findings) != 0 || two == nil || two.Outcome != Completed || two.Resent != 1 || len(two.Steps) != 4 {
		t.Fatalf("QoS 2: %+v\n%s", two, strings.Join(s.events, "\n"))
	}
	if two.Steps[0].Conn != 1 || two.Steps[3].Conn != 2 || two.ConnNumber != 2 {
		t.Errorf("steps: %+v", two.Steps)
	}
	if one == nil || one.Outcome != Completed || one.Resent != 1 || len(one.Steps) != 2 {
		t.Errorf("QoS 1: %+v", one)
	}
}

func TestLimits(t *testing.T) {
	var got *ConnectionEvent
	s := newScript(t, Options{})
	s.t.sink = func(e Event) {
		if c, ok := e.(*ConnectionEvent); ok && c.Kind == ConnEstablished {
			v := *c
			got = &v
		}
	}
	s.run("up v5 id= keep=60 rm=7 max=100 alias-max=5 expiry=30 rpi=0 rri=1 | assigned=x ska=10 rm=20 maxqos=1 retain-avail=0 wild=0 subids=0 shared=0 alias-max=9 max=200 expiry=15 rinfo=r")
	want := Limits{
		KeepAlive: 10 * time.Second, ServerKeepAlive: true, CleanStart: true, SessionExpiry: 15, ClientReceiveMaximum: 7,
		ServerReceiveMaximum: 20, ClientMaximumPacket: 100, ServerMaximumPacket: 200, ClientAliasMaximum: 5,
		ServerAliasMaximum: 9, MaximumQoS: 1, ResponseInformation: true,
	}
	if got == nil || got.Limits != want || got.ClientID != "x" || !got.Assigned || got.Version != packet.V5 {
		t.Errorf("got %+v", got)
	}
	s.run("2up id=y dirty")
	want = defaultLimits()
	want.SessionExpiry = NoExpiry
	if got.Limits != want {
		t.Errorf("got %+v", got.Limits)
	}
}

func TestInference(t *testing.T) {
	for _, c := range []struct {
		name  string
		lines []string
		want  packet.Version
	}{
		{"5.0 by SUBSCRIBE", []string{"> SUBSCRIBE 1 v5 a/#:1"}, packet.V5},
		{"5.0 by payloads", []string{"> PUBLISH v5 a p=x", "> PUBLISH v5 a p=x"}, packet.V5},
		{"3.1.1 by payload", []string{"> PUBLISH v4 a p=hello"}, packet.V311},
		{"3.1.1 by SUBACK", []string{"> PINGREQ", "< SUBACK v4 1 0x01"}, packet.V311},
		{"3.1.1 for want of evidence", []string{"> PINGREQ", "< PINGRESP", "> PUBACK 3"}, packet.V311},
		{"5.0 by acknowledgement", []string{"> PINGREQ", "> PUBACK v5 3 0x10"}, packet.V5},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := playLines(t, append([]string{"open mid"}, c.lines...)...)
			last := ""
			for _, e := range s.events {
				if strings.Contains(e, "inferred") {
					last = e
				}
			}
			if want := fmt.Sprintf("# 1 inferred %v ", c.want); last != want {
				t.Errorf("got %q, want %q\n%s", last, want, strings.Join(s.events, "\n"))
			}
			for _, f := range s.findings {
				if f.Rule != "" || f.Version != 0 || f.Severity == failure {
					t.Errorf("a rule of a version is applied: %+v", f)
				}
			}
		})
	}
}

func TestRequest(t *testing.T) {
	s := playLines(t, "up v5 id=asks", "sub 1 reply/#:0", "2up v5 id=answers", "2sub 1 svc/#:0",
		"> PUBLISH svc/time rt=reply/1 cd=77 p=now?", "2< PUBLISH svc/time rt=reply/1 cd=77 p=now?",
		"2> PUBLISH reply/1 cd=78 p=other", "2> PUBLISH reply/1 cd=77 p=noon", "< PUBLISH reply/1 cd=77 p=noon",
		"> PUBLISH svc/time rt=reply/1 cd=79 p=again?")
	var got []string
	for _, f := range s.flows {
		if f.Kind == KindRequest {
			got = append(got, fmt.Sprintf("%s %v %d steps %v %s", f.Topic, f.Outcome, len(f.Steps), f.Total, f.Words))
		}
	}
	want := []string{"svc/time completed 4 steps 8ms answered", "svc/time incomplete 1 steps 0s no response"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q\n%s", got, want, strings.Join(s.events, "\n"))
	}
}

func TestSummary(t *testing.T) {
	s := playLines(t, "up id=a", "sub 1 a:0", "> PUBLISH a p=1", "< PUBLISH a p=1", "> PUBLISH b q1 id=4", "wait 100ms", "< PUBACK 4",
		"> PUBLISH b q1 id=5", "< PUBACK 5", "< PUBACK 6")
	sum := s.t.Summary()
	if n := sum.Types[packet.PUBLISH]; n[0].Packets != 3 || n[1].Packets != 1 || n[1].Bytes != 6 {
		t.Errorf("PUBLISH: %+v", n)
	}
	if sum.QoS[0] != [3]int64{1, 2, 0} || sum.Deliveries != 1 || sum.Connections != 1 || sum.Residence.Count != 1 {
		t.Errorf("%+v", sum)
	}
	for _, h := range sum.Handshakes {
		if h.Kind == KindQoS1 && (h.Latency.Count != 2 || h.Latency.Max != 102*time.Millisecond || h.Latency.P50 < 2*time.Millisecond) {
			t.Errorf("QoS 1: %+v", h)
		}
	}
	if len(sum.Topics) != 2 || sum.Topics[0].Name != "a" || sum.Topics[0].Packets != 2 {
		t.Errorf("topics: %+v", sum.Topics)
	}
	if len(sum.Clients) != 1 || sum.Clients[0].Name != "a" {
		t.Errorf("clients: %+v", sum.Clients)
	}
	if len(sum.Rules) != 1 || sum.Rules[0].Key != "F8" || sum.Rules[0].Rule != "MQTT-2.3.1-6" || sum.Rules[0].Count != 1 {
		t.Errorf("rules: %+v", sum.Rules)
	}
}

func TestDiagnostic(t *testing.T) {
	s := playLines(t, "up v5 | alias-max=5", "> PUBLISH a/b alias=6")
	want := Diagnostic{
		Severity: failure, Key: "E18", Version: packet.V5, Rule: "MQTT-3.3.2-9", Detail: "topic alias 6, the maximum is 5",
		Text: lookup("E18").text, Conn: 1, ConnNumber: 1, ClientID: "c1", Dir: packet.ClientToServer, Packet: 3, End: 11,
		Side: client, Code: packet.ReasonTopicAliasInvalid, CodeNamed: true,
	}
	got := s.findings[0]
	got.Time = time.Time{}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	s = playLines(t, "up", "< PUBACK 9")
	if got := s.findings[0]; got.Rule != "MQTT-2.3.1-6" || got.Code != 0 || got.Version != packet.V311 {
		t.Errorf("%+v", got)
	}
	s = playLines(t, "up", "> PUBLISH a q1 id=5", "> PUBLISH a q1 id=5 dup")
	if got := s.findings[0]; got.Key != "M8" || got.Severity != note || got.Related != 3 || got.Packet != 4 {
		t.Errorf("%+v", got)
	}
	s = playLines(t, "up v3", "> SUBSCRIBE 1 a:0 b:0", "< SUBACK 1 0x00")
	if got := s.findings[0]; got.Key != "G14" || got.Rule != "" || got.Version != packet.V31 {
		t.Errorf("%+v", got)
	}
}

func TestTick(t *testing.T) {
	s := newScript(t, Options{})
	s.run("up")
	s.run("> PINGREQ")
	s.t.Tick(s.now.Add(20 * time.Second))
	if len(s.findings) != 1 || s.findings[0].Key != "I3" || s.findings[0].Packet != 3 || s.findings[0].Related != 0 {
		t.Errorf("%+v", s.findings)
	}
	empty := newScript(t, Options{})
	empty.t.Finish(time.Time{})
	if sum := empty.t.Summary(); !sum.First.IsZero() || sum.Connections != 0 {
		t.Errorf("%+v", sum)
	}
}

func TestBroken(t *testing.T) {
	s := newScript(t, Options{})
	s.run("up")
	s.t.Broken(1, packet.ClientToServer, s.now, 20, []byte{0x30, 0xff, 0xff, 0xff, 0xff, 0x01}, packet.ErrMalformed)
	if len(s.findings) != 1 || s.findings[0].Key != "A3" || s.findings[0].Packet != 3 {
		t.Errorf("%+v", s.findings)
	}
}

func TestStrings(t *testing.T) {
	for n := range 256 {
		for _, s := range []string{Kind(n).String(), Outcome(n).String(), ConnectionKind(n).String(), Closer(n).String()} {
			if s == "" {
				t.Errorf("%d has no name", n)
			}
		}
	}
}

// TestBounded plays far more connections, topics, sessions and handshakes than are followed.
func TestBounded(t *testing.T) {
	s := newScript(t, Options{MaxConnections: 100, MaxSessions: 50, MaxInFlight: 500, MaxTopics: 64, MaxMessages: 256, MaxConnBytes: 1 << 14, MaxBytes: 1 << 18})
	s.t.sink = func(Event) {}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := uint64(0)
	topic := strings.Repeat("x", 300)
	for i := range 3000 {
		id := ConnID(i)
		at := s.now.Add(time.Duration(i) * time.Millisecond)
		send := func(d packet.Direction, p packet.Packet) { s.t.Packet(id, d, at, 0, encode(t, p, packet.V311)) }
		s.t.Open(id, started, at)
		send(packet.ClientToServer, &packet.Connect{ClientID: fmt.Sprint("client", i), Will: &packet.Will{Topic: topic}})
		send(packet.ServerToClient, &packet.Connack{})
		name := fmt.Sprint(topic, i)
		send(packet.ClientToServer, &packet.Subscribe{PacketID: 1, Subscriptions: []packet.Subscription{{Filter: name}}})
		for q := range 10 {
			send(packet.ClientToServer, &packet.Publish{Topic: []byte(name), QoS: 1, PacketID: uint16(q + 2), Retain: true})
		}
		if i%2 == 0 {
			s.t.Close(id, at, ClosedByReset)
		}
		if i == 1500 {
			before = heap()
		}
		if i%100 == 0 {
			if err := s.t.invariants(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if after := heap(); after > before+before/5+1<<20 {
		t.Errorf("the heap grew from %d to %d bytes", before, after)
	}
	runtime.KeepAlive(s)
}

func TestFlights(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	var table flights
	want := map[uint16]int64{}
	for n := range int64(20000) {
		id := uint16(r.Intn(300) * 64)
		if f := table.get(id); (f != nil) != (want[id] != 0) || f != nil && f.number != want[id] {
			t.Fatalf("%d: %+v, want %d", id, f, want[id])
		}
		if want[id] != 0 {
			table.remove(id)
			delete(want, id)
		} else {
			table.put(id).number = n + 1
			want[id] = n + 1
		}
		if table.n != len(want) {
			t.Fatalf("%d in the table, want %d", table.n, len(want))
		}
	}
}

func TestHistogram(t *testing.T) {
	var h histogram
	for i := int64(1); i <= 1000; i++ {
		h.add(i * 1000)
	}
	l := h.latency()
	for _, c := range []struct{ got, want time.Duration }{{l.P50, 500e3}, {l.P90, 900e3}, {l.P99, 990e3}} {
		if c.got < c.want || c.got > c.want*107/100 {
			t.Errorf("got %v, want %v", c.got, c.want)
		}
	}
	if l.Max != 1e6 || l.Count != 1000 {
		t.Errorf("%+v", l)
	}
	for _, n := range []int64{0, 1, 15, 16, 31, 32, 33, 63, 64, 1 << 40, 1<<62 + 12345} {
		i := bucketOf(n)
		if top := bucketTop(i); top < n || i > 0 && bucketTop(i-1) >= n {
			t.Errorf("%d is in bucket %d, up to %d", n, i, top)
		}
	}
}

func TestTopCounter(t *testing.T) {
	c := newTopCounter(32)
	r := rand.New(rand.NewSource(1))
	for range 20000 {
		n := r.Intn(4)
		if r.Intn(4) == 0 {
			n = 10 + r.Intn(5000)
		}
		c.get(uint64(n)*0x9e3779b97f4a7c15, fmt.Append(nil, n)).count++
	}
	for i, got := range c.top(4) {
		if len(got.Name) != 1 || got.Packets < 3000 {
			t.Errorf("place %d is %+v", i, got)
		}
	}
	if len(c.slots) != 32 || len(c.index) != 32 {
		t.Errorf("%d places", len(c.slots))
	}
}

func TestMatches(t *testing.T) {
	for _, filter := range []string{"a", "a/b", "#", "+", "+/+", "a/#", "a/+/c", "/+", "+/#", "$SYS/#", "a//b", ""} {
		for _, name := range []string{"a", "a/b", "/a", "a/b/c", "$SYS/x", "$SYS", "a//b", "/", "b"} {
			if got, want := matches(filter, []byte(name)), packet.MatchTopic(filter, name); got != want {
				t.Errorf("%q %q: %v, want %v", filter, name, got, want)
			}
		}
	}
}

func TestPlain(t *testing.T) {
	for at := range 17 {
		for n := range 256 {
			s := []byte(strings.Repeat("m", 17))
			s[at] = byte(n)
			if got, want := plain(s), n >= 0x20 && n <= 0x7e; got != want {
				t.Errorf("byte %#x at %d: %v", n, at, got)
			}
		}
	}
}
