package connect

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mq/packet"
)

// shortly ends soon: a call that is to block is given it, and has to return its error.
func shortly(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

// mustPublish publishes messages with these payloads; callbacks are numbered from first.
func mustPublish(t *testing.T, s Session, qos packet.QoS, a *acks, first int, payloads ...string) {
	t.Helper()
	for i, payload := range payloads {
		if err := s.Publish(t.Context(), message(qos, payload), a.callback(first+i)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPublishBytes(t *testing.T) {
	t.Parallel()
	s := listen(t)
	session, p := s.open(s.options())
	a := newAcks(t)
	long := strings.Repeat("x", 130)
	for i, test := range []struct {
		m    packet.Message
		want string
	}{
		{packet.Message{Topic: "a/b", Payload: []byte("hi")}, "\x30\x07\x00\x03a/bhi"},
		{packet.Message{Topic: "a", Payload: nil, Retain: true}, "\x31\x03\x00\x01a"},
		{packet.Message{Topic: "a", Payload: []byte("\x00\xff"), QoS: 1}, "\x32\x07\x00\x01a\x00\x01\x00\xff"},
		{packet.Message{Topic: "ä", Payload: []byte{}, QoS: 1, Retain: true}, "\x33\x06\x00\x02ä\x00\x02"},
		{packet.Message{Topic: "a", Payload: []byte("z"), QoS: 2}, "\x34\x06\x00\x01a\x00\x03z"},
		{packet.Message{Topic: "a", Payload: []byte(long)}, "\x30\x85\x01\x00\x01a" + long},
		// What a received message carries besides does not belong to the one that is sent.
		{packet.Message{Topic: "a", QoS: 1, Dup: true, PacketID: 77}, "\x32\x05\x00\x01a\x00\x04"},
	} {
		if err := session.Publish(t.Context(), &test.m, a.callback(i)); err != nil {
			t.Fatal(err)
		}
		if _, got := p.next(); string(got) != test.want {
			t.Errorf("message %d: % x, want % x", i, got, test.want)
		}
		if test.m.QoS == 0 {
			a.expect(i)
		}
		a.none()
	}
	p.send(&packet.Puback{PacketID: 1})
	a.expect(2)
	p.send(&packet.Pubrec{PacketID: 3})
	if _, got := p.next(); string(got) != "\x62\x02\x00\x03" {
		t.Errorf("PUBREL: % x", got)
	}
	a.none()
	p.send(&packet.Pubcomp{PacketID: 3}, &packet.Puback{PacketID: 2}, &packet.Puback{PacketID: 4})
	a.expect(4, 3, 6)
	if err := session.Drain(t.Context()); err != nil {
		t.Error(err)
	}
	got := session.Stats()
	want := Stats{Published: 7, Written: 7, Acknowledged: 4, BytesIn: 4 + 5*4, BytesOut: got.BytesOut}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestWindow: there are never more messages under way than the window holds.
func TestWindow(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		inFlight, qos1, qos2 int
	}{{0, 100, 20}, {1, 1, 1}, {7, 7, 7}, {65535, maxWindow, maxWindow}} {
		if l := newLedger(test.inFlight); l.window != test.qos1 || l.window2 != test.qos2 {
			t.Errorf("InFlight %d: window %d and %d, want %d and %d", test.inFlight, l.window, l.window2, test.qos1, test.qos2)
		}
		if test.qos1 > 100 {
			continue
		}
		for _, qos := range []packet.QoS{1, 2} {
			t.Run(fmt.Sprint(test.inFlight, " ", qos), func(t *testing.T) {
				t.Parallel()
				room := test.qos1
				if qos == 2 {
					room = test.qos2
				}
				s := listen(t)
				o := s.options()
				o.InFlight = test.inFlight
				session, p := s.open(o)
				a := newAcks(t)
				for i := range room {
					mustPublish(t, session, qos, a, i, "m")
				}
				if err := session.Publish(shortly(t), message(qos, "more"), a.callback(-1)); err != context.DeadlineExceeded {
					t.Fatalf("with the window full: %v", err)
				}
				a.none()
				for range room {
					p.next()
				}
				if got := session.Stats(); got.Pending != room || got.Published != uint64(room) || got.Written != uint64(room) {
					t.Errorf("with the window full: %+v", got)
				}
				if err := session.Drain(shortly(t)); err != context.DeadlineExceeded {
					t.Errorf("Drain with the window full: %v", err)
				}
				blocked := async(func() error { return session.Publish(t.Context(), message(qos, "last"), a.callback(room)) })
				if qos == 2 {
					p.send(&packet.Pubrec{PacketID: 1})
					p.expect(&packet.Pubrel{PacketID: 1})
					p.send(&packet.Pubcomp{PacketID: 1})
				} else {
					p.send(&packet.Puback{PacketID: 1})
				}
				if err := receive(t, blocked); err != nil {
					t.Fatal(err)
				}
				a.expect(0)
				p.expect(publish(uint16(room+1), qos, "last"))
			})
		}
	}
}

// TestWindowOfBoth: messages of QoS 2 fill their own window first, and leave room for the others.
func TestWindowOfBoth(t *testing.T) {
	t.Parallel()
	s := listen(t)
	session, p := s.open(s.options())
	a := newAcks(t)
	for i := range DefaultInFlight2 {
		mustPublish(t, session, 2, a, i, "two")
	}
	if err := session.Publish(shortly(t), message(2, "x"), nil); err != context.DeadlineExceeded {
		t.Errorf("QoS 2: %v", err)
	}
	for i := range DefaultInFlight - DefaultInFlight2 {
		mustPublish(t, session, 1, a, i, "one")
	}
	if err := session.Publish(shortly(t), message(1, "x"), nil); err != context.DeadlineExceeded {
		t.Errorf("QoS 1: %v", err)
	}
	mustPublish(t, session, 0, a, 1000, "zero") // is not counted
	for range DefaultInFlight {
		p.next()
	}
	p.expect(publish(0, 0, "zero"))
}

// TestPublishBehindAnother: a call that waits for another to end its wait obeys its own context.
func TestPublishBehindAnother(t *testing.T) {
	t.Parallel()
	s := listen(t)
	o := s.options()
	o.InFlight = 1
	session, p := s.open(o)
	a := newAcks(t)
	mustPublish(t, session, 1, a, 0, "first")
	second := async(func() error { return session.Publish(t.Context(), message(1, "second"), a.callback(1)) })
	for len(session.(*pahoSession).turn) == 0 { // until it has its turn, and waits for room
		runtime.Gosched()
	}
	if err := receive(t, async(func() error { return session.Publish(shortly(t), message(0, "third"), nil) })); err != context.DeadlineExceeded {
		t.Errorf("got %v", err)
	}
	p.expect(publish(1, 1, "first"))
	p.send(&packet.Puback{PacketID: 1})
	p.expect(publish(2, 1, "second"))
	if err := receive(t, second); err != nil {
		t.Error(err)
	}
}

func TestDrain(t *testing.T) {
	t.Parallel()
	s := listen(t)
	session, p := s.open(s.options())
	a := newAcks(t)
	if err := session.Drain(t.Context()); err != nil {
		t.Errorf("with nothing under way: %v", err)
	}
	mustPublish(t, session, 1, a, 0, "a", "b")
	drained := async(func() error { return session.Drain(t.Context()) })
	p.expect(publish(1, 1, "a"), publish(2, 1, "b"))
	p.send(&packet.Puback{PacketID: 2})
	a.expect(1)
	select {
	case err := <-drained:
		t.Fatalf("drained with a message under way: %v", err)
	default:
	}
	p.send(&packet.Puback{PacketID: 1})
	if err := receive(t, drained); err != nil {
		t.Error(err)
	}
	a.expect(0)
}

// TestStrayAcknowledgements of messages nobody sent change nothing.
func TestStrayAcknowledgements(t *testing.T) {
	t.Parallel()
	s := listen(t)
	session, p := s.open(s.options())
	a := newAcks(t)
	mustPublish(t, session, 1, a, 0, "one")
	mustPublish(t, session, 2, a, 1, "two")
	p.expect(publish(1, 1, "one"), publish(2, 2, "two"))
	p.send(&packet.Puback{PacketID: 9}, &packet.Pubcomp{PacketID: 9}, &packet.Pubrec{PacketID: 9}, &packet.Pubrec{PacketID: 2})
	p.expect(&packet.Pubrel{PacketID: 9}, &packet.Pubrel{PacketID: 2}) // [MQTT-4.3.3-1]: PUBREC is answered whatever it is for
	a.none()
	p.send(&packet.Puback{PacketID: 1}, &packet.Puback{PacketID: 1}, &packet.Pubcomp{PacketID: 2}, &packet.Pubcomp{PacketID: 2})
	a.expect(0, 1)
	if err := session.Drain(t.Context()); err != nil {
		t.Error(err)
	}
	mustPublish(t, session, 1, a, 2, "three")
	p.expect(publish(3, 1, "three"))
	a.none()
	if got := session.Stats(); got.Acknowledged != 2 || got.Pending != 1 {
		t.Errorf("%+v", got)
	}
}

// TestUnackedAtTheEnd: the callbacks of messages that were never acknowledged hear it, once and in order.
func TestUnackedAtTheEnd(t *testing.T) {
	t.Parallel()
	s := listen(t)
	session, p := s.open(s.options())
	a := newAcks(t)
	mustPublish(t, session, 1, a, 0, "a", "b", "c")
	p.expect(publish(1, 1, "a"), publish(2, 1, "b"), publish(3, 1, "c"))
	p.send(&packet.Puback{PacketID: 2})
	a.expect(1)
	if err := session.Close(); err != nil {
		t.Error(err)
	}
	for _, id := range []int{0, 2} {
		if got := receive(t, a.c); got != (ack{id, ErrClosed}) {
			t.Errorf("got %+v, want message %d with ErrClosed", got, id)
		}
	}
	p.expect(&packet.Disconnect{})
	p.expectEnd()
	if err := session.Publish(t.Context(), message(1, "d"), a.callback(4)); err != ErrClosed {
		t.Errorf("Publish after Close: %v", err)
	}
	if err := session.Drain(t.Context()); err != ErrClosed {
		t.Errorf("Drain after Close: %v", err)
	}
	if _, err := session.Subscribe(t.Context(), []Subscription{{"t", 0}}); !errors.Is(err, ErrClosed) {
		t.Errorf("Subscribe after Close: %v", err)
	}
	if err := session.Unsubscribe(t.Context(), []string{"t"}); !errors.Is(err, ErrClosed) {
		t.Errorf("Unsubscribe after Close: %v", err)
	}
	a.none()
	receive(t, session.Done())
	if err := errors.Join(session.Err(), session.Close()); err != nil {
		t.Errorf("after Close: %v", err)
	}
}

// TestLedgerEndsOnce: what paho does after the end of a session reaches no callback.
func TestLedgerEndsOnce(t *testing.T) {
	t.Parallel()
	s := listen(t)
	session, p := s.open(s.options())
	a := newAcks(t)
	mustPublish(t, session, 1, a, 0, "a")
	p.expect(publish(1, 1, "a"))
	l := session.(*pahoSession).ledger
	l.end(ErrClosed)
	if got := receive(t, a.c); got != (ack{0, ErrClosed}) {
		t.Errorf("got %+v", got)
	}
	l.Del("o.1") // a PUBACK that was under way
	a.none()
	if s := session.(*pahoSession); s.handOver(s.conn, message(1, "late"), a.callback(1)) {
		t.Error("a message was taken after the end: nobody would ever tell its sender")
	}
	a.none()
}

// TestPublishServerDoesNotRead: what is published at QoS 0 to a server that does not read waits in a bounded buffer.
func TestPublishServerDoesNotRead(t *testing.T) {
	t.Parallel()
	s := listen(t)
	o := s.options()
	o.ConnectTimeout = 300 * time.Millisecond // is also the patience of Close
	opened := openAsync(t, o)
	p := s.connect(false)
	_ = p.conn.(*net.TCPConn).SetReadBuffer(4096) // what the system takes does not reach the server either
	session := opened.session()
	big := message(0, strings.Repeat("x", 100_000))
	var err error
	n := 0
	for ; err == nil && n < 10_000; n++ {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		err = session.Publish(ctx, big, nil)
		cancel()
	}
	if err != context.DeadlineExceeded {
		t.Fatalf("after %d messages: %v", n, err)
	}
	tr := session.(*pahoSession).conn.transport
	tr.mu.Lock()
	waiting := len(tr.buf)
	tr.mu.Unlock()
	if limit := coalesceMax + 3*len(big.Payload); waiting > limit {
		t.Errorf("%d bytes wait for the server, want at most %d", waiting, limit)
	}
	start := time.Now()
	if err := session.Close(); err == nil {
		t.Error("Close lost bytes and did not say so")
	}
	if d := time.Since(start); d > 3*time.Second {
		t.Errorf("Close took %v", d)
	}
}

func TestPublishConcurrently(t *testing.T) {
	t.Parallel()
	const senders, each = 8, 200
	s := listen(t)
	session, p := s.open(s.options())
	a := newAcks(t)
	errs := make(chan error, senders)
	for i := range senders {
		go func() {
			for k := range each {
				if err := session.Publish(t.Context(), message(packet.QoS(i%3), fmt.Sprint(i, " ", k)), a.callback(i*each+k)); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	var next [senders]int
	for seen, open := 0, 0; seen < senders*each || open > 0; {
		switch m, _ := p.next(); m := m.(type) {
		case *packet.Publish:
			var i, k int
			if _, err := fmt.Sscan(string(m.Payload), &i, &k); err != nil || next[i] != k || m.Dup {
				t.Fatalf("got %q of sender %d, want number %d", m.Payload, i, next[i])
			}
			next[i]++
			seen++
			switch m.QoS {
			case 1:
				p.send(&packet.Puback{PacketID: m.PacketID})
			case 2:
				open++
				p.send(&packet.Pubrec{PacketID: m.PacketID})
			}
		case *packet.Pubrel:
			open--
			p.send(&packet.Pubcomp{PacketID: m.PacketID})
		}
	}
	for range senders {
		if err := receive(t, errs); err != nil {
			t.Fatal(err)
		}
	}
	if err := session.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	seen := make(map[int]bool)
	for range senders * each {
		got := receive(t, a.c)
		if seen[got.id] || got.err != nil {
			t.Fatalf("acknowledgement %+v, seen %v", got, seen[got.id])
		}
		seen[got.id] = true
	}
	a.none()
}
