package connect

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mq/packet"
)

// age makes the connection of a session look as if it had been up for long, so that its loss is followed by an attempt
// to reconnect at once.
func age(session Session) {
	s := session.(*pahoSession)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn.upSince.Store(1)
}

func lostError(o Options) error {
	return &LostError{Addr: o.Addr(), Reason: "the server closed the connection"}
}

func TestLostWithoutReconnect(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ last, want string }{
		{"", "the server closed the connection"},
		{"\x30", "the server closed the connection in the middle of a packet"},
		{"\x30\x05", "the server closed the connection in the middle of a packet"},
		{"\x30\x05\x00\x01t", "the server closed the connection in the middle of a packet"},
		{"\x90\x03\x00", "the server closed the connection in the middle of a packet"},
	} {
		t.Run(fmt.Sprintf("%q", test.last), func(t *testing.T) {
			t.Parallel()
			s := listen(t)
			o := s.options()
			r := record(t, &o)
			session, p := s.open(o)
			a := newAcks(t)
			mustPublish(t, session, 1, a, 0, "m")
			p.next()
			waiting := []<-chan error{
				async(func() error { _, err := session.Subscribe(t.Context(), []Subscription{{"t", 0}}); return err }),
				async(func() error { return session.Drain(t.Context()) }),
			}
			p.next()
			p.raw(test.last)
			p.drop()
			receive(t, session.Done())
			want := "connection to " + o.Addr() + " lost: " + test.want
			waiting = append(waiting, async(func() error { return receive(t, a.c).err }), async(session.Close),
				async(func() error { return session.Publish(t.Context(), message(0, ""), nil) }), async(session.Err))
			for i, c := range waiting {
				err := receive(t, c)
				var le *LostError
				if !errors.As(err, &le) || le.Error() != want {
					t.Errorf("call %d got %T %v, want %s", i, err, err, want)
				}
			}
			a.none()
			r.expect(Event{Kind: EventConnected})
			r.none()
		})
	}
}

// TestCloseAfterLoss: a connection that broke is not called a success, however little Close is behind.
func TestCloseAfterLoss(t *testing.T) {
	t.Parallel()
	s := listen(t)
	o := s.options()
	session, p := s.open(o)
	p.drop()
	for !session.(*pahoSession).conn.isClosed() {
		runtime.Gosched()
	}
	if err := session.Close(); err == nil || err.Error() != lostError(o).Error() {
		t.Errorf("got %v", err)
	}
}

func TestReconnect(t *testing.T) {
	t.Parallel()
	for _, present := range []bool{false, true} {
		t.Run(fmt.Sprint("present ", present), func(t *testing.T) {
			t.Parallel()
			s := listen(t)
			o := s.options()
			o.KeepSession, o.Reconnect.Enabled = true, true
			r := record(t, &o)
			session, p := s.open(o)
			subscribed := async(func() error {
				_, err := session.Subscribe(t.Context(), []Subscription{{"a", 1}, {"b", 1}, {"gone", 1}, {"denied", 1}})
				return err
			})
			pkt, _ := p.next()
			suback := &packet.Suback{PacketID: pkt.(*packet.Subscribe).PacketID}
			for _, sub := range pkt.(*packet.Subscribe).Subscriptions {
				code := packet.ReasonCode(1)
				if sub.Filter == "denied" {
					code = packet.ReasonUnspecifiedError
				}
				suback.Codes = append(suback.Codes, code)
			}
			p.send(suback)
			if err := receive(t, subscribed); err != nil {
				t.Fatal(err)
			}
			unsubscribed := async(func() error { return session.Unsubscribe(t.Context(), []string{"gone"}) })
			pkt, _ = p.next()
			p.send(&packet.Unsuback{PacketID: pkt.(*packet.Unsubscribe).PacketID})
			if err := receive(t, unsubscribed); err != nil {
				t.Fatal(err)
			}
			p.drop()

			p = s.connect(present)
			want := []Event{{Kind: EventConnected}, {Kind: EventLost, Err: lostError(o)}, {Kind: EventConnected, Reconnect: true}}
			if !present {
				got := map[string]packet.QoS{}
				for _, sub := range p.subscribed(1, 1).Subscriptions {
					got[sub.Filter] = sub.QoS
				}
				if diff := cmp.Diff(map[string]packet.QoS{"a": 1, "b": 1}, got); diff != "" {
					t.Errorf("SUBSCRIBE (-want +got):\n%s", diff)
				}
				want = append(want, Event{Kind: EventResubscribed})
			}
			r.expect(want...)
			if err := session.Publish(t.Context(), message(0, "up"), nil); err != nil {
				t.Fatal(err)
			}
			p.expect(publish(0, 0, "up")) // and no SUBSCRIBE before it
			if err := session.Close(); err != nil {
				t.Error(err)
			}
			p.expect(&packet.Disconnect{})
			r.none()
		})
	}
}

// TestClosedByUs: a connection that the session itself had to give up is replaced like one that broke.
func TestClosedByUs(t *testing.T) {
	t.Parallel()
	s := listen(t)
	o := s.options()
	o.Reconnect.Enabled = true
	r := record(t, &o)
	session, p := s.open(o)
	session.(*pahoSession).closeConn()
	p.expectEnd()
	s.connect(false)
	r.expect(Event{Kind: EventConnected}, Event{Kind: EventLost, Err: &LostError{Addr: o.Addr(), Reason: "the connection was closed"}},
		Event{Kind: EventConnected, Reconnect: true})
}

// TestNoResubscribeAtFirst: what paho calls after the first CONNACK may come late, when there are subscriptions already.
func TestNoResubscribeAtFirst(t *testing.T) {
	t.Parallel()
	s := listen(t)
	session, p := s.open(s.options())
	done := async(func() error { _, err := session.Subscribe(t.Context(), []Subscription{{"a", 1}}); return err })
	p.subscribed(1)
	if err := receive(t, done); err != nil {
		t.Fatal(err)
	}
	receive(t, async(func() error { session.(*pahoSession).resubscribe(); return nil }))
	if err := session.Close(); err != nil {
		t.Error(err)
	}
	p.expect(&packet.Disconnect{})
}

// TestResubscribeRefused: a subscription that no longer stands ends the session.
func TestResubscribeRefused(t *testing.T) {
	t.Parallel()
	s := listen(t)
	o := s.options()
	o.Reconnect.Enabled = true
	session, p := s.open(o)
	done := async(func() error { _, err := session.Subscribe(t.Context(), []Subscription{{"a", 1}}); return err })
	p.subscribed(1)
	if err := receive(t, done); err != nil {
		t.Fatal(err)
	}
	p.drop()
	p = s.connect(false)
	p.subscribed(packet.ReasonUnspecifiedError)
	receive(t, session.Done())
	if diff := cmp.Diff(refusedSubscribe("a", 0x80), session.Err(), cmp.AllowUnexported(RefusedError{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReconnectRefused(t *testing.T) {
	t.Parallel()
	s := listen(t)
	o := s.options()
	o.Reconnect.Enabled = true
	r := record(t, &o)
	session, p := s.open(o)
	p.drop()
	p = s.accept()
	p.connect()
	p.send(&packet.Connack{ReturnCode: packet.ServerUnavailable}) // which may pass
	p = s.accept()
	p.connect()
	p.send(&packet.Connack{ReturnCode: packet.BadUserNameOrPassword}) // which will not
	receive(t, session.Done())
	want := refusedConnect(&o, 4)
	if diff := cmp.Diff(want, session.Err(), cmp.AllowUnexported(RefusedError{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := session.Publish(t.Context(), message(1, ""), nil); !errors.As(err, &want) {
		t.Errorf("Publish: %v", err)
	}
	r.expect(Event{Kind: EventConnected}, Event{Kind: EventLost, Err: lostError(o)}, Event{Kind: EventRetrying, Err: refusedConnect(&o, 3), Attempt: 1})
	r.none()
	if err := session.Close(); !errors.As(err, &want) {
		t.Errorf("Close: %v", err)
	}
}

// TestReconnectFlapping: a server that accepts and drops every connection is not hammered.
func TestReconnectFlapping(t *testing.T) {
	t.Parallel()
	s := listen(t)
	o := s.options()
	o.Reconnect.Enabled = true
	r := record(t, &o)
	session, p := s.open(o)
	r.expect(Event{Kind: EventConnected})
	for i := range 3 {
		p.drop()
		r.expect(Event{Kind: EventLost, Err: lostError(o)})
		if i > 0 { // the first time, an attempt is made at once
			e := receive(t, r.events)
			low := backoffMin / 2 << (i - 1)
			if e.Kind != EventRetrying || e.Attempt != i || e.Delay < low || e.Delay >= 2*low {
				t.Errorf("attempt %d: got %+v, want a wait of %v to %v", i, e, low, 2*low)
			}
			if e.Err == nil || e.Err.Error() != lostError(o).Error() {
				t.Errorf("attempt %d: the reason is %v", i, e.Err)
			}
		}
		p = s.connect(false)
		r.expect(Event{Kind: EventConnected, Reconnect: true})
	}
	age(session) // a connection that lasted counts as a success
	p.drop()
	r.expect(Event{Kind: EventLost, Err: lostError(o)})
	s.connect(false)
	r.expect(Event{Kind: EventConnected, Reconnect: true})
	if got := session.Stats().Reconnects; got != 4 {
		t.Errorf("%d reconnections, want 4", got)
	}
}

// TestReconnectGivesUp after the time of the policy, with the error of the last attempt.
func TestReconnectGivesUp(t *testing.T) {
	t.Parallel()
	s := listen(t)
	o := s.options()
	o.Reconnect = RetryPolicy{Enabled: true, For: time.Millisecond}
	r := record(t, &o)
	session, p := s.open(o)
	s.l.Close()
	p.drop()
	receive(t, session.Done())
	var ce *ConnectError
	if !errors.As(session.Err(), &ce) || !errors.Is(ce, syscall.ECONNREFUSED) {
		t.Errorf("got %T %v", session.Err(), session.Err())
	}
	r.expect(Event{Kind: EventConnected}, Event{Kind: EventLost, Err: lostError(o)}, Event{Kind: EventRetrying, Err: ce, Attempt: 1})
	r.none()
}

func TestRetry(t *testing.T) {
	t.Parallel()
	s := listen(t)
	o := s.options()
	o.Retry.Enabled = true
	r := record(t, &o)
	opened := openAsync(t, o)
	p := s.accept()
	p.connect()
	p.drop() // without CONNACK
	p = s.accept()
	p.connect()
	p.send(&packet.Connack{ReturnCode: packet.ServerUnavailable})
	s.connect(false)
	opened.session()
	for i, want := range []string{"connect to " + o.Addr() + ": the server closed the connection without a CONNACK", refusedConnect(&o, 3).Error()} {
		e := receive(t, r.events)
		low := backoffMin / 2 << i
		if e.Kind != EventRetrying || e.Attempt != i+1 || e.Err.Error() != want || e.Delay < low || e.Delay >= 2*low {
			t.Errorf("event %d: got %+v, want a wait of %v to %v after %s", i, e, low, 2*low, want)
		}
	}
	r.expect(Event{Kind: EventConnected})
}

func TestRetryEnds(t *testing.T) {
	t.Parallel()
	s := listen(t)
	o := s.options()
	s.l.Close()
	o.Retry = RetryPolicy{Enabled: true, For: time.Millisecond}
	r := record(t, &o)
	_, err := Open(t.Context(), o)
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("after the time of the policy: %v", err)
	}
	r.expect(Event{Kind: EventRetrying, Err: err, Attempt: 1})
	r.none()

	ctx, cancel := context.WithCancel(t.Context())
	o.Retry.For = 0
	o.OnEvent = func(Event) { cancel() } // which comes before the wait
	if _, err := Open(ctx, o); err != context.Canceled {
		t.Errorf("cancelled: %v", err)
	}
}

// TestCloseDuringReconnect: whatever the session is waiting for, Close does not.
func TestCloseDuringReconnect(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		wait func(s *server, r *recorder)
	}{
		{"backoff", func(s *server, r *recorder) { s.l.Close(); r.expectKinds(EventConnected, EventLost, EventRetrying) }},
		{"CONNACK", func(s *server, r *recorder) { s.accept().connect() }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := listen(t)
			o := s.options()
			o.Reconnect.Enabled = true
			r := record(t, &o)
			session, p := s.open(o)
			a := newAcks(t)
			mustPublish(t, session, 1, a, 0, "m")
			p.next()
			p.conn.(*net.TCPConn).CloseWrite()
			p.expectEnd()
			test.wait(s, r)
			publishing := async(func() error { return session.Publish(t.Context(), message(1, "x"), nil) })
			subscribing := async(func() error { _, err := session.Subscribe(t.Context(), []Subscription{{"t", 0}}); return err })
			if err := session.Publish(shortly(t), message(0, "x"), nil); err != context.DeadlineExceeded {
				t.Errorf("Publish while the connection is down: %v", err)
			}
			start := time.Now()
			if err := session.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
			if d := time.Since(start); d > time.Second {
				t.Errorf("Close took %v", d)
			}
			receive(t, session.Done())
			for _, err := range []error{receive(t, publishing), receive(t, subscribing), receive(t, a.c).err} {
				if !errors.Is(err, ErrClosed) {
					t.Errorf("got %v, want ErrClosed", err)
				}
			}
		})
	}
}

func (r *recorder) expectKinds(kinds ...EventKind) {
	r.t.Helper()
	for _, want := range kinds {
		if got := receive(r.t, r.events); got.Kind != want {
			r.t.Fatalf("got event %+v, want kind %d", got, want)
		}
	}
}

// TestSubscribeCancelled: the end of ctx ends the call, which is not repeated.
func TestSubscribeCancelled(t *testing.T) {
	t.Parallel()
	s := listen(t)
	o := s.options()
	o.Reconnect.Enabled = true
	session, p := s.open(o)
	ctx, cancel := context.WithCancel(t.Context())
	calls := []<-chan error{
		async(func() error { _, err := session.Subscribe(ctx, []Subscription{{"t", 0}}); return err }),
		async(func() error { return session.Unsubscribe(ctx, []string{"t"}) }),
	}
	p.next()
	p.next()
	cancel()
	for _, c := range calls {
		if err := receive(t, c); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
	if err := session.Publish(t.Context(), message(0, "next"), nil); err != nil {
		t.Fatal(err)
	}
	p.expect(publish(0, 0, "next"))
}

// TestSubscribeAcrossReconnect: a request whose answer was lost with the connection is made again.
func TestSubscribeAcrossReconnect(t *testing.T) {
	t.Parallel()
	s := listen(t)
	o := s.options()
	o.Reconnect.Enabled = true
	session, p := s.open(o)
	subscribed := async(func() error { _, err := session.Subscribe(t.Context(), []Subscription{{"t", 1}}); return err })
	p.next()
	p.drop()
	p = s.connect(false)
	p.subscribed(1)
	if err := receive(t, subscribed); err != nil {
		t.Fatal(err)
	}
	unsubscribed := async(func() error { return session.Unsubscribe(t.Context(), []string{"t"}) })
	p.next()
	age(session)
	p.drop()
	p = s.connect(false)
	pkt, _ := p.next()
	p.send(&packet.Unsuback{PacketID: pkt.(*packet.Unsubscribe).PacketID})
	if err := receive(t, unsubscribed); err != nil {
		t.Fatal(err)
	}
}

func TestKeepAlive(t *testing.T) {
	t.Parallel()
	s := listen(t)
	o := s.options()
	o.KeepAlive = 1
	session, p := s.open(o)
	p.expect(&packet.Pingreq{})
	p.send(&packet.Pingresp{})
	if err := session.Close(); err != nil {
		t.Error(err)
	}
	p.expect(&packet.Disconnect{})
}

// TestMissingPingresp: when paho gives a connection up because no PINGRESP has come, the loss says so. Paho waits ten
// seconds before it closes the connection; here it is closed at once.
func TestMissingPingresp(t *testing.T) {
	t.Parallel()
	s := listen(t)
	o := s.options()
	o.KeepAlive = 1
	session, p := s.open(o)
	p.expect(&packet.Pingreq{})
	session.(*pahoSession).closeConn()
	receive(t, session.Done())
	want := &LostError{Addr: o.Addr(), Reason: "the server did not answer a ping"}
	if diff := cmp.Diff(error(want), session.Err()); diff != "" {
		t.Error(diff)
	}
}

// TestStatsAcrossConnections: what every connection carried is counted, to the byte.
func TestStatsAcrossConnections(t *testing.T) {
	t.Parallel()
	s := listen(t)
	o := s.options()
	o.Reconnect.Enabled = true
	session, p := s.open(o)
	a := newAcks(t)
	var in, out uint64
	for i := range 3 {
		mustPublish(t, session, 1, a, i, strings.Repeat("x", 10))
		for range i + 1 { // none is acknowledged before the last connection
			p.next()
		}
		out += uint64(p.f.Offset())
		in += 4
		if i < 2 {
			age(session)
			p.drop()
			p = s.connect(false)
		}
	}
	p.send(&packet.Puback{PacketID: 1}, &packet.Puback{PacketID: 2}, &packet.Puback{PacketID: 3})
	a.expect(0, 1, 2)
	want := Stats{Published: 3, Written: 3, Acknowledged: 3, Reconnects: 2, BytesIn: in + 12, BytesOut: out}
	if diff := cmp.Diff(want, session.Stats()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
