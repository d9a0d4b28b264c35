package connect

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mq/packet"
)

func received(qos packet.QoS, id uint16, payload string) packet.Message {
	return packet.Message{Topic: "t", QoS: qos, PacketID: id, Payload: []byte(payload)}
}

func TestReceive(t *testing.T) {
	t.Parallel()
	s := listen(t)
	o := s.options()
	r := record(t, &o)
	session, p := s.open(o)
	p.send(publish(0, 0, "zero"), &packet.Publish{QoS: 1, PacketID: 65535, Topic: []byte("ä/b"), Payload: []byte{}, Retain: true, Dup: true}, publish(7, 2, "two"))
	r.expectMessages(received(0, 0, "zero"), packet.Message{Topic: "ä/b", QoS: 1, PacketID: 65535, Payload: []byte{}, Retain: true, Dup: true}, received(2, 7, "two"))
	p.expect(&packet.Puback{PacketID: 65535}, &packet.Pubrec{PacketID: 7})
	p.send(&packet.Pubrel{PacketID: 7})
	p.expect(&packet.Pubcomp{PacketID: 7})
	if got := session.Stats(); got.Received != 3 || got.Duplicates != 0 {
		t.Errorf("%+v", got)
	}
}

// TestReceiveTwice [MQTT-4.3.3-2]: a message of QoS 2 that comes again before its PUBREL is not handed over again.
func TestReceiveTwice(t *testing.T) {
	t.Parallel()
	s := listen(t)
	o := s.options()
	r := record(t, &o)
	session, p := s.open(o)
	p.send(publish(7, 2, "a"), dup(publish(7, 2, "a")), dup(publish(7, 2, "a")))
	p.expect(&packet.Pubrec{PacketID: 7}, &packet.Pubrec{PacketID: 7}, &packet.Pubrec{PacketID: 7})
	p.send(&packet.Pubrel{PacketID: 7})
	p.expect(&packet.Pubcomp{PacketID: 7})
	// PUBREL has freed the identifier: the next message is another one, whatever its DUP flag says.
	p.send(&packet.Pubrel{PacketID: 7}, dup(publish(7, 2, "b")), publish(1, 1, "c"), dup(publish(1, 1, "c")))
	p.expect(&packet.Pubcomp{PacketID: 7}, &packet.Pubrec{PacketID: 7}, &packet.Puback{PacketID: 1}, &packet.Puback{PacketID: 1})
	again, once := received(2, 7, "b"), received(1, 1, "c")
	again.Dup = true
	twice := once
	twice.Dup = true // at QoS 1 that is nothing to be kept back
	r.expectMessages(received(2, 7, "a"), again, once, twice)
	if got := session.Stats(); got.Received != 4 || got.Duplicates != 2 {
		t.Errorf("%+v", got)
	}
}

// TestReceiveTwiceAfterReconnect: the server has kept the session, and so has the client.
func TestReceiveTwiceAfterReconnect(t *testing.T) {
	t.Parallel()
	for _, present := range []bool{true, false} {
		t.Run(fmt.Sprint("present ", present), func(t *testing.T) {
			t.Parallel()
			s := listen(t)
			o := s.options()
			o.KeepSession, o.Reconnect.Enabled = true, true
			r := record(t, &o)
			session, p := s.open(o)
			p.send(publish(7, 2, "a"), publish(8, 2, "b"))
			p.expect(&packet.Pubrec{PacketID: 7}, &packet.Pubrec{PacketID: 8})
			p.send(&packet.Pubrel{PacketID: 8})
			p.expect(&packet.Pubcomp{PacketID: 8})
			p.drop()
			p = s.connect(present)
			p.send(dup(publish(7, 2, "a")), publish(8, 2, "c"))
			p.expect(&packet.Pubrec{PacketID: 7}, &packet.Pubrec{PacketID: 8})
			want := []packet.Message{received(2, 7, "a"), received(2, 8, "b")}
			duplicates := uint64(1)
			if !present { // the identifiers start anew
				again := received(2, 7, "a")
				again.Dup = true
				want = append(want, again)
				duplicates = 0
			}
			r.expectMessages(append(want, received(2, 8, "c"))...)
			if got := session.Stats(); got.Received != uint64(len(want)+1) || got.Duplicates != duplicates || got.Reconnects != 1 {
				t.Errorf("%+v", got)
			}
			if got := session.SessionPresent(); got != present {
				t.Errorf("SessionPresent is %v", got)
			}
		})
	}
}

// TestReceiveWithheld: what OnMessage does not take is not acknowledged, and handed over when it comes again.
func TestReceiveWithheld(t *testing.T) {
	t.Parallel()
	s := listen(t)
	o := s.options()
	o.KeepSession, o.Reconnect.Enabled = true, true
	r := record(t, &o)
	record := o.OnMessage
	var take atomic.Bool
	o.OnMessage = func(m *packet.Message) bool {
		record(m)
		return string(m.Payload) == "ok" || take.Load()
	}
	session, p := s.open(o)
	p.send(publish(1, 1, "no"), publish(2, 2, "no"), publish(0, 0, "no"), publish(3, 1, "ok"))
	p.expect(&packet.Puback{PacketID: 3}) // and nothing for the others
	r.expectMessages(received(1, 1, "no"), received(2, 2, "no"), received(0, 0, "no"), received(1, 3, "ok"))
	p.drop()
	p = s.accept()
	p.connect()
	take.Store(true) // no message can be on its way now
	p.send(&packet.Connack{SessionPresent: true}, dup(publish(1, 1, "no")), dup(publish(2, 2, "no")))
	p.expect(&packet.Puback{PacketID: 1}, &packet.Pubrec{PacketID: 2})
	one, two := received(1, 1, "no"), received(2, 2, "no")
	one.Dup, two.Dup = true, true
	r.expectMessages(one, two)
	if got := session.Stats(); got.Received != 6 || got.Duplicates != 0 {
		t.Errorf("%+v", got)
	}
}

// TestCloseWaitsForHandshakes: what was received is acknowledged to the end before DISCONNECT.
func TestCloseWaitsForHandshakes(t *testing.T) {
	t.Parallel()
	s := listen(t)
	o := s.options()
	r := record(t, &o)
	session, p := s.open(o)
	p.send(publish(1, 2, "a"))
	r.expectMessages(received(2, 1, "a"))
	closed := async(session.Close)
	p.expect(&packet.Pubrec{PacketID: 1})
	select {
	case err := <-closed:
		t.Fatalf("closed before PUBREL: %v", err)
	default:
	}
	p.send(&packet.Pubrel{PacketID: 1})
	p.expect(&packet.Pubcomp{PacketID: 1}, &packet.Disconnect{})
	p.expectEnd()
	if err := receive(t, closed); err != nil {
		t.Error(err)
	}
}

// TestCloseDoesNotWaitForever for a PUBREL that never comes, nor for what was withheld.
func TestCloseDoesNotWaitForever(t *testing.T) {
	t.Parallel()
	s := listen(t)
	o := s.options()
	o.OnMessage = func(m *packet.Message) bool { return string(m.Payload) != "no" }
	session, p := s.open(o)
	p.send(publish(1, 2, "a"), publish(2, 2, "no"), publish(3, 1, "no"))
	p.expect(&packet.Pubrec{PacketID: 1})
	start := time.Now()
	if err := session.Close(); err != nil {
		t.Error(err)
	}
	if d := time.Since(start); d < closeGrace || d > closeGrace+2*time.Second {
		t.Errorf("Close took %v, want a little over %v", d, closeGrace)
	}
	p.expect(&packet.Disconnect{})

	session, p = s.open(o)
	p.send(publish(2, 2, "no"), publish(3, 1, "no"), publish(4, 1, "yes"))
	p.expect(&packet.Puback{PacketID: 4})
	start = time.Now()
	if err := session.Close(); err != nil {
		t.Error(err)
	}
	if d := time.Since(start); d >= closeGrace {
		t.Errorf("Close took %v: it waits for a message that was withheld", d)
	}
}

func TestSubscribe(t *testing.T) {
	t.Parallel()
	s := listen(t)
	session, p := s.open(s.options())
	subs := []Subscription{{"a/#", 0}, {"b/+", 1}, {"c", 2}, {"d", 2}, {"e", 1}}
	type result struct {
		res []SubscribeResult
		err error
	}
	done := async(func() result {
		res, err := session.Subscribe(t.Context(), subs)
		return result{res, err}
	})
	got, _ := p.next()
	sub := got.(*packet.Subscribe)
	asked := map[string]packet.QoS{}
	answers := map[string]packet.ReasonCode{"a/#": 0, "b/+": 0, "c": 2, "d": packet.ReasonUnspecifiedError, "e": 1}
	suback := &packet.Suback{PacketID: sub.PacketID}
	for _, x := range sub.Subscriptions {
		asked[x.Filter] = x.QoS
		suback.Codes = append(suback.Codes, answers[x.Filter])
	}
	if diff := cmp.Diff(map[string]packet.QoS{"a/#": 0, "b/+": 1, "c": 2, "d": 2, "e": 1}, asked); diff != "" {
		t.Errorf("SUBSCRIBE (-want +got):\n%s", diff)
	}
	p.send(suback)
	r := receive(t, done)
	if r.err != nil {
		t.Fatal(r.err)
	}
	refused := &RefusedError{Packet: packet.SUBSCRIBE, Topic: "d", Code: 0x80, Words: "failure",
		hints: []string{"the server does not let this user subscribe to the topic filter: check its access list, or try a narrower -t"}}
	want := []SubscribeResult{{"a/#", 0, nil}, {"b/+", 0, nil}, {"c", 2, nil}, {"d", 0, refused}, {"e", 1, nil}}
	if diff := cmp.Diff(want, r.res, cmp.AllowUnexported(RefusedError{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if text := refused.Error(); text != `SUBSCRIBE of "d" refused: failure (0x80)` || !refused.Fatal() {
		t.Errorf("%s, fatal %v", text, refused.Fatal())
	}

	unsubscribed := async(func() error { return session.Unsubscribe(t.Context(), []string{"c", "a/#"}) })
	pkt, _ := p.next()
	un := pkt.(*packet.Unsubscribe)
	if diff := cmp.Diff([]string{"c", "a/#"}, un.Filters); diff != "" {
		t.Errorf("UNSUBSCRIBE (-want +got):\n%s", diff)
	}
	p.send(&packet.Unsuback{PacketID: un.PacketID})
	if err := receive(t, unsubscribed); err != nil {
		t.Error(err)
	}
}

func TestSubscribeRefusesHere(t *testing.T) {
	t.Parallel()
	s := listen(t)
	o := s.options()
	o.Reconnect.Enabled = true
	session, p := s.open(o)
	var te *packet.TopicError
	for _, filter := range []string{"", "a/#/b", "a+", "a\x00", "\xff"} {
		if _, err := session.Subscribe(t.Context(), []Subscription{{"ok", 0}, {filter, 0}}); !errors.As(err, &te) {
			t.Errorf("%q: got %T %v, want a *packet.TopicError", filter, err, err)
		}
	}
	_, err := session.Subscribe(t.Context(), []Subscription{{"a", 3}})
	checkOptionError(t, err, "qos", `--qos "QoS(3)": want 0, 1 or 2`, "")
	if res, err := session.Subscribe(t.Context(), nil); res != nil || err != nil {
		t.Errorf("no filters: %v, %v", res, err)
	}
	if err := session.Unsubscribe(t.Context(), nil); err != nil {
		t.Errorf("no filters: %v", err)
	}
	if err := session.Close(); err != nil {
		t.Error(err)
	}
	p.expect(&packet.Disconnect{})
}

// TestProtocolErrors: what a server must not send ends the session with a *ProtocolError, also if it reconnects.
func TestProtocolErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, bytes, want string }{
		{"CONNECT", "\x10\x0c\x00\x04MQTT\x04\x02\x00\x00\x00\x00", "it sent CONNECT, which a server does not send"},
		{"SUBSCRIBE", "\x82\x06\x00\x01\x00\x01a\x00", "it sent SUBSCRIBE, which a server does not send"},
		{"UNSUBSCRIBE", "\xa2\x05\x00\x01\x00\x01a", "it sent UNSUBSCRIBE, which a server does not send"},
		{"PINGREQ", "\xc0\x00", "it sent PINGREQ, which a server does not send"},
		{"DISCONNECT", "\xe0\x00", "it sent DISCONNECT, which a server does not send"},
		{"type 0", "\x00\x00", "it sent Type(0), which a server does not send"},
		{"AUTH", "\xf0\x00", "it sent AUTH, which a server does not send"},
		{"second CONNACK", "\x20\x02\x00\x00", "it sent a CONNACK that is malformed or out of place"},
		{"QoS 3 [MQTT-3.3.1-4]", "\x36\x05\x00\x01a\x00\x01", "it sent a PUBLISH of QoS 3"},
		{"topic longer than packet", "\x30\x02\x00\x09", "it sent a packet that cannot be decoded"},
		{"long length", "\x30\xff\xff\xff\xff\x01", "it sent a remaining length of more than four bytes"},
		{"empty SUBACK", "\x90\x00", "it sent a SUBACK that is too short"},
		{"short SUBACK", "\x90\x01\x00", "it sent a SUBACK that is too short"},
		{"SUBACK without codes", "\x90\x02\x00\x01", "it sent a SUBACK that answers no request of ours"},
		{"SUBACK, one too few [MQTT-3.9.3-1]", "\x90\x03\x00\x01\x00", "it sent a SUBACK that answers no request of ours"},
		{"SUBACK, one too many [MQTT-3.9.3-1]", "\x90\x05\x00\x01\x00\x00\x00", "it sent a SUBACK that answers no request of ours"},
		{"SUBACK, unknown", "\x90\x04\x00\x09\x00\x00", "it sent a SUBACK that answers no request of ours"},
		{"UNSUBACK for SUBSCRIBE", "\xb0\x02\x00\x01", "it sent an UNSUBACK that answers no request of ours"},
		{"UNSUBACK for PUBLISH", "\xb0\x02\x00\x02", "it sent an UNSUBACK that answers no request of ours"},
	} {
		for _, again := range []bool{false, true} {
			t.Run(fmt.Sprint(test.name, " ", again), func(t *testing.T) {
				t.Parallel()
				s := listen(t)
				o := s.options()
				o.Reconnect.Enabled = again
				r := record(t, &o)
				session, p := s.open(o)
				asked := async(func() error {
					_, err := session.Subscribe(t.Context(), []Subscription{{"a", 0}, {"b", 0}})
					return err
				})
				p.next()
				a := newAcks(t)
				mustPublish(t, session, 1, a, 0, "m")
				p.next()
				p.raw(test.bytes)
				want := &ProtocolError{Addr: o.Addr(), Reason: test.want}
				receive(t, session.Done())
				var got *ProtocolError
				if !errors.As(session.Err(), &got) {
					t.Fatalf("got %T %v", session.Err(), session.Err())
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if text := o.Addr() + " does not keep to MQTT: " + test.want; got.Error() != text {
					t.Errorf("got %q, want %q", got, text)
				}
				for _, err := range []error{receive(t, asked), receive(t, a.c).err, session.Publish(t.Context(), message(0, ""), nil)} {
					if !errors.As(err, &got) {
						t.Errorf("a call that was waiting got %T %v", err, err)
					}
				}
				p.expectEnd()
				r.expect(Event{Kind: EventConnected})
				r.none()
			})
		}
	}
}
